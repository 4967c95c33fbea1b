/* Errors as clients see them: problem details (RFC 9457) for REST, the payload of an `error`
 * message for WebSocket, the error object of JSON-RPC. Any thread. */
#ifndef DAEMON_PROBLEM_H
#define DAEMON_PROBLEM_H

#include "base/error.h"
#include "json/writer.h"

/* Further members of a problem; -1: absent. */
typedef struct problem_extra {
    int statement;     /* index within a batch */
    int64_t rows_kept; /* by an import that failed */
} problem_extra;

/* A problem object; x may be NULL. */
void problem_write(json_writer *w, const error *e, const problem_extra *x);
/* The members of a WebSocket error, into an object that is open. */
void problem_write_members(json_writer *w, const error *e);
/* The payload of a WebSocket error; subscription may be NULL. */
void problem_write_ws(json_writer *w, const error *e, const char *subscription);
/* The error object of JSON-RPC: {"code","message","data":{"code","hint"?,...}}. The message of one
 * of the specification's own codes begins with the specification's name for it. */
void problem_write_rpc(json_writer *w, const error *e, int code);

#endif
