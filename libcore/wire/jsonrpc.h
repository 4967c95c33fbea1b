/* JSON-RPC 2.0: taking messages apart to the letter of the specification, and the fixed parts of
 * answers. No connection and no method is known here. Nothing but params is made into a tree, so an
 * id comes back exactly as it was sent. Any thread. */
#ifndef WIRE_JSONRPC_H
#define WIRE_JSONRPC_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "json/slice.h"
#include "json/writer.h"

enum { RPC_MAX_ID = 256, RPC_MAX_METHOD = 64 }; /* bytes */

/* The five errors of the specification. */
enum {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_INTERNAL_ERROR = -32603,
};

typedef struct rpc_request {
    json_slice id; /* its text; empty: a notification, or an invalid request without a legal id */
    char method[RPC_MAX_METHOD + 1]; /* cut to fit where it is longer than any there is */
    json_slice params;               /* an array or an object; empty: none */
} rpc_request;

/* One request object. False with INVALID_MESSAGE when it is none (RPC_INVALID_REQUEST); then q->id
 * is what it had for an id, if that is a legal one. */
bool rpc_read(json_slice text, rpc_request *q, error *e);

/* Params by position, put under the names that belong there: a new object. NULL with
 * INVALID_MESSAGE when there are more values than names, INTERNAL_ERROR when memory is out. */
json_t *rpc_named(json_t *positional, const char *const *names, int n, error *e);

/* The code to answer an error with. INVALID_MESSAGE of a request that was one is about its params.
 */
int rpc_code(const error *e);

/* The specification's name for one of its five codes, else NULL. */
const char *rpc_standard_name(int code);

/* {"jsonrpc":"2.0","id":ID, with the object left open for "result" or "error". An empty id is null.
 */
void rpc_begin_answer(json_writer *w, buf *out, json_slice id);

#endif
