/* What clients of a WebSocket ask for, whatever protocol carries the request: each function takes
 * the request's fields as a JSON object, checks them, and answers through the connection's
 * ws_protocol, now or when the work is done.
 *
 * id is the protocol's text for the request (see ws_protocol), NULL when it has none; input is an
 * object, or NULL for an empty one. Both are borrowed for the call. False with e set: refused, and
 * the caller answers that. Reactor thread only. */
#ifndef DAEMON_WS_REQUESTS_H
#define DAEMON_WS_REQUESTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "daemon/conn.h"
#include "daemon/ws_protocol.h"
#include "engine/engine.h"
#include "json/read.h"

typedef bool ws_request(conn *c, const char *id, json_t *input, error *e);

/* ---- ws_requests.c ---- */
ws_request ws_request_auth;   /* {"token","metadata"?}; AUTH_FAILED when it is not known */
ws_request ws_request_status; /* {} */
ws_request ws_request_query;  /* {"sql","params"?,"timeout_ms"?,"max_rows"?,"transaction"?} */
ws_request ws_request_cancel; /* {"id"} of a query of this connection */

/* ---- ws_transactions.c ---- */
ws_request ws_request_begin;     /* {} */
ws_request ws_request_commit;    /* {"transaction"} */
ws_request ws_request_rollback;  /* {"transaction"} */
ws_request ws_request_savepoint; /* {"transaction","name","action"?} */

/* ---- ws_subscribe.c ---- */
/* {"topic" or "tables","ops"?,"where"?,"columns"?,"since"?,"policy"?} */
ws_request ws_request_subscribe;
ws_request ws_request_unsubscribe; /* {"subscription_id"} */
ws_request ws_request_publish;     /* {"channel","message","event"?,"metadata"?} */
ws_request ws_request_broadcast;   /* the same without a channel too: to everyone */

/* ---- ws_replication.c ---- */
/* {"slot_name"?,"create"?,"since"?,"tables"?,"ddl"?}: what `subscribe` means for this topic. */
ws_request ws_request_replication;
ws_request ws_request_ack; /* {"lsn"} of the connection's subscription to replication */

/* ---- for the files above ---- */
/* What the connection's requests are read and answered by. */
const ws_protocol *ws_request_protocol(const conn *c);
/* Takes the fields of input, under the name that the protocol has for it. */
bool ws_request_read(const conn *c, json_t *input, const json_field *fields, int n, error *e);
/* A list of names (`where`.`what` in messages), borrowed from it: NULL is none. */
bool ws_request_names(json_t *list_of, const char *where, const char *what, const char **to,
                      int room, int *n, error *e);
/* A run for a request: NULL with BUSY when the connection has max_pending under way. Its end is
 * told through ws_protocol.finish, unless on_done is set to something else. */
struct run *ws_request_run(conn *c, const char *id, job_kind kind, error *e);

/* By this name the client can cancel it, unless it is too long. */
void ws_run_name(run *r, const char *name);
/* NOT_FOUND when nothing of this name runs on the connection. */
bool ws_cancel(conn *c, const char *name, error *e);

#endif
