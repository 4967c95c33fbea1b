/* A connection, HTTP first and perhaps a WebSocket later. It belongs to one reactor.
 *
 *   CONN_HTTP      reads requests and answers them
 *   CONN_WS        an open WebSocket
 *   CONN_CLOSING   nothing more is read; closes as soon as what waits has been written
 *   CONN_DEAD      the socket is gone; the struct lives until its runs have reported back
 *
 * conn_set_state is the only place where the state changes.
 */
#ifndef DAEMON_CONN_H
#define DAEMON_CONN_H

#include <libwebsockets.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/limits.h"
#include "daemon/outq.h"
#include "daemon/peer.h"
#include "daemon/reactor.h"

#include "daemon/unix_peer.h"

typedef enum conn_state { CONN_HTTP, CONN_WS, CONN_CLOSING, CONN_DEAD } conn_state;

struct identity;
typedef enum conn_refusal {
    REFUSED_NOT,
    REFUSED_FULL,    /* max_connections */
    REFUSED_ADDRESS, /* max_connections_per_address */
    REFUSED_RATE,    /* connection_rate */
} conn_refusal;

struct request;
struct run;
struct ws;

typedef struct conn {
    reactor *r;
    struct lws *wsi; /* NULL once CONN_DEAD */
    conn_state state;
    list link;       /* reactor.conns */
    list dirty_link; /* reactor.dirty */
    list runs;       /* runs under way for this connection, by run.conn_link */
    int n_runs;
    uint64_t serial;
    struct conn *next_by_number; /* reactor.sockets' chain */
    int fd;
    peer from;            /* who is at the other end, as far as the door knows */
    unix_peer local;      /* known where the other end came over the Unix socket */
    bool killed;          /* lws has been told to close it */
    conn_refusal refusal; /* let in only to be told so and closed */
    account *account;     /* of its address, held; NULL: it has none, or no limit is set */
    rate_state asked;     /* its requests, and once it is a WebSocket its messages */
    int too_many;         /* of these, refused one after the other */
    bool blocked;         /* the socket took not everything; a writable callback is under way */
    outq out;
    int64_t opened_us;        /* monotonic */
    int64_t last_activity_us; /* monotonic: last byte read, or end of the last request */
    int64_t asked_us; /* a message of this time is being answered: the next item queued is it */
    uint64_t messages_in, messages_out, bytes_in, bytes_out; /* messages: of a WebSocket */
    int64_t wrote_us;    /* last time something of `out` was handed over, or was queued first */
    struct request *req; /* HTTP: the request under way */
    struct ws *ws;       /* CONN_WS */
    uint64_t rights_at;  /* generation of the store of identities that its own was checked at */
    int64_t taken;       /* bytes lws had taken from the socket when the last answer was complete */
    bool had_body;       /* the last request had one */
    bool rx_paused;
    bool in_room;   /* known to room.h */
    bool asks_room; /* lws asks the loop for room in the socket, and does so until it is resumed */
    uint32_t close_code; /* CONN_CLOSING of a WebSocket */
    char close_reason[124];
    int64_t closing_since_us;
} conn;

/* Who is at the other end: of the WebSocket, or of the request under way. NULL: a stranger, or
 * nobody asks for anything. Borrowed. */
const struct identity *conn_who(const conn *c);

/* The user of the process at the other end of a Unix socket; false when it is none. */
bool conn_peer_uid(const conn *c, uid_t *uid);

/* Stops reading from the socket, and goes on; twice is harmless. A paused peer is not held to the
 * limits on how fast it must send. */
void conn_pause(conn *c);
void conn_resume(conn *c);
/* The socket takes more; false when what lws had kept is not all gone yet (it will call again). */
bool conn_unblock(conn *c);

/* Appends to `out` (taking over the reference) and sees to it that it is flushed. */
void conn_queue(conn *c, refbuf *data, struct run *run, uint64_t replay);
/* The same for what is behind the first `skip` bytes. */
void conn_queue_part(conn *c, refbuf *data, size_t skip, struct run *run, uint64_t replay);
/* The run is about to be freed: what is queued of it gets no credit any more. */
void conn_forget_run(conn *c, const struct run *run);

conn *conn_new(reactor *r, struct lws *wsi, int fd);
void conn_set_state(conn *c, conn_state to);
/* The socket is gone: cancels what runs for it; frees it now or when the last run has reported. */
void conn_gone(conn *c);
/* Frees a CONN_DEAD connection that has no runs left. */
void conn_reap(conn *c);
/* Closes once `out` is empty. For a WebSocket with this close code and reason. */
void conn_end(conn *c, int code, const char *reason);
/* Lifts the time limit that lws has set: limits are the reactor's to watch. */
void conn_unlimit(conn *c);
/* Ends it without waiting for anything (broken peer). Safe outside its own callbacks. */
void conn_kill(conn *c);

/* Writes what is in `out`; asks for a writable callback when the socket is full. False when the
 * socket is broken: the caller's callback closes it (or conn_kill). */
bool conn_flush(conn *c);
/* Writes n bytes at once; the socket must not be blocked. What the kernel does not take waits
 * inside lws, and `blocked` is set. False when the socket is broken. */
bool conn_write(conn *c, const char *p, size_t n);

#endif
