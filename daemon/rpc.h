/* JSON-RPC 2.0 on a connection, whatever carries it: takes messages apart, runs their requests and
 * gathers what a batch has to answer.
 *
 * The requests of a batch run one after the other, in their order, so that what is held of results
 * stays within max_result, and a statement sees what the one before it has written. Requests of
 * different messages run side by side.
 *
 * The request_id of ws_protocol is here "BATCH:ID": the number of the batch that the answer goes
 * into, 0 for one by itself, and the id's text as it came, empty for a notification.
 *
 * Reactor thread only, where nothing else is said. */
#ifndef DAEMON_RPC_H
#define DAEMON_RPC_H

#include "base/list.h"
#include "daemon/conn.h"
#include "daemon/ws_asks.h"
#include "daemon/ws_protocol.h"
#include "daemon/ws_requests.h"
#include "json/slice.h"

/* Who speaks JSON-RPC: a WebSocket or an HTTP request. */
typedef struct rpc_peer {
    conn *c;
    bool http;
    uint64_t last_batch; /* the number of the last one */
    list batches;        /* under way */
    /* Sends an answer: one object, or the array of a batch. NULL: there is none to send, and the
     * message is done with. The peer may be gone afterwards. */
    void (*deliver)(conn *c, const buf *text);
} rpc_peer;

void rpc_peer_init(rpc_peer *p, conn *c, bool http, void (*deliver)(conn *c, const buf *text));
void rpc_peer_free(rpc_peer *p); /* what it points to */
rpc_peer *rpc_peer_of(const conn *c);

/* One whole message. */
void rpc_message(rpc_peer *p, const char *text, size_t n);

/* The text of the id in a request_id; empty for a notification. Any thread. */
json_slice rpc_id(const char *request_id);
/* The number of its batch; 0: none. Any thread. */
uint64_t rpc_batch_number(const char *request_id);

/* A whole answer object to a request, taken over and emptied; a notification's goes nowhere. */
void rpc_answer(conn *c, const char *request_id, buf *text);
void rpc_answer_error(conn *c, const char *request_id, int code, const error *e);
/* Answers with this value, complete JSON, in place of an object's members. */
void rpc_answer_with(conn *c, const char *request_id, const char *result, size_t n);

/* ---- ws_protocol's functions for both carriers (rpc_answers.c) ---- */
const run_encoder *rpc_encoder(const char *request_id);
bool rpc_cancel_name(const char *request_id, char *out, size_t room);
void rpc_finish(run *r);
void rpc_begin_result(json_writer *w, buf *out, const char *request_id, result_kind kind);
void rpc_end_result(json_writer *w, conn *c, const char *request_id);
void rpc_subscribed(conn *c, const char *request_id, const sub_info *s);
void rpc_failed(conn *c, const char *request_id, const error *e, const char *subscription_id);

#define RPC_ANSWERS                                                                                \
    .input = "params", .encoder = rpc_encoder, .cancel_name = rpc_cancel_name,                     \
    .finish = rpc_finish, .begin_result = rpc_begin_result, .end_result = rpc_end_result,          \
    .subscribed = rpc_subscribed, .failed = rpc_failed

/* ---- the table of methods (rpc_methods.c) ---- */
enum {
    RPC_OPEN = 1,      /* answered without credentials */
    RPC_WEBSOCKET = 2, /* has no meaning without a connection that stays */
};

typedef struct rpc_method {
    const char *name;
    ws_request *request;
    ws_ask asks;
    unsigned flags;
    const char *const *params; /* names in the order of their positions */
    int n_params;
} rpc_method;

/* False when there is no such method for this peer; then e says why. */
bool rpc_find_method(const rpc_peer *p, const char *name, rpc_method *to, error *e);

#endif
