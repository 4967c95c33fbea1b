/* The load generator's event loop: one thread, one epoll, non-blocking sockets.
 *
 * It is bare on purpose: server and generator share the machine, so each cycle spent here is one
 * the server under test does not get. Objects that hold a loop_io live until the loop is closed:
 * an event that was already fetched may still be handed to them (fd is then -1, and it is not). */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define BENCH_LOOP_IN     65536 /* bytes read at once */
#define BENCH_LOOP_TIMERS 4

typedef struct bench_io {
    int fd;          /* -1: closed */
    uint32_t events; /* what epoll watches for now */
    void (*ready)(struct bench_io *io, uint32_t events);
} bench_io;

typedef struct bench_timer {
    int64_t at_us; /* on the monotonic clock; 0: not set. Cleared before fire is called */
    void (*fire)(struct bench_timer *t);
} bench_timer;

typedef struct bench_loop {
    int epfd;
    bool stopped;                           /* bench_loop_stop was called; the run ends */
    bool spin;                              /* looks for events without ever sleeping */
    char *in;                               /* BENCH_LOOP_IN bytes, shared by all connections */
    bench_timer *timers[BENCH_LOOP_TIMERS]; /* NULL: free */
} bench_loop;

/* Set by bench_interrupt (async-signal-safe): every run ends at once until it is cleared. */
extern volatile int bench_interrupted;

bool bench_loop_open(bench_loop *l, error *e);
void bench_loop_close(bench_loop *l);

/* Watches io->fd. False when the kernel refuses (errno says why). */
bool bench_loop_add(bench_loop *l, bench_io *io, uint32_t events);
/* Changes what is watched; does nothing when it is watched already. */
void bench_loop_watch(bench_loop *l, bench_io *io, uint32_t events);
/* Closes the descriptor; nothing is delivered to io any more. */
void bench_loop_drop(bench_loop *l, bench_io *io);

/* At most BENCH_LOOP_TIMERS may be known at a time. */
void bench_loop_timer(bench_loop *l, bench_timer *t);
void bench_loop_timer_gone(bench_loop *l, bench_timer *t);

/* Serves events until bench_loop_stop or until the monotonic clock reaches until_us. True when it
 * was stopped, false when time ran out or it was interrupted. Not to be called from an event. */
bool bench_loop_run(bench_loop *l, int64_t until_us);
void bench_loop_stop(bench_loop *l);

#endif
