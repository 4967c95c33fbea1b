/* Operations that write many rows: {"rows"?:[...],"changes","lsn"}. */
#ifndef DAEMON_API_ROWS_MANY_H
#define DAEMON_API_ROWS_MANY_H

#include "daemon/api/rows.h"

typedef struct many_rows {
    rows_op op;
    bool returns; /* the rows themselves are wanted: statements give them */
    int status;   /* of the answer */
    int per_row;  /* statements for each item of the request */
} many_rows;

extern const run_encoder encode_many_rows;

/* What the request prefers, and the run's end. The statements are the caller's. */
void many_rows_begin(many_rows *m, const request *q, int status);
/* " RETURNING" the whole rows, where they are wanted, and what rows_judge needs (as for
 * row_sql_written; both NULL: they are deleted). */
void many_rows_returning(const many_rows *m, row_sql *s, const row_values *inserted,
                         const row_values *updated);

#endif
