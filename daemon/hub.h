/* The hub of one reactor: streams of frames, and the cursors that read them.
 *
 * A stream is what everyone who follows it gets in common: the events of a table with a filter (or
 * of another source) in one form, or what is published on a topic in one form. Its recent frames
 * stand once in a log of segments; a subscription is a cursor into it. Delivering writes everything
 * from the cursor on in one write, straight from the segment. A subscription whose segment is
 * dropped because the log grew past `stream_buffer` has fallen behind (hub_subs.h).
 *
 *   hub.c          streams, cursors, delivery
 *   hub_subs.c     subscriptions: asked for, answered, ended
 *   hub_publish.c  messages to a topic or to everyone, on all reactors
 *
 * Everything here belongs to the reactor's thread.
 */
#ifndef DAEMON_HUB_H
#define DAEMON_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "daemon/forms.h"
#include "daemon/metrics_topics.h"
#include "daemon/publication.h"
#include "daemon/reactor.h"

struct conn;
struct sub;

typedef struct hub_segment {
    list link;
    int cursors;      /* subscriptions reading here */
    int64_t last_lsn; /* of the frames in it; 0: they have none */
    size_t len, cap;
    char data[];
} hub_segment;

typedef struct hub_stream {
    struct hub_topic *topic; /* NULL: a source's */
    uint64_t number;         /* a source's number of it (feed_msg.stream), else 0 */
    int form;                /* of a topic's stream */
    list segments;           /* oldest first */
    size_t bytes;            /* in all segments */
    list subs;               /* sub.stream_link: those that are live */
    int n_subs;
    int users;       /* subscriptions that hold it, live or not */
    list dirty_link; /* reactor.dirty_streams */
    char *name;      /* a source's: the topic as its events have it; owned, NULL until known */
    uint64_t came;   /* frames added so far */
    const char *run; /* where those began that were counted last: in step, all write the same */
    size_t run_len;  /* their bytes; 0: none were counted since frames were added */
    size_t run_frames;
    uint64_t sent_messages, sent_bytes; /* delivered to its subscribers so far */
} hub_stream;

/* A topic that is published to: a stream for each form that has subscribers. */
typedef struct hub_topic {
    char *name;
    hub_stream *streams[FORM_COUNT];
    int n_streams;
} hub_topic;

/* A stream, made where there is none, held until hub_release. NULL when memory is out. */
hub_stream *hub_topic_stream(reactor *r, const char *topic, int form);
hub_stream *hub_source_stream(reactor *r, uint64_t number);
void hub_release(reactor *r, hub_stream *s);
/* A topic that has subscribers here; NULL: it has none. */
const hub_topic *hub_topic_find(const reactor *r, const char *topic);

/* New frames for a source's stream; nothing happens when nobody here follows it. */
void hub_append(reactor *r, uint64_t number, const refbuf *frames, int64_t lsn);
/* The same for a topic, in every form that it is followed in. Returns how many subscriptions. */
int64_t hub_append_topic(reactor *r, const char *topic, publication *p);

/* Makes a subscription read its stream from here on. False when memory is out. */
bool hub_join(struct sub *s);
/* Goes on behind a segment (not the newest) without having read it. */
void hub_skip(struct sub *s, const hub_segment *g);
/* It reads no more; twice is harmless. */
void hub_leave(struct sub *s);
/* Queues what it has not read as a copy, and leaves: what follows on the connection comes after it.
 */
void hub_leave_rest(struct sub *s);

/* Frames of its stream that it has not read. */
uint64_t hub_unread(const struct sub *s);

/* Writes what a subscription has not read, until the socket is full, as of this time (monotonic,
 * us); false: broken socket. */
bool hub_deliver_sub(struct sub *s, int64_t now);
/* The same for all of a connection. */
bool hub_deliver(struct conn *c);
/* Subscriptions that the next hub_flush writes to. */
int hub_waiting(const reactor *r);
/* Writes the new frames of all dirty streams. */
void hub_flush(reactor *r);

/* Adds what was delivered to the subscribers of each topic. */
void hub_count_topics(const reactor *r, topic_list *to);

void hub_init(reactor *r);
void hub_destroy(reactor *r);

#endif
