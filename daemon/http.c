#include "daemon/http.h"
#include "daemon/http_auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/audit.h"
#include "daemon/cors.h"
#include "daemon/guest.h"
#include "daemon/framing.h"
#include "daemon/idempotency.h"
#include "daemon/pages.h"
#include "daemon/problem.h"
#include "daemon/route.h"
#include "daemon/safe_headers.h"
#include "daemon/sockstat.h"
#include "daemon/system_events.h"
#include "daemon/tls.h"
#include "daemon/ws.h"
#include "daemon/ws_handshake.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A body that will not be used is still read, up to this much, so that the client reads the answer
 * instead of a reset connection. */
enum { DISCARD_MAX = 1048576, CHUNKED_MAX = 100 << 20 };

static const struct {
    enum lws_token_indexes token;
    http_method method;
} method_tokens[] = {
    {WSI_TOKEN_GET_URI, HTTP_GET},       {WSI_TOKEN_POST_URI, HTTP_POST},
    {WSI_TOKEN_HEAD_URI, HTTP_HEAD},     {WSI_TOKEN_OPTIONS_URI, HTTP_OPTIONS},
    {WSI_TOKEN_PUT_URI, HTTP_PUT},       {WSI_TOKEN_PATCH_URI, HTTP_PATCH},
    {WSI_TOKEN_DELETE_URI, HTTP_DELETE},
};

/* ---- reading the head --------------------------------------------------------------------------
 */

static void read_target(request *q, struct lws *wsi)
{
    for (size_t i = 0; i < sizeof method_tokens / sizeof *method_tokens; i++) {
        if (!lws_hdr_total_length(wsi, method_tokens[i].token))
            continue;
        q->method = method_tokens[i].method;
        if (lws_hdr_copy(wsi, q->path, sizeof q->path, method_tokens[i].token) < 0)
            q->path[0] = '\0';
        break;
    }
    if (q->method == HTTP_HEAD) {
        q->head_only = true;
        q->method = HTTP_GET;
    }
    size_t at = 0;
    int taken = 0;
    while (at < sizeof q->query - 2) {
        int n = lws_hdr_copy_fragment(wsi, q->query + at, (int)(sizeof q->query - 1 - at),
                                      WSI_TOKEN_HTTP_URI_ARGS, taken);
        if (n <= 0)
            break;
        at += (size_t)n + 1; /* pairs are separated by NUL; an empty one ends the list */
        taken++;
    }
    q->query_too_long = lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, taken) > 0;
}

/* Copies a header that we keep only if it is sane. */
static void read_header(struct lws *wsi, enum lws_token_indexes token, char *out, int room)
{
    if (lws_hdr_copy(wsi, out, room, token) < 0)
        out[0] = '\0';
}

static void read_request_id(request *q, struct lws *wsi)
{
    static const char name[] = "x-request-id:";
    static atomic_uint_fast64_t counter;
    char id[sizeof q->request_id];
    int n = lws_hdr_custom_length(wsi, name, sizeof name - 1);
    bool good = n > 0 && n < (int)sizeof id &&
                lws_hdr_custom_copy(wsi, id, sizeof id, name, sizeof name - 1) > 0;
    for (int i = 0; good && i < n; i++)
        good = isalnum((unsigned char)id[i]) || strchr("-_.:", id[i]);
    if (good)
        snprintf(q->request_id, sizeof q->request_id, "%s", id);
    else
        snprintf(q->request_id, sizeof q->request_id, "%llx-%llx",
                 (unsigned long long)q->c->r->d->started_wall_us,
                 (unsigned long long)atomic_fetch_add(&counter, 1));
}

const char *http_method_name(http_method m)
{
    switch (m) {
    case HTTP_GET:
        return "GET";
    case HTTP_HEAD:
        return "HEAD";
    case HTTP_POST:
        return "POST";
    case HTTP_PUT:
        return "PUT";
    case HTTP_PATCH:
        return "PATCH";
    case HTTP_DELETE:
        return "DELETE";
    case HTTP_OPTIONS:
        return "OPTIONS";
    }
    return "?";
}

char *http_copy_header(struct lws *wsi, enum lws_token_indexes token)
{
    int n = lws_hdr_total_length(wsi, token);
    char *text = n > 0 ? mem_alloc((size_t)n + 1) : NULL;
    if (text && lws_hdr_copy(wsi, text, n + 1, token) < 0)
        text[0] = '\0';
    return text;
}

