#include "cli/ws_client.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/interrupt.h"
#include "cli/problem.h"
#include "cli/tls.h"

enum {
    CONNECT_TIMEOUT_S = 10,
    TICK_US = 200000,
    CLOSE_WAIT_US = 500000, /* for the peer's answer to our close */
    PING_AFTER_S = 25,      /* of silence; a peer that says nothing for twice that is gone */
    RECEIVE_BYTES = 65536,  /* read at a time */
    MAX_MESSAGE = 256 << 20,
};

/* One connection goes through these in order. */
typedef enum ws_phase {
    WS_CONNECTING,
    WS_OPEN,
    WS_CLOSING, /* the handler wants no more; the close handshake is under way */
    WS_OVER,
} ws_phase;

struct ws_client {
    const endpoint *ep;
    struct lws_context *lws;
    struct lws *wsi; /* the present connection, NULL while there is none */
    ws_phase phase;
    bool was_open;
    bool handler_ended;
    const ws_handler *h;
    error *e;
    buf in;  /* the beginning of a message */
    buf out; /* LWS_PRE bytes, then the message to send; empty when none waits */
    lws_sorted_usec_list_t tick;
};

static struct lws_context *woken; /* by Ctrl-C */

static void wake_up(void)
{
    if (woken)
        lws_cancel_service(woken);
}

/* ---- what libwebsockets tells -----------------------------------------------------------------
 */

/* The handshake is done and nothing was said yet: the time to look at the peer's key. */
static int add_headers(const ws_client *w, struct lws *wsi, unsigned char **p, unsigned char *end)
{
    char value[4096];
    if (w->ep->tls_pin && !tls_shows_pin(lws_get_ssl(wsi), w->ep->tls_pin)) {
        error_set(w->e, ERR_CANNOT_CONNECT,
                  "%s is not trusted: it shows another key than the "
                  "daemon that runs there",
                  w->ep->shown);
        return -1;
    }
    if (!w->ep->token)
        return 0;
    int n = snprintf(value, sizeof value, "Bearer %s", w->ep->token);
    if (n >= (int)sizeof value)
        return -1;
    return lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_AUTHORIZATION, (unsigned char *)value,
                                        n, p, end);
}

static void refused(ws_client *w, struct lws *wsi, const char *why)
{
    int status = (int)lws_http_client_http_response(wsi);
    w->phase = WS_OVER;
    if (w->e->code != ERR_NONE)
        return;
    if (status >= 300) {
        problem_of_status(status, w->e);
        if (status == 401 || status == 403)
            error_set(w->e, status == 401 ? ERR_AUTH_FAILED : ERR_PERMISSION_DENIED,
                      "%s refuses the connection with status %d", w->ep->shown, status);
        if (status == 401)
            endpoint_hint_token(w->ep, w->e);
    } else {
        error_set(w->e, ERR_CANNOT_CONNECT, "cannot connect to %s: %s", w->ep->shown,
                  !why                           ? "no connection"
                  : strncmp(why, "HS: ", 4) == 0 ? "no WebSocket of rustydb there"
                                                 : why);
        endpoint_hint_address(w->ep, w->e);
    }
}

/* Has the connection closed, when the handler said so. */
static int end_if(ws_client *w, struct lws *wsi, bool good)
{
    if (good)
        return 0;
    w->phase = WS_CLOSING;
    lws_close_reason(wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
    return -1;
}

static int received(ws_client *w, struct lws *wsi, const char *p, size_t n)
{
    bool whole = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    bool good = true;
    if (w->phase != WS_OPEN)
        return 0;
    if (whole && w->in.len == 0) {
        good = w->h->message(w->h->arg, p, n);
    } else {
        buf_add(&w->in, p, n);
        if (w->in.failed) {
            error_set(w->e, ERR_MESSAGE_TOO_BIG, "a message of the daemon is too big");
            return -1;
        }
        if (whole) {
            good = w->h->message(w->h->arg, w->in.data, w->in.len);
            buf_clear(&w->in);
        }
    }
    w->handler_ended = !good;
    return end_if(w, wsi, good);
}

static int writable(ws_client *w, struct lws *wsi)
{
    if (w->out.len == 0)
        return 0;
    size_t n = w->out.len - LWS_PRE;
    int sent = lws_write(wsi, (unsigned char *)w->out.data + LWS_PRE, n, LWS_WRITE_TEXT);
    buf_clear(&w->out);
    return sent < (int)n ? -1 : 0;
}

static void peer_closes(ws_client *w, const unsigned char *p, size_t n)
{
    if (w->e->code == ERR_NONE && n >= 2)
        error_set(w->e, ERR_CANNOT_CONNECT, "%s closed the connection (%d%s%.*s)", w->ep->shown,
                  p[0] << 8 | p[1], n > 2 ? ": " : "", (int)(n - 2), (const char *)p + 2);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t n)
{
    (void)user;
    ws_client *w = lws_context_user(lws_get_context(wsi));
    if (!w || !w->h)
        return 0;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
        return add_headers(w, wsi, in, *(unsigned char **)in + n);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        refused(w, wsi, in);
        break;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        w->phase = WS_OPEN;
        w->was_open = true;
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return received(w, wsi, in, n);
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return w->phase == WS_CLOSING ? end_if(w, wsi, false) : writable(w, wsi);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        peer_closes(w, in, n);
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
        if (wsi == w->wsi || reason == LWS_CALLBACK_CLIENT_CLOSED) {
            w->phase = WS_OVER;
            w->wsi = NULL;
        }
        break;
    default:
        break;
    }
    return 0;
}

/* ---- running ----------------------------------------------------------------------------------
 */

static const struct lws_protocols protocols[] = {
    {.name = "rustydb.json.v1", .callback = callback, .rx_buffer_size = RECEIVE_BYTES},
    {0},
};

