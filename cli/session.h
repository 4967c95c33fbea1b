/* A series of SQL statements sent to a daemon over REST, their rows shown as they arrive.
 *
 * BEGIN, COMMIT and ROLLBACK become a transaction of the daemon's, which the statements between
 * them run in. Ctrl-C cancels the running statement on the daemon. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/endpoint.h"
#include "cli/format/format.h"
#include "cli/output.h"
#include "cli/rest.h"
#include "cli/sql_split.h"

typedef struct session {
    const endpoint *ep; /* not owned, like the next three */
    rest *rest;
    output *out;
    format *format;
    int64_t timeout_ms; /* of a statement, 0: the daemon's own limit */
    int64_t max_rows;   /* 0: all */
    char tx[80];        /* the open transaction, empty while there is none */
    char query_id[33];  /* of the running statement */
} session;

/* Runs one statement; `params` is a JSON array or object, NULL for none. e->position is an offset
 * into the statement. After an error inside a transaction the transaction is still open. */
bool session_run(session *s, const sql_statement *stmt, const char *params, error *e);
/* Rolls back a transaction that was left open. True when there was one. */
bool session_abandon(session *s);

#endif
