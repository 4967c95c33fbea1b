/* The hub of one reactor: streams of event frames, and subscriptions that read them.
 *
 * A stream is a channel, or a table with a filter. Its recent frames stand once in a log of
 * segments; a subscription is a cursor into it. Delivering writes everything from the cursor on in
 * one write, straight from the segment. A subscription whose segment is dropped because the log
 * grew past `stream_buffer` is too slow: its connection is closed with SLOW_CONSUMER.
 */
#ifndef DAEMON_HUB_H
#define DAEMON_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "daemon/reactor.h"
#include "feed/feed.h"

struct conn;

typedef struct hub_segment {
    list link;
    int cursors; /* subscriptions reading here */
    size_t len, cap;
    char data[];
} hub_segment;

typedef struct hub_stream {
    char *key;        /* topic for a channel; NULL for a table's stream */
    uint64_t feed_id; /* the feed's number of a table's stream, else 0 */
    list segments;    /* oldest first */
    size_t bytes;     /* in all segments */
    list subs;        /* sub.stream_link: those that are live */
    int n_subs;
    int users;       /* subscriptions that hold it, live or not */
    list dirty_link; /* reactor.dirty_streams */
} hub_stream;

typedef enum sub_state {
    SUB_ASKED,  /* the feed has not answered yet */
    SUB_REPLAY, /* known; catching up from the log */
    SUB_LIVE,   /* reads the stream */
} sub_state;

typedef struct sub {
    list ws_link;     /* ws.subs */
    list stream_link; /* hub_stream.subs when live */
    struct conn *c;
    sub_state state;
    uint64_t number; /* the listener's number at the feed, and "s<number>" to the client */
    hub_stream *stream;
    hub_segment *at; /* cursor, when live */
    size_t offset;
    char filter[FEED_FILTER_ID + 1];
    char *topic;      /* owned */
    char *key;        /* topic, operations and filter: to find a second one; owned */
    char *request_id; /* JSON text of the subscribe message's id, until answered; owned */
} sub;

/* ---- subscribing (ws_subscribe.c parses the message) ---- */
typedef struct sub_request {
    const char *topic; /* "table:NAME" or "channel:NAME" */
    op_set ops;
    const char *where;
    bool has_since;
    int64_t since;
    const char *log_id;
} sub_request;

/* Checks, and answers now (channels) or when the feed has. False with e set when it is refused. */
bool hub_subscribe(struct conn *c, const sub_request *s, const char *request_id, error *e);
/* By the client's name of it; false when the connection has no such subscription. */
bool hub_unsubscribe(struct conn *c, const char *subscription_id);
/* Drops all subscriptions of a connection. */
void hub_forget(struct conn *c);
void hub_sub_name(const sub *s, char out[32]);

/* ---- delivering ---- */
void hub_on_feed(reactor *r, feed_msg *m);
/* Writes what the cursors of one connection have not read; false: broken socket. */
bool hub_deliver(struct conn *c);
/* Subscriptions that the next hub_flush writes to. */
int hub_waiting(const reactor *r);
/* Writes the new frames of all dirty streams. */
void hub_flush(reactor *r);

/* Sends a message to a channel's subscribers, or (channel NULL) to every authenticated connection,
 * on all reactors. Takes over the reference to `frame`. `done` is called once, on the origin's
 * reactor, with the number reached; the connection may be CONN_DEAD by then. */
void hub_publish(struct conn *origin, const char *channel, refbuf *frame,
                 void (*done)(struct conn *c, void *arg, int64_t delivered), void *arg);

void hub_init(reactor *r);
void hub_destroy(reactor *r);

#endif
