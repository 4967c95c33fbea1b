#include "daemon/reactor.h"
#include "daemon/documents.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/admission.h"
#include "daemon/conn.h"
#include "daemon/door.h"
#include "daemon/http.h"
#include "daemon/hub.h"
#include "daemon/hub_subs.h"
#include "daemon/query_events.h"
#include "daemon/renewal.h"
#include "daemon/room.h"
#include "daemon/sockstat.h"
#include "daemon/system_events.h"
#include "daemon/tls.h"
#include "daemon/ws.h"
#include "daemon/ws_deflate.h"
#include "daemon/ws_protocol.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TICK_US = 250000,
    RX_PIECE = 1024,    /* receive buffer of a WebSocket; larger costs memory per connection */
    TX_PIECE = 1 << 20, /* most that lws hands to the kernel in one call */
    HEAD_MAX = 8192,    /* bytes of all headers of a request */
    CLOSE_GRACE_US = 5000000,
    LOOP_END_ROUNDS = 1000,
    GATHER_SUBS = 64,  /* a fan-out to as many is worth a look for more to send along */
    GATHER_ROUNDS = 8, /* most looks */
};

static void reactor_wake(void *arg)
{
    lws_cancel_service(((reactor *)arg)->ctx);
}

void reactor_post(reactor *r, reactor_msg *m)
{
    m->tag = REACTOR_TAG;
    mailbox_post(&r->box, &m->link);
}

/* ---- one batch of work -------------------------------------------------------------------------
 */

void reactor_want_flush(reactor *r, conn *c)
{
    if (list_empty(&c->dirty_link))
        list_append(&r->dirty, &c->dirty_link);
}

static int flush_conn(conn *c)
{
    if (c->state == CONN_DEAD)
        return 0;
    if (c->ws)
        return ws_flush(c) ? 0 : -1;
    return http_flush(c);
}

static void flush_conns(reactor *r)
{
    for (list *it; (it = list_pop(&r->dirty)) != NULL;) {
        conn *c = list_entry(it, conn, dirty_link);
        if (flush_conn(c) != 0)
            conn_kill(c);
    }
}

static void take_mail(reactor *r)
{
    list mail;
    list_init(&mail);
    mailbox_take(&r->box, &mail);
    for (list *it; (it = list_pop(&mail)) != NULL;) {
        reactor_msg *m = list_entry(it, reactor_msg, link);
        if (m->tag == FEED_TAG)
            hub_on_feed(r, list_entry(it, feed_msg, link));
        else
            m->handle(r, m);
    }
}

/* ---- accepting ---------------------------------------------------------------------------------
 */

void reactor_adopt(reactor *r, int fd, const peer *from, const admission *a)
{
    int one = 1;
    unix_peer local = unix_peer_of(fd);
    struct lws *wsi;
    if (local.known) {
        lws_sock_file_fd_type s = {.sockfd = fd}; /* without LWS_ADOPT_ALLOW_SSL: no TLS */
        wsi =
            lws_adopt_descriptor_vhost(r->vhost, LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP, s, NULL, NULL);
    } else {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        wsi = lws_adopt_socket_vhost(r->vhost, fd);
    }
    if (!wsi) { /* lws has closed it */
        admission_undo(r->d, a);
        return;
    }
    conn *c = conn_new(r, wsi, fd);
    c->from = *from;
    c->local = local;
    c->account = a->account;
    c->refusal = a->refusal;
    if (atomic_fetch_add(&r->d->connections, 1) >= daemon_config(r->d)->max_connections &&
        !c->refusal)
        c->refusal = REFUSED_FULL;
    lws_set_opaque_user_data(wsi, c);
}

/* ---- time --------------------------------------------------------------------------------------
 */

/* Whether the handshake of TLS is under way. */
static bool shaking_hands(const conn *c)
{
    SSL *ssl = lws_is_ssl(c->wsi) ? lws_get_ssl(c->wsi) : NULL;
    return ssl && !SSL_is_init_finished(ssl);
}