/* `name` in lower case and with its colon. */
static char *copy_custom_header(struct lws *wsi, const char *name)
{
    int len = (int)strlen(name), n = lws_hdr_custom_length(wsi, name, len);
    char *text = n > 0 ? mem_alloc((size_t)n + 1) : NULL;
    if (text && lws_hdr_custom_copy(wsi, text, n + 1, name, len) < 0)
        text[0] = '\0';
    return text;
}

static void keep_headers(request *q, struct lws *wsi)
{
    q->headers[HEADER_IF_MATCH] = http_copy_header(wsi, WSI_TOKEN_HTTP_IF_MATCH);
    q->headers[HEADER_IF_NONE_MATCH] = http_copy_header(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH);
    q->headers[HEADER_PREFER] = copy_custom_header(wsi, "prefer:");
    q->headers[HEADER_IDEMPOTENCY_KEY] = copy_custom_header(wsi, "idempotency-key:");
}

const char *http_header(const request *q, http_header_name name)
{
    return q->headers[name];
}

/* The number of body bytes announced; -1: none announced, -2: nonsense. */
static int64_t read_content_length(struct lws *wsi)
{
    char text[24];
    if (!lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH))
        return -1;
    int n = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    if (n <= 0 || n > 18 || strspn(text, "0123456789") != (size_t)n)
        return -2;
    return strtoll(text, NULL, 10);
}

/* Whether an Accept-Encoding header allows gzip: named, and not with a weight of zero (RFC 9110,
 * 12.5.3). */
static bool accepts_gzip(char *header)
{
    for (char *item; (item = strsep(&header, ",")) != NULL;) {
        item += strspn(item, " \t");
        size_t name = strcspn(item, "; \t");
        if (!(name == 4 && strncasecmp(item, "gzip", 4) == 0) && !(name == 1 && *item == '*'))
            continue;
        const char *weight = strcasestr(item + name, "q=");
        return !weight || strtod(weight + 2, NULL) > 0;
    }
    return false;
}

static void read_head(request *q, struct lws *wsi)
{
    char connection[64] = "", version[16] = "", encoding[256] = "";
    read_target(q, wsi);
    read_request_id(q, wsi);
    read_header(wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, q->content_type, sizeof q->content_type);
    read_header(wsi, WSI_TOKEN_HTTP_ACCEPT, q->accept, sizeof q->accept);
    read_header(wsi, WSI_TOKEN_CONNECTION, connection, sizeof connection);
    read_header(wsi, WSI_TOKEN_HTTP, version, sizeof version);
    read_header(wsi, WSI_TOKEN_HTTP_ACCEPT_ENCODING, encoding, sizeof encoding);
    read_header(wsi, WSI_TOKEN_ORIGIN, q->origin, sizeof q->origin);
    q->accepts_gzip = accepts_gzip(encoding);
    q->takes_gzip = q->accepts_gzip && daemon_config(q->c->r->d)->gzip_min > 0;
    q->http10 = strcmp(version, "HTTP/1.0") == 0;
    /* lws takes an escaped line break (%0A, %0D) for the end of the line, and what follows it for
     * headers: neither the rest of the target is known then, nor the version behind it. */
    q->target_cut = strncmp(version, "HTTP/1.", 7) != 0;
    q->keep_alive = q->http10 ? strcasecmp(connection, "keep-alive") == 0
                              : strcasestr(connection, "close") == NULL;
    /* Whether bytes were pipelined (see begin) the kernel does not tell of a Unix socket, so each
     * request has a connection of its own there. */
    q->keep_alive = q->keep_alive && !q->c->local.known;
    q->chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    q->content_length = read_content_length(wsi);
    keep_headers(q, wsi);
    guest_identify(q);
}

static bool whole_target(request *q, error *e)
{
    if (!q->target_cut)
        return true;
    q->keep_alive = false;
    error_set(e, ERR_INVALID_MESSAGE, "there is a line break (%%0A or %%0D) in the path or query");
    return error_hint(e, "A value with a line break goes into a body, or into SQL.");
}

