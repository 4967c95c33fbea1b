#include "cli/bench/sock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* ---- TLS ---------------------------------------------------------------------------------------
 */

static bool start_tls(bench_sock *s)
{
    static SSL_CTX *ctx; /* one for the run */
    if (!ctx)
        ctx = SSL_CTX_new(TLS_client_method());
    s->tls = ctx ? SSL_new(ctx) : NULL;
    if (!s->tls || !SSL_set_fd(s->tls, s->io.fd)) {
        errno = ENOMEM;
        return false;
    }
    SSL_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                             SSL_MODE_RELEASE_BUFFERS);
    SSL_set_connect_state(s->tls); /* the handshake goes along with the first bytes */
    return true;
}

/* What OpenSSL says, as the system calls would. */
static ssize_t tls_result(bench_sock *s, int n)
{
    if (n > 0)
        return n;
    switch (SSL_get_error(s->tls, n)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    default:
        errno = ECONNRESET;
        return -1;
    }
}

/* ---- both --------------------------------------------------------------------------------------
 */

static ssize_t put(bench_sock *s, const char *p, size_t n)
{
    if (!s->tls)
        return send(s->io.fd, p, n, MSG_NOSIGNAL);
    ERR_clear_error(); /* what another connection left would be taken for this one's */
    return tls_result(s, SSL_write(s->tls, p, n > 1 << 20 ? 1 << 20 : (int)n));
}

static ssize_t get(bench_sock *s)
{
    if (!s->tls)
        return recv(s->io.fd, s->loop->in, BENCH_LOOP_IN, 0);
    ERR_clear_error();
    ssize_t n = tls_result(s, SSL_read(s->tls, s->loop->in, BENCH_LOOP_IN));
    int why = errno;
    if (s->out_at < s->out.len && !bench_sock_flush(s)) /* it waited for the handshake */
        return -1;
    errno = why;
    return n;
}

bool bench_sock_open(bench_sock *s, bench_loop *loop, const bench_target *to, unsigned nth,
                     void (*ready)(bench_io *io, uint32_t events))
{
    s->loop = loop;
    s->connected = false;
    s->io = (bench_io){.fd = bench_target_connect(to, nth), .ready = ready};
    if (s->io.fd < 0)
        return false;
    if (bench_loop_add(loop, &s->io, EPOLLIN | EPOLLOUT) && (!to->tls || start_tls(s)))
        return true;
    int why = errno;
    SSL_free(s->tls);
    s->tls = NULL;
    bench_loop_drop(loop, &s->io);
    errno = why;
    return false;
}

bool bench_sock_flush(bench_sock *s)
{
    while (s->out_at < s->out.len) {
        ssize_t n = put(s, s->out.data + s->out_at, s->out.len - s->out_at);
        s->sends++;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            bool to_read = s->tls && SSL_want_read(s->tls);
            bench_loop_watch(s->loop, &s->io, to_read ? EPOLLIN : EPOLLIN | EPOLLOUT);
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
        n = get(s);
    while (n < 0 && errno == EINTR);
    s->recvs++;
    return n;
}

void bench_sock_close(bench_sock *s)
{
    if (bench_sock_is_open(s))
        bench_loop_drop(s->loop, &s->io);
    SSL_free(s->tls);
    s->tls = NULL;
    s->connected = false;
    buf_free(&s->out);
    s->out_at = 0;
}
