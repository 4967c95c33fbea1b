#include "daemon/door.h"
#include "daemon/admission.h"
#include "daemon/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/proxy_protocol.h"
#include "daemon/system_events.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 256,
    STEP_BATCH = 64,
    RESERVE = 32, /* connections past max_connections that are answered */
};

/* One whose header is still to come. */
typedef struct waiting {
    list link; /* reactor.doorstep */
    int fd;
    peer from; /* the proxy */
    int64_t since_us;
    proxy_header header;
} waiting;

bool door_open(reactor *r, error *e)
{
    lws_sock_file_fd_type fd;
    list_init(&r->doorstep);
    r->door_fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->door_fd < 0)
        return error_set(e, ERR_INTERNAL_ERROR, "no file descriptor is left for a reactor");
    fd.filefd = r->door_fd;
    r->door_wsi = lws_adopt_descriptor_vhost(r->vhost, LWS_ADOPT_RAW_FILE_DESC, fd, FILES, NULL);
    return r->door_wsi || error_set(e, ERR_INTERNAL_ERROR, "libwebsockets did not take a file");
}

/* ---- turning away ------------------------------------------------------------------------------
 */

/* An attacker fills no log: the count says how many, the log at level debug who. */
static void refuse(reactor *r, int fd, const peer *from, const char *why)
{
    char text[PEER_TEXT_ROOM];
    peer_format(from, text);
    STAT_ADD(r->stats.connections_refused, 1);
    log_debug("connection_refused", "%s: %s", text, why);
    audit_turned_away(r->d, from, why);
    close(fd);
}

static void turn_away(reactor *r, int fd, const peer *from)
{
    error e;
    error_clear(&e);
    error_set(&e, ERR_CONNECTION_LIMIT, "a connection was closed unread: too many are open");
    system_limit_hit(r->d, NULL, &e);
    refuse(r, fd, from, "too many connections are open");
}

/* ---- letting in --------------------------------------------------------------------------------
 */

static void admit(reactor *r, int fd, const peer *from)
{
    admission a = {0};
    if (!from->proxy && !peer_may_come(&from->ip, daemon_config(r->d)))
        refuse(r, fd, from, "its network may not connect");
    else if (!admission_ask(r->d, from, &a))
        refuse(r, fd, from, "its address has as many connections as it may have");
    else
        reactor_adopt(r, fd, from, &a);
}

/* ---- the doorstep ------------------------------------------------------------------------------
 */

/* It counts as a connection from here on. */
static void wait_for_header(reactor *r, int fd, const peer *from)
{
    waiting *w = mem_zalloc(sizeof *w);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};
    if (!w || epoll_ctl(r->door_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        mem_free(w);
        refuse(r, fd, from, "there is no memory for it");
        return;
    }
    w->fd = fd;
    w->from = *from;
    w->since_us = clock_mono_us();
    list_append(&r->doorstep, &w->link);
    atomic_fetch_add(&r->d->connections, 1);
}

/* The socket is the caller's again. */
static int leave(reactor *r, waiting *w)
{
    int fd = w->fd;
    epoll_ctl(r->door_fd, EPOLL_CTL_DEL, fd, NULL);
    list_unlink(&w->link);
    atomic_fetch_sub(&r->d->connections, 1);
    mem_free(w);
    return fd;
}

static void send_away(reactor *r, waiting *w, const char *why)
{
    peer from = w->from;
    refuse(r, leave(r, w), &from, why);
}

static void come_in(reactor *r, waiting *w)
{
    const config *cfg = daemon_config(r->d);
    peer client = w->from;
    if (!w->header.local) {
        client.ip = w->header.from;
        client.port = w->header.port;
        client.proxy = networks_have(&cfg->nets.proxies, &client.ip);
    }
    int fd = leave(r, w);
    admit(r, fd, &client);
}

/* Takes what belongs to the header and leaves the rest in the socket. */
static void read_header(reactor *r, waiting *w)
{
    char bytes[512];
    ssize_t n = recv(w->fd, bytes, sizeof bytes, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t used = n > 0 ? proxy_feed(&w->header, bytes, (size_t)n) : 0;
    if (n <= 0 || recv(w->fd, bytes, used, 0) != (ssize_t)used)
        send_away(r, w, "it ended before its PROXY header did");
    else if (w->header.state == PROXY_BAD)
        send_away(r, w, "it does not begin with a PROXY header");
    else if (w->header.state == PROXY_DONE)
        come_in(r, w);
}

void door_step(reactor *r)
{
    struct epoll_event ready[STEP_BATCH];
    int n = epoll_wait(r->door_fd, ready, STEP_BATCH, 0);
    for (int i = 0; i < n; i++)
        read_header(r, ready[i].data.ptr);
}

/* The list is in the order of their coming. */
void door_tick(reactor *r, int64_t now_us)
{
    int64_t limit = daemon_config(r->d)->handshake_timeout * 1000;
    list_each_safe(it, &r->doorstep)
    {
        waiting *w = list_entry(it, waiting, link);
        if (now_us - w->since_us <= limit)
            return;
        send_away(r, w, "its PROXY header did not come in time");
    }
}

void door_clear(reactor *r)
{
    list_each_safe(it, &r->doorstep) close(leave(r, list_entry(it, waiting, link)));
}

/* ---- accepting ---------------------------------------------------------------------------------
 */

static void let_in(reactor *r, int fd, const struct sockaddr_storage *address)
{
    const config *cfg = daemon_config(r->d);
    peer from = peer_of(address, cfg);
    bool proxied = strcmp(cfg->proxy_protocol, "on") == 0 && ip_is_known(&from.ip);
    /* A few more than the limit get in, so that they can be told (http.c). */
    if (atomic_load(&r->d->connections) >= cfg->max_connections + RESERVE)
        turn_away(r, fd, &from);
    else if (proxied && !from.proxy)
        refuse(r, fd, &from, "it is none of trusted_proxies");
    else if (proxied)
        wait_for_header(r, fd, &from);
    else
        admit(r, fd, &from);
}

void door_accept(reactor *r, int listen_fd)
{
    for (int i = 0; i < ACCEPT_BATCH && !r->stopping; i++) {
        struct sockaddr_storage from = {0};
        socklen_t n = sizeof from;
        int fd = accept4(listen_fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            let_in(r, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            log_warn("accept", "no file descriptors are left; a connection waits");
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}
