/* Errors as values: a stable code, a message for people, and where in the input it happened.
 *
 * The codes, with their HTTP status, JSON-RPC code, close code and exit code, stand in errors.def
 * alone. A function that can fail takes an `error *` last and returns false or NULL; it fills the
 * error exactly when it fails. Nothing here allocates, so out of memory can be reported too.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

typedef enum error_code {
    ERR_NONE = 0,
#define ERR(name, http, rpc, close, exit, text) ERR_##name,
#include "base/errors.def"
#undef ERR
    ERR_COUNT
} error_code;

typedef struct error_info {
    const char *name;    /* what clients see: "QUERY_ERROR" */
    int http_status;     /* status of a REST answer */
    int rpc_code;        /* "code" of a JSON-RPC error */
    int close_code;      /* WebSocket close code, 0 when the connection stays */
    int exit_code;       /* of the command line */
    const char *explain; /* one sentence for the documentation */
} error_info;

typedef struct error {
    error_code code;
    int64_t position; /* byte offset into the input (SQL, JSON, file), -1 when unknown */
    int64_t detail;   /* for GAP: the oldest lsn kept; for imports: rows kept; otherwise 0 */
    char message[480];
    char hint[160]; /* what to do about it; may be empty */
} error;

/* Facts about a code. Any thread; never NULL. */
const error_info *error_describe(error_code code);

/* Finds a code by its name; ERR_NONE when there is none. */
error_code error_by_name(const char *name);

/* Fills *e (which may be NULL) and returns false, so that `return error_set(...)` reads well.
 * The message is cut to fit, on a UTF-8 boundary. */
bool error_set(error *e, error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds what to do about it. Returns false as well. */
bool error_hint(error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline void error_clear(error *e)
{
    e->code = ERR_NONE;
    e->position = -1;
    e->detail = 0;
    e->message[0] = '\0';
    e->hint[0] = '\0';
}

#endif
