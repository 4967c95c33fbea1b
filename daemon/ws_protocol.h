/* Protocols: what travels inside the messages of a WebSocket. Each has a file of its own and is
 * known to the rest by this table of functions. Reactor thread only.
 *
 * A client chooses by Sec-WebSocket-Protocol (RFC 6455, 1.9) on /api/v1/ws, or by the path of an
 * endpoint that does one thing. */
#ifndef DAEMON_WS_PROTOCOL_H
#define DAEMON_WS_PROTOCOL_H

#include <stdbool.h>

#include "base/error.h"
#include "daemon/conn.h"
#include "daemon/forms.h"
#include "daemon/run.h"
#include "json/writer.h"

/* What a client is told of its new subscription. */
typedef struct sub_info {
    const char *subscription_id;
    const char *topic;
    bool of_tables;     /* `subscribe` is to tables there: to all of them where none is named */
    const char *filter; /* short id; NULL: none */
    const char *log_id; /* NULL: the topic has no positions */
    int64_t lsn;
} sub_info;

/* What a request came to, where its answer is an object of its own. */
typedef enum result_kind { RESULT_DONE, RESULT_AUTHENTICATED, RESULT_UNSUBSCRIBED } result_kind;

struct request;
struct ws_direct;

/* request_id is the text by which an answer names its request, in the protocol's own form; NULL:
 * the request had none. Whoever keeps it copies it. */
typedef struct ws_protocol {
    const char *name;  /* Sec-WebSocket-Protocol; NULL: of an endpoint */
    ws_form form;      /* of events and published messages */
    bool text, binary; /* messages it takes; others end the connection with 1003 */
    /* Of an endpoint: its path, the message types it takes, ended by NULL (NULL: all that there
     * are), and the topic that `subscribe` means there (NULL: the one it names). */
    const char *endpoint;
    const char *const *types;
    const char *topic;
    bool of_tables;    /* `subscribe` is to tables there: to all of them where none is named */
    bool needs_header; /* credentials must come with the upgrade, since no message carries them */
    /* Looks at the upgrade's request and may make ws.state. False with e set: it is refused. NULL:
     * any will do. */
    bool (*upgrade)(const struct request *q, void **state, error *e);
    void (*opened)(conn *c);               /* NULL: nothing is said */
    void (*closed)(conn *c);               /* frees ws.state. NULL: there is none */
    void (*tick)(conn *c, int64_t now_us); /* a few times a second. NULL: nothing is done */
    /* One whole message; text is valid UTF-8. Whatever is wrong with it is answered. */
    void (*message)(conn *c, bool binary, const char *p, size_t n);

    /* ---- how requests (ws_requests.h) are read and answered ---- */
    const char *input; /* what the object with a request's fields is called, for messages */
    /* What `cancel` names the request by: its id as compact JSON. False: by nothing, or it does not
     * fit. */
    bool (*cancel_name)(const char *request_id, char *out, size_t room);
    /* The form of a statement's result, and what is done when the statement has ended: sends
     * r->last or r->err. The caller frees r. */
    const run_encoder *(*encoder)(const char *request_id);
    void (*finish)(run *r);
    /* Any other result: begin, write the members of an object, end. `out` is empty at first; end
     * frees it. */
    void (*begin_result)(json_writer *w, buf *out, const char *request_id, result_kind kind);
    void (*end_result)(json_writer *w, conn *c, const char *request_id);
    void (*subscribed)(conn *c, const char *request_id, const sub_info *s);
    /* The answer to a request that failed; with subscription_id: that subscription has ended. */
    void (*failed)(conn *c, const char *request_id, const error *e, const char *subscription_id);
    /* A message from another connection. NULL: the protocol has no such messages. */
    void (*direct)(conn *c, const struct ws_direct *m);
    /* Said before the close frame, with c->close_code and c->close_reason. NULL: nothing. */
    void (*closing)(conn *c);
} ws_protocol;

extern const ws_protocol ws_protocol_json;    /* rustydb.json.v1, ws_json.c */
extern const ws_protocol ws_protocol_jsonrpc; /* jsonrpc, ws_jsonrpc.c */
extern const ws_protocol ws_protocol_bin;     /* rustydb.bin.v1, ws_bin.c */
extern const ws_protocol ws_protocol_raw;     /* raw, ws_raw.c */

/* The members that tell of a new subscription. */
void sub_info_write(json_writer *w, const sub_info *s);
/* The members that say why a connection is about to be closed. */
void closing_write(json_writer *w, const conn *c);

extern const ws_protocol ws_protocol_metrics;     /* ws_metrics.c */
extern const ws_protocol ws_protocol_events;      /* ws_events.c */
extern const ws_protocol ws_protocol_query;       /* ws_query.c */
extern const ws_protocol ws_protocol_replication; /* ws_replication.c */

/* What people are told of it: its name, or the endpoint's path. */
static inline const char *ws_protocol_called(const ws_protocol *p)
{
    return p->name ? p->name : p->endpoint;
}

/* The protocols of /api/v1/ws, the default one first; ends with NULL. */
extern const ws_protocol *const ws_protocols[];

/* Room for Sec-WebSocket-Protocol, and for one name in it; libwebsockets hangs up on more. */
enum { WS_OFFER_MAX = 127, WS_NAME_MAX = 64 };

/* The protocol for an upgrade of this path with these offered subprotocols (the header's text, ""
 * when none is offered): the first offered one that is spoken. NULL with e set: NOT_FOUND for the
 * path, INVALID_MESSAGE for the offer. */
const ws_protocol *ws_protocol_choose(const char *path, const char *offered, error *e);

#endif
