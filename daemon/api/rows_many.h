/* Operations that write many rows: {"rows"?:[...],"changes","lsn"}. */
#ifndef DAEMON_API_ROWS_MANY_H
#define DAEMON_API_ROWS_MANY_H

#include "daemon/api/rows.h"

typedef struct many_rows {
    rows_op op;
    bool returns; /* the rows themselves are wanted: statements give them */
    int status;   /* of the answer */
} many_rows;

extern const run_encoder encode_many_rows;

/* What the request prefers, and the run's end. The statements are the caller's. */
void many_rows_begin(many_rows *m, const request *q, int status);
/* " RETURNING" the whole rows, where they are wanted. */
void many_rows_returning(const many_rows *m, row_sql *s);

#endif
