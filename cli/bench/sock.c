#include "cli/bench/sock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

bool bench_sock_open(bench_sock *s, bench_loop *loop, const bench_target *to, unsigned nth,
                     void (*ready)(bench_io *io, uint32_t events))
{
    s->loop = loop;
    s->connected = false;
    s->io = (bench_io){.fd = bench_target_connect(to, nth), .ready = ready};
    if (s->io.fd < 0)
        return false;
    if (bench_loop_add(loop, &s->io, EPOLLIN | EPOLLOUT))
        return true;
    int why = errno;
    bench_loop_drop(loop, &s->io);
    errno = why;
    return false;
}

bool bench_sock_flush(bench_sock *s)
{
    while (s->out_at < s->out.len) {
        ssize_t n = send(s->io.fd, s->out.data + s->out_at, s->out.len - s->out_at, MSG_NOSIGNAL);
        s->sends++;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            bench_loop_watch(s->loop, &s->io, EPOLLIN | EPOLLOUT);
            return true;
        }
        if (n < 0)
            return false;
        s->connected = true;
        s->out_at += (size_t)n;
    }
    buf_clear(&s->out);
    s->out_at = 0;
    bench_loop_watch(s->loop, &s->io, EPOLLIN);
    return true;
}

ssize_t bench_sock_read(bench_sock *s)
{
    ssize_t n;
    do
        n = recv(s->io.fd, s->loop->in, BENCH_LOOP_IN, 0);
    while (n < 0 && errno == EINTR);
    s->recvs++;
    return n;
}

void bench_sock_close(bench_sock *s)
{
    if (bench_sock_is_open(s))
        bench_loop_drop(s->loop, &s->io);
    s->connected = false;
    buf_free(&s->out);
    s->out_at = 0;
}