/* Everything that can be said against a request from its head alone. */
static bool check_head(request *q, char *allow, size_t room, error *e)
{
    struct lws *wsi = q->c->wsi;
    char encoding[64] = "";
    if (!whole_target(q, e))
        return false;
    if (!q->path[0])
        return error_set(e, ERR_INVALID_MESSAGE, "the path is longer than %d bytes",
                         PATH_MAX_LEN - 1);
    if (q->query_too_long)
        return error_set(e, ERR_INVALID_MESSAGE, "the query string is longer than %d bytes",
                         QUERY_MAX_LEN - 2);
    if (http_framing_hidden(wsi)) {
        q->keep_alive = false;
        return error_set(e, ERR_INVALID_MESSAGE, "there is a space before the colon of a header");
    }
    if (q->chunked) {
        read_header(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING, encoding, sizeof encoding);
        q->keep_alive = false;
        if (q->content_length != -1)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "Transfer-Encoding together with Content-Length is not allowed");
        if (strcasecmp(encoding, "chunked") != 0 || q->http10)
            return error_set(e, ERR_INVALID_MESSAGE, "the transfer encoding '%s' is not known",
                             encoding);
    }
    if (q->content_length == -2)
        return error_set(e, ERR_INVALID_MESSAGE, "Content-Length is not a number");
    bool found = route_find(q, allow, room, e);
    error denied;
    if (!found) { /* strangers do not learn which paths there are */
        if (!http_authenticate(q, &denied)) {
            *e = denied;
            allow[0] = '\0';
        }
        return false;
    }
    bool takes_body = q->method & (HTTP_POST | HTTP_PUT | HTTP_PATCH);
    if (!takes_body && (q->chunked || q->content_length > 0))
        return error_set(e, ERR_INVALID_MESSAGE, "this method takes no body");
    int phase = atomic_load(&q->c->r->d->phase);
    if (phase == PHASE_STOPPING && !(q->route->flags & ROUTE_STARTING))
        return error_set(e, ERR_SHUTTING_DOWN, "the daemon is stopping");
    if (!(q->route->flags & ROUTE_OPEN) &&
        (!http_authenticate(q, e) || !guest_charge(q, e) || !http_authorize(q, e)))
        return false;
    if (!audit_admits(q, e))
        return false;
    if (q->content_length > q->max_body && !(q->route->flags & ROUTE_STREAM))
        return error_set(e, ERR_MESSAGE_TOO_BIG, "the body has %lld bytes; the limit is %lld",
                         (long long)q->content_length, (long long)q->max_body);
    if (q->route->flags & ROUTE_STREAM && http_header(q, HEADER_IDEMPOTENCY_KEY))
        return error_set(e, ERR_INVALID_MESSAGE, "this operation takes no Idempotency-Key");
    if (q->route->flags & ROUTE_AGENT)
        q->headers[HEADER_USER_AGENT] = http_copy_header(wsi, WSI_TOKEN_HTTP_USER_AGENT);
    return route_check_head(q, e);
}

static bool expects_body(const request *q)
{
    return q->chunked || q->content_length > 0;
}

/* curl and others wait for this before they send a large body (RFC 9110, 10.1.1). */
static bool send_continue(request *q)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!lws_hdr_total_length(q->c->wsi, WSI_TOKEN_HTTP_EXPECT))
        return true;
    return conn_write(q->c, text, sizeof text - 1);
}

static request *new_request(conn *c)
{
    request *q = xalloc(sizeof *q);
    q->c = c;
    q->started_us = clock_mono_us();
    q->content_length = -1;
    q->max_body = daemon_config(c->r->d)->max_body;
    c->req = q;
    return q;
}

static bool discard_body(request *q, const char *p, size_t n, bool last)
{
    (void)p;
    (void)n;
    (void)last;
    return q->received <= DISCARD_MAX;
}

void http_discard_rest(request *q)
{
    q->keep_alive = false;
    q->received = 0;
    q->read_body = discard_body;
    conn_resume(q->c);
}