/* What the limits say about one connection; the reason to end it, or NULL. */
static const char *overdue(conn *c, const config *cfg, int64_t now)
{
    bool waiting = c->blocked || c->out.bytes;
    if (waiting && now - c->wrote_us > cfg->stall_timeout * 1000)
        return "took nothing of its answer for too long";
    if (c->state == CONN_CLOSING && now - c->closing_since_us > CLOSE_GRACE_US)
        return "did not close in time";
    if (c->state != CONN_HTTP || waiting)
        return NULL;
    if (!c->req) {
        int64_t idle = now - c->last_activity_us;
        if (c->taken < 0 && idle > cfg->handshake_timeout * 1000 && shaking_hands(c))
            return "did not end the handshake of TLS in time";
        if (c->taken < 0 && idle > cfg->request_timeout * 1000)
            return "did not send the head of a request in time";
        if (idle > cfg->stall_timeout * 1000 && sockstat_unsent(c->fd) > 0)
            return "left its last answers unread";
        return idle > cfg->idle_timeout * 1000 ? "was idle" : NULL;
    }
    if (!c->req->complete && !c->rx_paused &&
        now - c->last_activity_us > cfg->request_timeout * 1000)
        return "did not send the rest of its request in time";
    return NULL;
}

/* The last one to become empty wakes the others. */
static void become_empty(reactor *r)
{
    server *d = r->d;
    r->empty = true;
    if (atomic_fetch_sub(&d->reactors_in_use, 1) > 1)
        return;
    for (int i = 0; i < d->n_reactors; i++)
        reactor_wake(d->reactors[i]);
}

static bool leave_when_stopped(reactor *r, int64_t now)
{
    if (now > r->stop_deadline_us) {
        list_each_safe(it, &r->conns) conn_kill(list_entry(it, conn, link));
    }
    if (!r->empty && list_empty(&r->conns))
        become_empty(r);
    return r->empty && atomic_load(&r->d->reactors_in_use) == 0;
}

static void tell_progress(conn *c, int64_t now)
{
    list_each(it, &c->runs) query_still_runs(list_entry(it, run, conn_link), now);
}

static void tick(lws_sorted_usec_list_t *sul)
{
    reactor *r = list_entry(sul, reactor, tick);
    const config *cfg = daemon_config(r->d);
    int64_t now = clock_mono_us(), wall = clock_wall_us();
    uint64_t generation = auth_generation(r->d->auth);
    list_each_safe(it, &r->conns)
    {
        conn *c = list_entry(it, conn, link);
        if (c->state == CONN_DEAD)
            continue;
        const char *why = overdue(c, cfg, now);
        if (why) {
            log_debug("connection_cut", "connection %llu %s", (unsigned long long)c->serial, why);
            conn_kill(c);
            continue;
        }
        tell_progress(c, now);
        renewal_look(c, generation, wall);
        if (c->state == CONN_WS)
            ws_tick(c, now);
    }
    door_tick(r, now);
    /* What a kick did not move may go on by now: see serve_batch. */
    r->kicked_at = r->callbacks - 1;
    lws_sul_schedule(r->ctx, 0, &r->tick, tick, TICK_US);
}

/* ---- stopping ----------------------------------------------------------------------------------
 */

