/* One WebSocket connection of the load generator (RFC 6455, client side, no extensions). Towards a
 * redis target it is a subscriber there, and each message counts as a text frame. */
#ifndef BENCH_WS_H
#define BENCH_WS_H

#include "cli/bench/answer.h"
#include "cli/bench/frames.h"
#include "cli/bench/resp.h"
#include "cli/bench/sock.h"

typedef enum bench_ws_state {
    WS_SHUT,      /* not opened, or closed again */
    WS_UPGRADING, /* connecting, or waiting for the 101 */
    WS_OPEN,
} bench_ws_state;

struct bench_ws;
typedef struct bench_ws_calls {
    void (*opened)(struct bench_ws *w);
    /* As in bench_frames.frame; pings are answered already. */
    void (*frame)(struct bench_ws *w, int opcode, const char *payload, size_t len);
    void (*closed)(struct bench_ws *w, const char *why); /* not after bench_ws_close */
} bench_ws_calls;

typedef struct bench_ws {
    bench_sock sock; /* first: events come as a bench_io */
    bench_ws_state state;
    const bench_ws_calls *calls;
    bench_answer *answer; /* owned; only while WS_UPGRADING */
    bench_frames frames;
    bool redis; /* it is no WebSocket, but a subscriber of redis */
    bench_resp resp;
    int close_code; /* of the server's close frame, 0 when there was none */
    char reason[124];
    void *owner;
} bench_ws;

/* Begins to connect and upgrade. path NULL: the target's own. auth and protocol may be NULL. False
 * (and no call of closed) when not even a socket was to be had. The calls live as long as w. */
bool bench_ws_open(bench_ws *w, bench_loop *loop, const bench_target *to, const char *path,
                   unsigned nth, const char *auth, const char *protocol,
                   const bench_ws_calls *calls, void *owner, error *e);
/* Queues one text message; bench_ws_flush sends what is queued. */
void bench_ws_text(bench_ws *w, const char *text, size_t len);
void bench_ws_flush(bench_ws *w);
/* Ends it at once, without a closing handshake. */
void bench_ws_close(bench_ws *w);

#endif