static const lws_retry_bo_t silence = {.secs_since_valid_ping = PING_AFTER_S,
                                       .secs_since_valid_hangup = 2 * PING_AFTER_S};

ws_client *ws_client_open(const endpoint *ep, error *e)
{
    lws_set_log_level(0, NULL);
    ws_client *w = xalloc(sizeof *w);
    w->ep = ep;
    w->in.limit = MAX_MESSAGE;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .user = w,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .connect_timeout_secs = CONNECT_TIMEOUT_S,
        .timeout_secs = CONNECT_TIMEOUT_S,
        .retry_and_idle_policy = &silence,
        /* An empty one keeps it from taking $http_proxy, which is not meant for this machine. */
        .http_proxy_address = ep->loopback ? "" : NULL,
    };
    if (ep->tls) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        if (ep->cacert)
            info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
        info.client_ssl_ca_filepath = ep->cacert;
        info.client_ssl_cert_filepath = ep->cert;
        info.client_ssl_private_key_filepath = ep->key;
    }
    w->lws = lws_create_context(&info);
    if (!w->lws) {
        mem_free(w);
        error_set(e, ERR_CLIENT_ERROR, "the WebSocket client cannot start");
        return NULL;
    }
    woken = w->lws;
    interrupt_notify(wake_up);
    return w;
}

void ws_client_close(ws_client *w)
{
    if (!w)
        return;
    interrupt_notify(NULL);
    woken = NULL;
    w->h = NULL;
    lws_context_destroy(w->lws);
    buf_free(&w->in);
    buf_free(&w->out);
    mem_free(w);
}

static void on_tick(lws_sorted_usec_list_t *sul)
{
    ws_client *w = lws_container_of(sul, ws_client, tick);
    if (w->h->tick && w->phase == WS_OPEN && !w->h->tick(w->h->arg)) {
        w->handler_ended = true;
        w->phase = WS_CLOSING;
    }
    lws_sul_schedule(w->lws, 0, &w->tick, on_tick, TICK_US);
}

static bool connect_to(ws_client *w)
{
    const endpoint *ep = w->ep;
    char host[300], address[300], path[600];
    snprintf(host, sizeof host, strchr(ep->host, ':') ? "[%s]:%d" : "%s:%d", ep->host, ep->port);
    snprintf(address, sizeof address, "%s%s", ep->unix_path ? "+" : "",
             ep->unix_path ? ep->unix_path : ep->host);
    snprintf(path, sizeof path, "%s/api/v1/ws", ep->path);
    int flags = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
    if (ep->tls)
        flags |= LCCSCF_USE_SSL;
    if (ep->tls && (ep->insecure || ep->tls_pin))
        flags |= LCCSCF_ALLOW_SELFSIGNED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK |
                 LCCSCF_ALLOW_EXPIRED | LCCSCF_ALLOW_INSECURE;
    struct lws_client_connect_info info = {.context = w->lws,
                                           .address = address,
                                           .port = ep->port,
                                           .path = path,
                                           .host = host,
                                           .ssl_connection = flags,
                                           .protocol = protocols[0].name,
                                           .local_protocol_name = protocols[0].name,
                                           .alpn = "http/1.1",
                                           .retry_and_idle_policy = &silence,
                                           .pwsi = &w->wsi};
    return lws_client_connect_via_info(&info) != NULL;
}

/* Lets the close handshake end, but not for long. */
static void wait_closed(ws_client *w)
{
    lws_usec_t until = lws_now_usecs() + CLOSE_WAIT_US;
    if (w->phase == WS_OPEN)
        w->phase = WS_CLOSING;
    if (w->wsi && w->phase == WS_CLOSING)
        lws_callback_on_writable(w->wsi);
    while (w->phase == WS_CLOSING && lws_now_usecs() < until && lws_service(w->lws, 0) >= 0) {
    }
    if (w->wsi && w->phase != WS_OVER)
        lws_set_timeout(w->wsi, 1, LWS_TO_KILL_SYNC);
}

bool ws_client_run(ws_client *w, const ws_handler *h, error *e)
{
    w->phase = WS_CONNECTING;
    w->was_open = w->handler_ended = false;
    w->h = h;
    w->e = e;
    buf_clear(&w->in);
    buf_clear(&w->out);
    error_clear(e);
    lws_sul_schedule(w->lws, 0, &w->tick, on_tick, TICK_US);
    if (!connect_to(w)) {
        w->phase = WS_OVER;
        if (e->code == ERR_NONE)
            error_set(e, ERR_CANNOT_CONNECT, "cannot connect to %s", w->ep->shown);
    }
    while (w->phase != WS_OVER && w->phase != WS_CLOSING && !interrupted()) {
        if (lws_service(w->lws, 0) < 0)
            break;
    }
    wait_closed(w);
    lws_sul_cancel(&w->tick);
    w->wsi = NULL;
    if (interrupted() && !w->handler_ended)
        return error_set(e, ERR_CANCELLED, "interrupted");
    if (w->handler_ended)
        return true;
    if (e->code == ERR_NONE)
        error_set(e, ERR_CANNOT_CONNECT, "the connection to %s was lost", w->ep->shown);
    return false;
}

bool ws_client_was_open(const ws_client *w)
{
    return w->was_open;
}

bool ws_client_send(ws_client *w, const char *p, size_t n)
{
    static const char room[LWS_PRE];
    if (w->out.len > 0 || !w->wsi)
        return false;
    buf_add(&w->out, room, LWS_PRE);
    buf_add(&w->out, p, n);
    if (w->out.failed) {
        buf_clear(&w->out);
        return false;
    }
    lws_callback_on_writable(w->wsi);
    return true;
}
