/* WebSocket connections: reading whole messages, sending them, and the end of a connection. What
 * the messages mean is the protocol's matter (ws_protocol.h). Reactor thread only. */
#ifndef DAEMON_WS_H
#define DAEMON_WS_H

#include <jansson.h>

#include "auth/auth.h"
#include "daemon/agents.h"
#include "base/utf8.h"
#include "daemon/conn.h"
#include "daemon/ws_protocol.h"
#include "wire/pmd.h"
#include "wire/ws_frame.h"

typedef struct ws {
    const ws_protocol *protocol;
    void *state;         /* the protocol's own, made by `upgrade` or `opened`, freed by `closed` */
    const identity *who; /* held; NULL until it has authenticated */
    char id[24];         /* connection_id: "c" and the serial number */
    buf rx;              /* the message that is arriving */
    bool in_message, in_frame; /* the last piece was not its last */
    bool rx_binary, rx_deflated;
    utf8_stream rx_utf8;
    int deflate_bits;       /* window bits to compress with, 0: not negotiated */
    pmd_inflater *inflater; /* where it was negotiated */
    int offers_seen;        /* of permessage-deflate in the handshake */
    list subs;              /* sub.ws_link */
    int n_subs;
    agent *agent;      /* what the client calls itself, NULL: nothing; held */
    char *metadata;    /* what the client told of itself: a JSON object, NULL: nothing; owned */
    int64_t opened_us; /* monotonic, as the next */
    int64_t pinged_us; /* a ping is out or due since, or it has moved since; 0: none is */
    int64_t acked;     /* while one is: bytes that the peer had taken when last looked at */
    bool ping_due;
    bool close_sent;  /* our close frame is out */
    int bad_messages; /* malformed ones since the last good one */
} ws;

/* Prepares c->ws while the upgrade is checked. Takes over the hold on `who`. */
void ws_prepare(conn *c, const ws_protocol *protocol, const identity *who);
void ws_opened(conn *c);
/* A piece of a message; nonzero: close. */
int ws_on_receive(conn *c, const char *p, size_t n);
int ws_on_writable(conn *c);
int ws_on_pong(conn *c);
/* The peer's close frame came, with this payload; nonzero: close without lws's answer. */
int ws_on_peer_close(conn *c, const unsigned char *p, size_t n);
/* Writes output and event frames; false: broken socket. */
bool ws_flush(conn *c);
/* Every second: authentication time, pings. */
void ws_tick(conn *c, int64_t now_us);
void ws_free(conn *c);

/* Queues one message, compressed where that was negotiated and pays. */
void ws_send(conn *c, ws_opcode op, const char *message, size_t n);
/* The number of the form that the connection gets events in. */
static inline int ws_form_of(const conn *c)
{
    return (int)c->ws->protocol->form + (c->ws->deflate_bits ? FORM_DEFLATED : 0);
}
/* Queues a message of this type and payload (JSON text) in the connection's form. */
void ws_say(conn *c, const char *type, const char *json, size_t n);
/* What the protocol says before a close. */
void ws_say_closing(conn *c);

/* Keeps what the client tells of itself (an object; copied), in place of what it told before.
 * MESSAGE_TOO_BIG past max_metadata. */
bool ws_set_metadata(conn *c, const json_t *metadata, error *e);

/* A message was malformed (and has been answered): too many without a good one between end the
 * connection. */
void ws_bad_message(conn *c);
void ws_good_message(conn *c);

#endif