/* Answers a request whose head is already wrong. Its body, if it is not large, is read first. */
static void refuse(request *q, const error *e, const char *allow)
{
    buf text = BUF_INIT;
    json_writer w;
    char headers[160] = "";
    jw_init(&w, &text);
    problem_write(&w, e, NULL);
    if (allow[0])
        snprintf(headers, sizeof headers, "Allow: %s\r\n", allow);
    else if (e->code == ERR_AUTH_REQUIRED || e->code == ERR_AUTH_FAILED)
        snprintf(headers, sizeof headers, "WWW-Authenticate: Bearer realm=\"rustydb\"\r\n");
    else if (e->code == ERR_UPGRADE_REQUIRED)
        snprintf(headers, sizeof headers,
                 "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    q->keep_alive = q->keep_alive && !expects_body(q);
    audit_refused(q, e);
    http_reply_with(q, error_describe(e->code)->http_status, "application/problem+json", headers,
                    text.data, text.len);
    buf_free(&text);
    STAT_ADD(q->c->r->stats.errors, 1);
}

/* The options of a path are answered without credentials: browsers ask so before a request. */
static void answer_options(request *q)
{
    char allow[80];
    buf headers = BUF_INIT;
    error e;
    q->method = 0;
    route_find(q, allow, sizeof allow, &e);
    if (e.code != ERR_METHOD_NOT_ALLOWED) {
        http_reply_error(q, &e);
        return;
    }
    buf_addf(&headers, "Allow: %s\r\n", allow);
    cors_put_preflight(&headers, q, allow);
    http_reply_with(q, 204, NULL, buf_cstr(&headers), NULL, 0);
    buf_free(&headers);
}

static void handle(request *q)
{
    error e;
    if (!route_read_body(q, &e))
        http_reply_error(q, &e);
    else if (idempotency_admit(q))
        q->route->handle(q);
}

/* Answers it, or sees to its body. False: close the connection. */
static bool begin(request *q)
{
    conn *c = q->c;
    char allow[80] = "";
    error e;
    /* Nothing was read since the last answer, so this head was pipelined and lws has it in a buffer
     * of its own; it would take the same bytes for the body (docs/decisions/0001). Clients repeat
     * what was pipelined on a connection that closes (RFC 9112, 9.3.2). And what came behind a body
     * may be a part of it, to a proxy that read another length: it is nobody's request. */
    if ((expects_body(q) || c->had_body) && c->taken >= 0 && sockstat_taken(c->fd) == c->taken)
        return false;
    bool welcome = guest_check(q, &e);
    if (welcome && q->method == HTTP_OPTIONS && !expects_body(q)) {
        answer_options(q);
        return true;
    }
    /* Without Content-Length or chunks there is no body, but lws expects one from POST. */
    if (q->method & (HTTP_POST | HTTP_PUT | HTTP_PATCH) && !expects_body(q) &&
        q->content_length != 0)
        q->keep_alive = false;
    if (welcome && !q->target_cut && pages_answer(q))
        return true;
    if (!welcome || !check_head(q, allow, sizeof allow, &e)) {
        if (expects_body(q) && q->content_length <= DISCARD_MAX)
            q->read_body = discard_body;
        refuse(q, &e, allow);
        return true;
    }
    if (expects_body(q) && !send_continue(q))
        return false;
    if (q->route->flags & ROUTE_STREAM) {
        q->complete = !expects_body(q);
        q->route->handle(q);
    } else if (!expects_body(q)) {
        q->complete = true;
        handle(q);
    }
    return true;
}

int http_on_request(conn *c)
{
    if (c->state != CONN_HTTP || c->req)
        return -1;
    request *q = new_request(c);
    read_head(q, c->wsi);
    c->last_activity_us = q->started_us;
    STAT_ADD(c->r->stats.requests, 1);
    if (!begin(q))
        return -1;
    /* A request without a body is not read beyond until it is answered. lws 4.1 leaves alone
     * what comes meanwhile, and the loop never rests; 4.3 takes it for an error and hangs up. */
    if (c->req == q && !expects_body(q)) {
        conn_pause(c);
        conn_unlimit(c); /* of a body that may come */
    }
    return 0;
}

/* ---- the body ----------------------------------------------------------------------------------
 */

static bool take_body(request *q, const char *p, size_t n)
{
    error e;
    q->received += (int64_t)n;
    if (q->read_body)
        return q->read_body(q, p, n, false);
    if (q->answered)
        return true;
    if (q->received > q->max_body) {
        error_set(&e, ERR_MESSAGE_TOO_BIG, "the body is larger than the limit of %lld bytes",
                  (long long)q->max_body);
        q->keep_alive = false;
        http_reply_error(q, &e);
        return true;
    }
    if (!q->body.cap && q->content_length > 0)
        buf_reserve(&q->body, (size_t)q->content_length);
    buf_add(&q->body, p, n);
    return !q->body.failed;
}

/* lws does not know where a chunked body ends, nor any that more came behind, and would cut off who
 * does not send on. It sets that limit after the callback, so it is lifted by http_flush. */
static void expect_no_more(request *q)
{
    q->lift_limit = true;
    reactor_want_flush(q->c->r, q->c);
}

static int body_complete(request *q)
{
    if (q->complete)
        return 0;
    q->complete = true;
    expect_no_more(q);
    if (q->read_body)
        q->read_body(q, NULL, 0, true);
    else if (!q->answered)
        handle(q);
    return 0;
}

/* A chunked body may be as long as lws 4.1 reads where no length was given. */
static int refuse_chunked(request *q)
{
    error e;
    if (q->answered)
        return -1;
    error_set(&e, ERR_MESSAGE_TOO_BIG, "a chunked body may have up to 100 MB");
    error_hint(&e, "Send it with Content-Length.");
    http_reply_error(q, &e);
    return 0;
}

static int take_chunked(request *q, const char *p, size_t n)
{
    error e;
    if (q->came > CHUNKED_MAX)
        return refuse_chunked(q);
    while (n && !q->complete) {
        const char *data;
        size_t len, used = chunked_feed(&q->decoder, p, n, &data, &len);
        if (len && !take_body(q, data, len))
            return -1;
        p += used;
        n -= used;
        if (q->decoder.state == CHUNKED_BAD) {
            if (q->answered)
                return -1;
            error_set(&e, ERR_INVALID_MESSAGE, "the chunked body is malformed");
            http_reply_error(q, &e);
            return 0;
        }
        if (q->decoder.state == CHUNKED_DONE)
            return body_complete(q);
    }
    return 0;
}

/* lws 4.3 hands over what came behind a body, too. It cannot be given back, so the connection
 * ends with this answer (docs/decisions/0001). */
static void lose(request *q, size_t n)
{
    q->keep_alive = false;
    q->behind += (int64_t)n;
    expect_no_more(q);
    if (q->behind > DISCARD_MAX)
        conn_pause(q->c);
}

int http_on_body(conn *c, const char *p, size_t n)
{
    request *q = c->req;
    c->last_activity_us = clock_mono_us();
    STAT_ADD(c->r->stats.bytes_in, n);
    c->bytes_in += n;
    if (!q)
        return -1;
    if (!n)
        return 0;
    if (q->complete) {
        lose(q, n);
        return 0;
    }
    q->came += (int64_t)n;
    if (q->chunked)
        return take_chunked(q, p, n);
    int64_t beyond = q->content_length < 0 ? 0 : q->came - q->content_length;
    if (beyond <= 0)
        return take_body(q, p, n) ? 0 : -1;
    lose(q, (size_t)beyond); /* and lws will not tell the body's end */
    return take_body(q, p, n - (size_t)beyond) ? body_complete(q) : -1;
}

int http_on_body_end(conn *c)
{
    request *q = c->req;
    if (!q)
        return -1;
    if (q->complete) {
        /* More arrived while the answer is prepared: leave it in the socket until then. */
        conn_pause(c);
        return 0;
    }
    return q->chunked ? refuse_chunked(q) : body_complete(q);
}

/* ---- answering ---------------------------------------------------------------------------------
 */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {302, "Found"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {499, "Cancelled"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "Status";
}

/* The Date header changes once a second. */
static const char *http_date(void)
{
    static _Thread_local time_t made;
    static _Thread_local char text[40];
    time_t now = time(NULL);
    if (now != made) {
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        made = now;
    }
    return text;
}

/* length -1: chunked (or, for HTTP/1.0, up to the end of the connection). */
static void put_head(request *q, buf *out, int status, const char *type, const char *headers,
                     int64_t length)
{
    buf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, reason_of(status), http_date());
    if (type)
        buf_addf(out, "Content-Type: %s\r\n", type);
    if (length >= 0) {
        if (status != 204 && status != 304)
            buf_addf(out, "Content-Length: %lld\r\n", (long long)length);
    } else if (!q->http10) {
        buf_adds(out, "Transfer-Encoding: chunked\r\n");
    } else {
        q->keep_alive = false;
    }
    audit_answered(q, status);
    buf_addf(out, "X-Request-Id: %s\r\n%s", q->request_id, headers ? headers : "");
    safe_headers_put(out, headers);
    guest_put(out, q);
    cors_put(out, q);
    tls_put_headers(out, q->c);
    if (q->c->r->stopping)
        q->keep_alive = false;
    if (!q->keep_alive)
        buf_adds(out, "Connection: close\r\n");
    else if (q->http10)
        buf_adds(out, "Connection: keep-alive\r\n");
    buf_adds(out, "\r\n");
}

static void queue_buf(request *q, buf *b, run *r)
{
    refbuf *data = b->failed ? NULL : refbuf_new(b->data, b->len);
    buf_free(b);
    if (data)
        conn_queue(q->c, data, r, 0);
    else
        conn_kill(q->c); /* no memory for the answer */
}

void http_reply_with(request *q, int status, const char *type, const char *headers,
                     const char *body, size_t n)
{
    buf out = BUF_INIT;
    idempotency_answered(q, status, type, headers, body, n);
    put_head(q, &out, status, type, headers, (int64_t)n);
    if (!q->head_only)
        buf_add(&out, body, n);
    q->answered = q->finished = true;
    queue_buf(q, &out, NULL);
    log_debug("request", "%s %s %d %lld us", q->request_id, q->path, status,
              (long long)(clock_mono_us() - q->started_us));
}

void http_reply(request *q, int status, const char *json, size_t n)
{
    http_reply_with(q, status, "application/json", NULL, json, n);
}

void http_put_segment(buf *out, const char *name)
{
    for (; *name; name++) {
        if (isalnum((unsigned char)*name) || strchr("-._~", *name))
            buf_addc(out, *name);
        else
            buf_addf(out, "%%%02X", (unsigned char)*name);
    }
}

void http_reply_created(request *q, const char *place, const char *name, const char *json, size_t n)
{
    buf headers = BUF_INIT;
    buf_addf(&headers, "Location: %s", place);
    http_put_segment(&headers, name);
    buf_adds(&headers, "\r\n");
    http_reply_with(q, 201, "application/json", buf_cstr(&headers), json, n);
    buf_free(&headers);
}

void http_begin_json(json_writer *w, buf *out)
{
    *out = BUF_INIT;
    jw_init(w, out);
    jw_begin_object(w);
}

/* Ends the object; when memory ran out, the request is answered and the buf free. */
static bool end_object(request *q, json_writer *w)
{
    error e;
    jw_end_object(w);
    if (!w->out->failed)
        return true;
    error_set(&e, ERR_INTERNAL_ERROR, "there is no memory for the answer");
    http_reply_error(q, &e);
    buf_free(w->out);
    return false;
}

void http_end_json(request *q, int status, json_writer *w)
{
    if (!end_object(q, w))
        return;
    http_reply(q, status, w->out->data, w->out->len);
    buf_free(w->out);
}

void http_end_created(request *q, const char *place, const char *name, json_writer *w)
{
    if (!end_object(q, w))
        return;
    http_reply_created(q, place, name, w->out->data, w->out->len);
    buf_free(w->out);
}

static void reply_problem(request *q, const error *e, const problem_extra *x, const char *headers)
{
    buf text = BUF_INIT;
    json_writer w;
    jw_init(&w, &text);
    problem_write(&w, e, x);
    audit_refused(q, e);
    /* With no memory to say what is wrong, the status alone says it. */
    http_reply_with(q, error_describe(e->code)->http_status, "application/problem+json", headers,
                    text.data, text.failed ? 0 : text.len);
    buf_free(&text);
    STAT_ADD(q->c->r->stats.errors, 1);
}

void http_reply_problem(request *q, const error *e, const problem_extra *x)
{
    bool later = error_describe(e->code)->http_status == 503;
    reply_problem(q, e, x, later ? "Retry-After: 1\r\n" : NULL);
}

void http_reply_error(request *q, const error *e)
{
    http_reply_problem(q, e, NULL);
}

void http_reply_later(request *q, const error *e, int64_t seconds)
{
    char headers[50];
    snprintf(headers, sizeof headers, "Retry-After: %lld\r\n", (long long)seconds);
    reply_problem(q, e, NULL, headers);
}

void http_reply_not_allowed(request *q, const error *e, const char *allow)
{
    char headers[100];
    snprintf(headers, sizeof headers, "Allow: %s\r\n", allow);
    reply_problem(q, e, NULL, headers);
}

void http_reply_challenge(request *q, const error *e, const char *challenge)
{
    char headers[100];
    snprintf(headers, sizeof headers, "WWW-Authenticate: %s\r\n", challenge);
    reply_problem(q, e, NULL, headers);
}

/* ---- answers from runs -------------------------------------------------------------------------
 */

/* What goes with the head of an answer from a run. */
static void add_headers(const request *q, bool gzip, buf *out)
{
    if (gzip)
        buf_adds(out, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
    if (q->run_headers)
        buf_adds(out, q->run_headers);
}

static void http_stream(request *q, refbuf *data, run *r, bool gzip, const char *type)
{
    buf out = BUF_INIT, headers = BUF_INIT;
    if (!q->answered) {
        idempotency_forget(q); /* what is streamed only reads */
        add_headers(q, gzip, &headers);
        put_head(q, &out, 200, type, buf_cstr(&headers), -1);
        q->answered = true;
        out.failed = out.failed || headers.failed;
        buf_free(&headers);
    }
    if (!q->head_only) {
        if (!q->http10)
            buf_addf(&out, "%zx\r\n", data->len);
        buf_add(&out, data->data, data->len);
        if (!q->http10)
            buf_adds(&out, "\r\n");
    }
    size_t len = data->len;
    refbuf_unref(data);
    /* Credit is counted in the run's own bytes, so the framing travels apart from it. */
    if (out.failed) {
        run_credit(r, len);
        buf_free(&out);
        conn_kill(q->c);
        return;
    }
    refbuf *whole = refbuf_new(out.data, out.len);
    buf_free(&out);
    if (!whole) {
        run_credit(r, len);
        conn_kill(q->c);
        return;
    }
    atomic_fetch_add(&r->in_flight, whole->len - len);
    conn_queue(q->c, whole, r, 0);
}

static void http_stream_end(request *q, refbuf *last)
{
    buf out = BUF_INIT;
    if (last && last->len && !q->head_only) {
        if (!q->http10)
            buf_addf(&out, "%zx\r\n", last->len);
        buf_add(&out, last->data, last->len);
        if (!q->http10)
            buf_adds(&out, "\r\n");
    }
    if (!q->http10 && !q->head_only)
        buf_adds(&out, "0\r\n\r\n");
    q->finished = true;
    queue_buf(q, &out, NULL);
}

void http_put_piece(request *q, const char *type, const char *headers, const char *p, size_t n,
                    bool last)
{
    buf out = BUF_INIT;
    if (!q->answered) {
        idempotency_forget(q);
        put_head(q, &out, 200, type, headers, -1);
        q->answered = true;
    }
    if (!q->head_only && n) {
        if (!q->http10)
            buf_addf(&out, "%zx\r\n", n);
        buf_add(&out, p, n);
        if (!q->http10)
            buf_adds(&out, "\r\n");
    }
    if (last && !q->http10 && !q->head_only)
        buf_adds(&out, "0\r\n\r\n");
    q->finished = last;
    queue_buf(q, &out, NULL);
}

static const char *type_of(const run *r)
{
    if (r->encoder->type)
        return r->encoder->type;
    return r->encoder->lines ? "application/x-ndjson" : "application/json";
}

static void run_chunk(run *r, refbuf *data)
{
    http_stream(r->c->req, data, r, r->gzip, type_of(r));
}

static void run_done(run *r)
{
    request *q = r->c->req;
    if (r->streamed && r->failed && !r->encoder->late_error) {
        conn_kill(r->c);
    } else if (r->streamed) {
        http_stream_end(q, r->last);
    } else if (r->failed) {
        const problem_extra x = {.statement = r->err_index, .rows_kept = -1};
        http_reply_problem(q, &r->err, r->job.kind == JOB_ATOMIC ? &x : NULL);
    } else {
        buf headers = BUF_INIT;
        add_headers(q, r->last_gzip, &headers);
        http_reply_with(q, 200, type_of(r), buf_cstr(&headers), r->last ? r->last->data : "",
                        r->last ? r->last->len : 0);
        buf_free(&headers);
    }
    run_free(r);
}

void http_answer_text(run *r)
{
    request *q = r->c->req;
    if (r->failed)
        http_reply_error(q, &r->err);
    else
        http_reply(q, 200, r->job.text.data, r->job.text.len);
    run_free(r);
}

void http_answer_with(request *q, run *r)
{
    r->gzip = q->takes_gzip && !q->once; /* who repeats it may not take gzip */
    idempotency_hand_over(q, r);
    r->on_chunk = run_chunk;
    r->on_done = run_done;
}

/* ---- the end of a request ----------------------------------------------------------------------
 */

void http_free_request(conn *c)
{
    request *q = c->req;
    if (!q)
        return;
    audit_unanswered(q);
    c->req = NULL;
    idempotency_leave(q);
    if (q->free_arg)
        q->free_arg(q);
    identity_release(q->who);
    for (int i = 0; i < HEADER_COUNT; i++)
        mem_free(q->headers[i]);
    mem_free(q->run_headers);
    mem_free(q->audit_detail);
    json_decref(q->doc);
    buf_free(&q->body);
    if (q->query[0])
        explicit_bzero(q->query, sizeof q->query); /* a token may have been in it */
    mem_free(q);
}

/* Everything is written: on to the next request, or close. */
static int finish(conn *c)
{
    request *q = c->req;
    bool keep = q->keep_alive && !c->r->stopping;
    if (expects_body(q) && !q->complete && q->read_body)
        return 0; /* the rest of a refused body is still on its way */
    bool body = expects_body(q), clean = !body || q->complete;
    latency_add(&c->r->request_latency, clock_mono_us() - q->started_us);
    http_free_request(c);
    if (!keep || !clean)
        return -1;
    c->taken = sockstat_taken(c->fd);
    c->had_body = body;
    c->last_activity_us = clock_mono_us();
    if (lws_http_transaction_completed(c->wsi))
        return -1;
    conn_unlimit(c);
    conn_resume(c);
    return 0;
}

/* Asks for the next piece of an answer, once. */
static void take_more(request *q)
{
    void (*more)(request *) = q->more;
    q->more = NULL;
    more(q);
}

int http_flush(conn *c)
{
    if (c->req && c->req->lift_limit) {
        c->req->lift_limit = false;
        conn_unlimit(c);
    }
    if (!conn_flush(c))
        return -1;
    if (c->blocked || !list_empty(&c->out.items))
        return 0;
    if (c->req && c->req->finished)
        return finish(c);
    if (c->req && c->req->answered && c->req->more)
        take_more(c->req);
    /* Until it is resumed, lws asks the loop for room that there is: the loop would not rest. */
    if (c->asks_room && c->rx_paused && sockstat_unread(c->fd) == 0)
        conn_resume(c);
    return 0;
}

int http_on_writable(conn *c)
{
    c->asks_room = false;
    if (c->req && c->req->complete && !expects_body(c->req))
        conn_pause(c); /* again, if http_flush has resumed it */
    return conn_unblock(c) ? http_flush(c) : 0;
}

const char *http_param(const request *q, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = q->query; *at; at += strlen(at) + 1) {
        if (strncmp(at, name, n) == 0 && at[n] == '=')
            return at + n + 1;
    }
    return NULL;
}

bool http_query_param(const request *q, const char *name, char *out, size_t room)
{
    const char *text = http_param(q, name);
    if (!text || strlen(text) >= room)
        return false;
    strcpy(out, text);
    return true;
}

/* ---- upgrades ----------------------------------------------------------------------------------
 */

/* What the client offers to speak; false when it does not fit. */
static bool read_offer(struct lws *wsi, char *offered, size_t room)
{
    offered[0] = '\0';
    return !lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) ||
           lws_hdr_copy(wsi, offered, (int)room, WSI_TOKEN_PROTOCOL) > 0;
}