static void begin_stop(reactor *r)
{
    r->stopping = true;
    r->stop_deadline_us = clock_mono_us() + daemon_config(r->d)->shutdown_timeout * 1000;
    if (r->listener_wsi)
        lws_set_timeout(r->listener_wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    if (r->unix_wsi)
        lws_set_timeout(r->unix_wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    door_clear(r);
    list_each_safe(it, &r->conns)
    {
        conn *c = list_entry(it, conn, link);
        if (c->state == CONN_WS)
            conn_end(c, r->d->close_code,
                     r->d->close_code == 1012 ? "the daemon restarts" : "the daemon stops");
        else if (c->state == CONN_HTTP && !c->req)
            conn_kill(c);
    }
}

/* ---- lws ---------------------------------------------------------------------------------------
 */

/* An offer to go on in HTTP/2 (curl's --http2, Java's HttpClient) is ignored, as a server may (RFC
 * 9110, 7.8): lws compares this very text with the names it knows once more, and goes on with the
 * request as it is when it finds none. */
static bool ignore_h2c(char *upgrade)
{
    if (strcasecmp(upgrade, "h2c") != 0)
        return false;
    upgrade[0] = '-';
    return true;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    reactor *r = lws_context_user(lws_get_context(wsi));
    conn *c = lws_get_opaque_user_data(wsi);
    switch (reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        take_mail(r);
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        return tls_finish(r, user);
    case LWS_CALLBACK_WSI_DESTROY:
        if (c) {
            lws_set_opaque_user_data(wsi, NULL);
            conn_gone(c);
        }
        return 0;
    default:
        break;
    }
    if (!c)
        return 0;
    r->callbacks++;
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return http_on_request(c);
    case LWS_CALLBACK_HTTP_BODY:
        return http_on_body(c, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return http_on_body_end(c);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return http_on_writable(c);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return ignore_h2c(in) ? 0 : http_on_upgrade(c);
    case LWS_CALLBACK_CONFIRM_EXTENSION_OKAY:
        return ws_deflate_accept(c) ? 0 : 1;
    case LWS_CALLBACK_ESTABLISHED:
        ws_opened(c);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return ws_on_receive(c, in, len);
    case LWS_CALLBACK_RECEIVE_PONG:
        return ws_on_pong(c);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return ws_on_peer_close(c, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return ws_on_writable(c);
    default:
        return 0;
    }
}

static int on_file(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    (void)user;
    (void)in;
    (void)len;
    reactor *r = lws_context_user(lws_get_context(wsi));
    if (reason != LWS_CALLBACK_RAW_RX_FILE)
        return 0;
    if (wsi == r->room_wsi)
        room_found(r);
    else if (wsi == r->door_wsi)
        door_step(r);
    else
        door_accept(r, wsi == r->unix_wsi ? r->unix_fd : r->listen_fd);
    return 0;
}

/* lws's table: every subprotocol (the first is the default), and the listening socket. */
static void list_protocols(struct lws_protocols to[MAX_PROTOCOLS])
{
    int n = 0;
    for (; n < MAX_PROTOCOLS - 2 && ws_protocols[n]; n++) {
        to[n] = (struct lws_protocols){
            .name = ws_protocols[n]->name,
            .callback = on_event,
            .rx_buffer_size = RX_PIECE,
            .tx_packet_size = TX_PIECE,
        };
    }
    to[n] = (struct lws_protocols){.name = FILES, .callback = on_file};
    to[n + 1] = (struct lws_protocols){0};
}

static void lws_log(int level, const char *line)
{
    char text[400];
    snprintf(text, sizeof text, "%s", line);
    text[strcspn(text, "\n")] = '\0';
    if (level & LLL_ERR)
        log_debug("libwebsockets", "%s", text);
}

/* True where there is none. */
static bool adopt_listener(reactor *r, int listen_fd, struct lws **wsi, error *e)
{
    lws_sock_file_fd_type fd = {.filefd = listen_fd};
    if (listen_fd < 0)
        return true;
    *wsi = lws_adopt_descriptor_vhost(r->vhost, LWS_ADOPT_RAW_FILE_DESC, fd, FILES, NULL);
    return *wsi ||
           error_set(e, ERR_INTERNAL_ERROR, "libwebsockets did not take the listening socket");
}

static bool make_context(reactor *r, error *e)
{
    /* All zero: no validity timer per connection (its list is sorted, so opening many is
     * quadratic). */
    static const lws_retry_bo_t no_retry;
    const config *cfg = daemon_config(r->d);
    struct lws_context_creation_info info = {0};
    lws_set_log_level(LLL_ERR, lws_log);
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    list_protocols(r->protocols);
    info.protocols = r->protocols;
    info.extensions = ws_extensions;
    info.user = r;
    info.vhost_name = "rustydb";
    info.retry_and_idle_policy = &no_retry;
    info.timeout_secs = (unsigned)((cfg->request_timeout + 999) / 1000);
    info.max_http_header_data = HEAD_MAX;
    info.pt_serv_buf_size = 65536;
    /* No fd_limit_per_thread: below the soft limit of descriptors, it makes libwebsockets find
     * connections by linear search, so that opening many is quadratic. */
    info.options = LWS_SERVER_OPTION_DISABLE_IPV6;
    if (!tls_prepare(&info, r))
        return error_set(e, ERR_INTERNAL_ERROR, "OpenSSL could not be set up");
    void *loops[1] = {r->loop};
    if (r->loop) {
        info.options |= LWS_SERVER_OPTION_LIBUV;
        info.foreign_loops = loops;
    }
    r->ctx = lws_create_context(&info);
    if (!r->ctx)
        return error_set(e, ERR_INTERNAL_ERROR, "libwebsockets could not be set up%s",
                         r->loop ? " with its libuv event loop" : "");
    r->vhost = lws_get_vhost_by_name(r->ctx, "rustydb");
    if (!adopt_listener(r, r->listen_fd, &r->listener_wsi, e) ||
        !adopt_listener(r, r->unix_fd, &r->unix_wsi, e))
        return false;
    return room_open(r, e) && door_open(r, e);
}

/* Waits for events and handles one batch of them. */
static bool serve_batch(reactor *r)
{
    if (!r->loop)
        return lws_service(r->ctx, 0) >= 0;
    uv_run(r->loop, UV_RUN_ONCE);
    /* What lws has buffered (messages behind a pause, a pipelined request) it serves once
     * behind a socket event, and under libuv not again by itself: make another event. Only as long
     * as that gets somewhere, and four times a second else: a connection that is being closed keeps
     * its buffer to the end. */
    if (r->callbacks != r->kicked_at && !lws_service_adjust_timeout(r->ctx, 1, 0)) {
        r->kicked_at = r->callbacks;
        lws_cancel_service(r->ctx);
    }
    return true;
}

/* Handles what has come in by now, without waiting. */
static bool serve_now(reactor *r)
{
    if (!r->loop)
        return lws_service(r->ctx, -1) >= 0;
    uv_run(r->loop, UV_RUN_NOWAIT);
    return true;
}

/* Writes all that waits. Nearly all of a fan-out's cost is its send calls, one per subscriber, and
 * events tend to come in bursts: so before a large one, what has come in meanwhile is taken along
 * in the same calls. */
static bool flush(reactor *r)
{
    flush_conns(r);
    for (int i = 0; i < GATHER_ROUNDS && hub_waiting(r) >= GATHER_SUBS; i++) {
        uint64_t before = r->appended;
        if (!serve_now(r))
            return false;
        flush_conns(r);
        if (r->appended == before)
            break;
    }
    hub_flush(r);
    return true;
}

static void *reactor_main(void *arg)
{
    reactor *r = arg;
    lws_sul_schedule(r->ctx, 0, &r->tick, tick, TICK_US);
    while (serve_batch(r)) {
        if (atomic_load(&r->stop_wanted) && !r->stopping) {
            take_mail(r); /* what was said last goes out before the close */
            if (!flush(r))
                break;
            begin_stop(r);
        }
        if (!flush(r))
            break;
        if (r->stopping && leave_when_stopped(r, clock_mono_us()))
            break;
    }
    if (!r->empty)
        become_empty(r);
    return NULL;
}

static bool make_loop(reactor *r, error *e)
{
    if (strcmp(daemon_config(r->d)->event_loop, "poll") == 0)
        return true;
    r->loop = xalloc(sizeof *r->loop);
    if (uv_loop_init(r->loop) == 0)
        return true;
    mem_free(r->loop);
    r->loop = NULL;
    return error_set(e, ERR_INTERNAL_ERROR, "libuv could not be set up");
}

bool reactor_open(reactor *r, server *d, int index, int listen_fd, int unix_fd, error *e)
{
    r->d = d;
    r->index = index;
    r->listen_fd = listen_fd;
    r->unix_fd = unix_fd;
    list_init(&r->conns);
    list_init(&r->dirty);
    list_init(&r->dirty_streams);
    hub_init(r);
    mailbox_init(&r->box, reactor_wake, r);
    if (!make_loop(r, e) || !make_context(r, e))
        return false;
    r->listener = feed_add_listener(d->feed, &r->box);
    if (r->listener < 0)
        return error_set(e, ERR_INTERNAL_ERROR, "the feed has too many listeners");
    queries_add_listener(d->live, r->listener, &r->box);
    replication_add_listener(d->replication, r->listener, &r->box);
    return true;
}

bool reactor_run(reactor *r, error *e)
{
    if (pthread_create(&r->thread, NULL, reactor_main, r) != 0)
        return error_set(e, ERR_INTERNAL_ERROR, "cannot start a reactor thread");
    pthread_setname_np(r->thread, "reactor");
    r->running = true;
    atomic_fetch_add(&r->d->reactors_in_use, 1);
    return true;
}

void reactor_stop(reactor *r)
{
    if (!r->running)
        return;
    atomic_store(&r->stop_wanted, true);
    lws_cancel_service(r->ctx);
}

void reactor_wait(reactor *r)
{
    if (r->running)
        pthread_join(r->thread, NULL);
}

/* On a loop of ours, lws only begins to take itself down; the loop must run for its handles to
 * close, and (before 4.2) a second call frees the rest. */
static void destroy_context(reactor *r)
{
    lws_context_destroy(r->ctx);
    if (!r->loop)
        return;
    for (int i = 0; i < LOOP_END_ROUNDS && uv_run(r->loop, UV_RUN_NOWAIT); i++)
        ;
#if LWS_LIBRARY_VERSION_NUMBER < 4002000
    lws_context_destroy(r->ctx);
#endif
    uv_loop_close(r->loop);
    mem_free(r->loop);
}

void reactor_free(reactor *r)
{
    take_mail(r);
    destroy_context(r);
    tls_release(r);
    hub_destroy(r);
    map_free(&r->agents);
    documents_free(r->documents);
    conn_table_free(&r->sockets);
    mailbox_destroy(&r->box);
    mem_free(r);
}
