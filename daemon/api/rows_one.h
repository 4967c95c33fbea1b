/* One row as a resource: its entity tag, and the answer to those who read or wrote it. */
#ifndef DAEMON_API_ROWS_ONE_H
#define DAEMON_API_ROWS_ONE_H

#include "daemon/api/rows.h"
#include "daemon/etag.h"

typedef enum row_action { ROW_GET, ROW_PUT, ROW_PATCH, ROW_DELETE, ROW_INSERT } row_action;

/* Statements give whole rows (row_sql_all_columns). The first, unless it inserts, looks at the row
 * as it is: whether it may be written is decided there, between the writer's look and its write,
 * so that nothing comes between. The last row given is the one that is answered. */
typedef struct one_row {
    rows_op op;
    row_action action;
    const char *key;                      /* as the path has it; NULL: ROW_INSERT */
    const char *if_match, *if_none_match; /* NULL: no such condition */
    bool updates;                         /* a row that is there is written to */
    bool creates;                         /* one that is not there is made */
    const char **same; /* ROW_PUT: columns whose comparisons follow those of the row in the last
                          statement, and must be true */
    int n_same;
    bool untagged; /* the last row given may not be what was stored: it has no tag */

    /* the encoder's */
    bool unseen; /* what was written may not be read: it is not answered */
    bool existed, written;
    char etag[ETAG_ROOM]; /* "": none */
    const char *location; /* of a row that was made; NULL: it has none */
} one_row;

extern const run_encoder encode_one_row;

/* Answers the request when its run, whose state is a one_row, is done. */
void one_row_done(run *r);

#endif
