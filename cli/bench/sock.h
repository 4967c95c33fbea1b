/* A connected, non-blocking socket of the load generator with bytes waiting to go out: what its
 * HTTP and WebSocket connections have in common. */
#ifndef BENCH_SOCK_H
#define BENCH_SOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "cli/bench/loop.h"
#include "cli/bench/target.h"

typedef struct bench_sock {
    bench_io io; /* fd -1: closed */
    bench_loop *loop;
    bool connected;
    buf out;       /* to be sent */
    size_t out_at; /* bytes of it sent already */
    uint64_t sends, recvs;
    struct ssl_st
        *tls; /* NULL: plain. The peer is not verified: this measures, and trusts nobody */
} bench_sock;

/* Begins to connect; `ready` is called as bytes come and go. False with errno. What waits in
 * s->out is kept. */
bool bench_sock_open(bench_sock *s, bench_loop *loop, const bench_target *to, unsigned nth,
                     void (*ready)(bench_io *io, uint32_t events));
/* Sends what it can of s->out, the rest when there is room. False with errno when it broke. */
bool bench_sock_flush(bench_sock *s);
/* Fills loop->in: bytes read, 0 at the end of the stream, -1 with errno (EAGAIN: nothing now). */
ssize_t bench_sock_read(bench_sock *s);
void bench_sock_close(bench_sock *s); /* drops what waited; opening again is possible */

static inline bool bench_sock_is_open(const bench_sock *s)
{
    return s->loop && s->io.fd >= 0;
}

#endif
