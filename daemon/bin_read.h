/* From decoded messages of rustydb.bin.v1 to what the rest of the daemon takes. Everything is
 * copied into the arena that is given. Reactor thread. */
#ifndef DAEMON_BIN_READ_H
#define DAEMON_BIN_READ_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "engine/engine.h"
#include "wire/bin_message.h"

/* As a C string; NULL with INVALID_MESSAGE when a NUL is in it. `what` names it for the message. */
const char *bin_cstr(arena *mem, bin_text t, const char *what, error *e);
/* The same where there is one; *to is left alone where there is none. */
bool bin_opt_cstr(arena *mem, bin_opt_text t, const char *what, const char **to, error *e);
/* A limit within 1 and max, likewise. */
bool bin_opt_limit(bin_opt_uint v, const char *what, int64_t max, int64_t *to, error *e);

/* A statement with its parameters. */
bool bin_fill_stmt(engine_stmt *to, arena *mem, bin_text sql, const bin_params *p, error *e);
/* A statement with its parameters, its transaction and its limits. */
bool bin_fill_job(job *j, const bin_query *q, error *e);

/* A message as every protocol has it: a text, {"$base64"}, or the JSON. The caller frees it with
 * json_decref. NULL with e set. */
json_t *bin_body_json(const bin_body *body, error *e);

#endif