static const ws_protocol *check_upgrade(request *q, struct lws *wsi, void **state, error *e)
{
    char offered[WS_OFFER_MAX];
    if (!whole_target(q, e))
        return NULL;
    if (!read_offer(wsi, offered, sizeof offered)) {
        error_set(e, ERR_INVALID_MESSAGE, "too many subprotocols are offered");
        return NULL;
    }
    const ws_protocol *protocol = ws_protocol_choose(q->path, offered, e);
    if (!protocol)
        return NULL;
    if (q->c->r->stopping)
        return error_set(e, ERR_SHUTTING_DOWN, "the daemon is stopping"), NULL;
    if (q->method != HTTP_GET || q->head_only)
        return error_set(e, ERR_INVALID_MESSAGE, "a WebSocket handshake is a GET"), NULL;
    if (!ws_handshake_check(wsi, e))
        return NULL;
    /* Without credentials it may authenticate by its first message. */
    if (!http_authenticate_upgrade(q, e) &&
        (e->code != ERR_AUTH_REQUIRED || protocol->needs_header))
        return NULL;
    return !protocol->upgrade || protocol->upgrade(q, state, e) ? protocol : NULL;
}

static void keep_agent(conn *c)
{
    char text[2048];
    read_header(c->wsi, WSI_TOKEN_HTTP_USER_AGENT, text, sizeof text);
    c->ws->agent = agent_hold(c->r, text);
}

int http_on_upgrade(conn *c)
{
    error e;
    if (c->state != CONN_HTTP || c->req)
        return -1;
    request *q = new_request(c);
    read_head(q, c->wsi);
    void *state = NULL;
    const ws_protocol *protocol =
        guest_check_upgrade(q, &e) ? check_upgrade(q, c->wsi, &state, &e) : NULL;
    if (protocol) {
        const identity *who = identity_hold(q->who);
        guest_stay(q);
        http_free_request(c);
        ws_prepare(c, protocol, who);
        c->ws->state = state;
        keep_agent(c);
        return 0;
    }
    q->keep_alive = false;
    refuse(q, &e, "");
    /* lws wants the answer now. */
    conn_flush(c);
    return -1;
}
