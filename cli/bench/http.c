#include "cli/bench/http.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"

static void finish(bench_http *h, const char *why)
{
    h->busy = false;
    if (why || h->answer.closing)
        bench_sock_close(&h->sock);
    h->done(h, why);
}

static void ended(bench_http *h, int why)
{
    bool complete = !why && bench_answer_end(&h->answer);
    if (!h->busy)
        bench_sock_close(&h->sock);
    else if (complete)
        finish(h, NULL);
    else
        finish(h, why ? strerror(why) : "the server closed the connection before its answer");
}

static void input(bench_http *h)
{
    ssize_t n = bench_sock_read(&h->sock);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        ended(h, n < 0 ? errno : 0);
        return;
    }
    size_t took = bench_answer_feed(&h->answer, h->sock.loop->in, (size_t)n);
    if (h->answer.state == ANSWER_BROKEN)
        finish(h, "the answer is not HTTP/1.1");
    else if (!h->busy || took < (size_t)n)
        finish(h, "the server sent more than was asked for");
    else if (h->answer.state == ANSWER_DONE)
        finish(h, NULL);
}

static void ready(bench_io *io, uint32_t events)
{
    bench_http *h = (bench_http *)(void *)io;
    if ((events & EPOLLOUT) && !bench_sock_flush(&h->sock)) {
        ended(h, errno);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        input(h);
}

void bench_http_init(bench_http *h, bench_loop *loop, const bench_target *to, unsigned nth)
{
    *h = (bench_http){.to = to, .nth = nth};
    h->answer.redis = to->redis;
    h->sock.loop = loop;
    h->sock.io.fd = -1;
}

void bench_http_send(bench_http *h)
{
    bench_answer_reset(&h->answer);
    h->busy = true;
    h->sent_us = clock_mono_us();
    bool fine = bench_sock_is_open(&h->sock)
                    ? bench_sock_flush(&h->sock)
                    : bench_sock_open(&h->sock, h->sock.loop, h->to, h->nth, ready);
    if (!fine)
        finish(h, strerror(errno));
}

void bench_http_close(bench_http *h)
{
    bench_sock_close(&h->sock);
    h->busy = false;
}

void bench_http_head(buf *out, const char *method, const bench_target *to, const char *path,
                     const char *auth, long body_len)
{
    buf_addf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, to->host);
    if (auth)
        buf_addf(out, "Authorization: %s\r\n", auth);
    if (body_len >= 0)
        buf_addf(out, "Content-Type: application/json\r\nContent-Length: %ld\r\n", body_len);
    buf_adds(out, "\r\n");
}
