/* A reactor: one thread, one lws_context, and the connections it accepted. No other thread touches
 * them; others post messages into its mailbox. It never blocks.
 *
 * Everything a reactor wants to write is collected while it works through one batch of socket
 * events and messages, and flushed once at the end of the batch, so that many small events leave in
 * few large writes.
 */
#ifndef DAEMON_REACTOR_H
#define DAEMON_REACTOR_H

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "daemon/conn_table.h"
#include "daemon/daemon.h"
#include "daemon/latency.h"
#include "daemon/outq.h"

struct conn;
struct peer;
struct admission;

/* Written by the reactor's thread, read by any (relaxed). */
typedef struct reactor_stats {
    atomic_int http_connections, ws_connections, subscriptions;
    atomic_uint_fast64_t connections_total, connections_refused; /* let in; closed at the door */
    atomic_uint_fast64_t requests, messages_in, messages_out;
    atomic_uint_fast64_t bytes_in, bytes_out;
    atomic_uint_fast64_t frames_delivered; /* event frames handed to sockets */
    atomic_uint_fast64_t send_calls;       /* writes that carried event frames */
    atomic_uint_fast64_t slow_consumers, errors;
    atomic_uint_fast64_t backpressure; /* times that a socket did not take all it was given */
} reactor_stats;

/* On the reactor's own thread, which alone writes: no other's addition can be lost between. */
#define STAT_ADD(field, n)                                                                         \
    atomic_store_explicit(&(field), STAT_GET(field) + (n), memory_order_relaxed)
#define STAT_GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* First member of every message in a reactor's mailbox that is not the feed's (feed.h). `tag`
 * stands at the same place as feed_msg.tag. */
typedef struct reactor_msg {
    list link;
    int tag;                                                  /* REACTOR_TAG */
    void (*handle)(struct reactor *r, struct reactor_msg *m); /* on the reactor; frees m */
} reactor_msg;

enum { REACTOR_TAG = 0x72656163, FLUSH_MAX = 65536, MAX_PROTOCOLS = 8 };

/* The reactor's own files' entry among the protocols: the listening socket, and room.h's. No client
 * can ask for it: it is no token. */
#define FILES "(files)"

typedef struct reactor {
    server *d;
    int index;
    int listener; /* number at the feed */
    struct lws_context *ctx;
    struct lws_vhost *vhost;
    struct tls_material *tls; /* of the next handshake; NULL: no TLS (tls.h) */
    void *tls_ctx;            /* lws's SSL_CTX of the listener */
    void *tls_client;         /* see tls_prepare */
    struct lws_protocols protocols[MAX_PROTOCOLS];
    pthread_t thread;
    bool running;                  /* the thread was started */
    uv_loop_t *loop;               /* NULL: lws's own, poll() */
    uint64_t callbacks, kicked_at; /* connections' events so far; how many at the last kick */
    struct lws *listener_wsi;
    int listen_fd;        /* -1: none */
    struct lws *unix_wsi; /* the Unix socket */
    int unix_fd;          /* -1: none */
    struct lws *room_wsi; /* room.h */
    int room_fd;
    struct lws *door_wsi; /* door.h, as the next two */
    int door_fd;
    list doorstep;
    mailbox box;
    list conns;         /* every conn, by conn.link */
    conn_table sockets; /* those that are WebSockets */
    list dirty;         /* conns with something to write, by conn.dirty_link */
    list dirty_streams; /* hub streams with new frames */
    uint64_t appended;  /* times that frames were added to a stream */
    uint64_t runs;      /* submitted so far, for run.number */
    bool stopping;      /* no new connections or requests; leaves when all reactors are empty */
    bool empty;         /* while stopping: the last conn is gone */
    int64_t stop_deadline_us;
    atomic_bool stop_wanted;                /* set by daemon, read by the reactor */
    map topics;                             /* the hub's: name -> hub_topic */
    map source_streams;                     /* a source's number (8 bytes) -> hub_stream */
    map subs;                               /* subscription number (8 bytes) -> sub */
    struct documents *documents;            /* as they were served last (documents.h) */
    map agents;                             /* user agents of its connections (agents.h) */
    char scratch[LWS_PRE + FLUSH_MAX + 64]; /* to gather small frames into one write */
    lws_sorted_usec_list_t tick;
    reactor_stats stats;
    latency message_latency; /* from a WebSocket message to its whole answer at the socket */
    latency request_latency; /* the same for HTTP requests */
} reactor;

/* Sets it up; the listening sockets (-1: none) are taken over. From here on others may post to it.
 */
bool reactor_open(reactor *r, server *d, int index, int listen_fd, int unix_fd, error *e);
/* Starts its thread. */
bool reactor_run(reactor *r, error *e);
/* Asks it to drain and end (any thread); then wait for it; then, when nobody posts to it any more,
 * free it. It goes on handling messages until no reactor has a connection left, since one may wait
 * for another's answer. */
void reactor_stop(reactor *r);
void reactor_wait(reactor *r);
void reactor_free(reactor *r);

/* Any thread. */
void reactor_post(reactor *r, reactor_msg *m);

/* Takes in a connection that has passed the door; the socket is taken over. */
void reactor_adopt(reactor *r, int fd, const struct peer *from, const struct admission *a);

/* Marks a connection as having something to write at the end of this batch. */
void reactor_want_flush(reactor *r, struct conn *c);

#endif
