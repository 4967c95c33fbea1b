/* Direct messages: from one connection to another, whichever reactor has it. Reactor thread only.
 */
#ifndef DAEMON_WS_DIRECT_H
#define DAEMON_WS_DIRECT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "daemon/conn.h"
#include "json/writer.h"

/* What the receiver's protocol is given to write. The texts are JSON. */
typedef struct ws_direct {
    const char *type; /* "text" or "binary" */
    char from[24], to[24];
    char *payload;
    char *metadata; /* NULL: none */
} ws_direct;

/* Sends a message and answers the request through the sender's protocol when it has been queued to
 * the receiver: NOT_FOUND when no connection has this id (and has authenticated), CONFLICT when it
 * speaks a protocol without such messages, BUSY when it does not read what it gets. payload: for
 * "binary" {"$base64":"..."}; metadata may be NULL. False with e set: refused at once. */
bool ws_direct_send(conn *c, const char *request_id, const char *type, const char *to,
                    json_t *payload, const json_t *metadata, error *e);

/* The members from, to, payload, metadata and timestamp. */
void ws_direct_write(json_writer *w, const ws_direct *m);

#endif
