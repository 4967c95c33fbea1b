#include "cli/rest.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/problem.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    WAIT_MS = 200,          /* longest wait before idle work */
    MAX_PROBLEM = 1 << 20,  /* bytes of an answer that is an error */
    MAX_ANSWER = 256 << 20, /* bytes of an answer that is collected */
};

struct rest {
    const endpoint *ep;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *auth; /* the Authorization header, NULL for none */
    char curl_text[CURL_ERROR_SIZE];
};

/* A request under way. */
typedef struct transfer {
    rest *r;
    const rest_request *q;
    buf *answer;
    buf problem;
    error *e;
    bool gave_up; /* a callback did */
} transfer;

rest *rest_open(const endpoint *ep, error *e)
{
    rest *r = xalloc(sizeof *r);
    r->ep = ep;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == 0) {
        r->multi = curl_multi_init();
        r->easy = curl_easy_init();
    }
    if (!r->multi || !r->easy) {
        rest_close(r);
        error_set(e, ERR_CLIENT_ERROR, "the HTTP client cannot start");
        return NULL;
    }
    if (ep->token) {
        buf header = BUF_INIT;
        buf_addf(&header, "Authorization: Bearer %s", ep->token);
        r->auth = curl_slist_append(NULL, buf_cstr(&header));
        buf_free(&header);
    }
    return r;
}

void rest_close(rest *r)
{
    if (!r)
        return;
    curl_easy_cleanup(r->easy);
    curl_multi_cleanup(r->multi);
    curl_slist_free_all(r->auth);
    mem_free(r);
}

static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
    transfer *t = arg;
    long status = 0;
    n *= size;
    curl_easy_getinfo(t->r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        buf_add(&t->problem, p, n);
    } else if (t->q->data) {
        t->gave_up = !t->q->data(t->q->arg, p, n);
        return t->gave_up ? 0 : n;
    } else if (t->answer) {
        buf_add(t->answer, p, n);
        return t->answer->failed ? 0 : n;
    }
    return n;
}

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
    transfer *t = arg;
    long got = t->q->read(t->q->arg, to, size * n);
    if (got < 0) {
        t->gave_up = true;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)got;
}

static void set_tls(CURL *c, const endpoint *ep)
{
    if (ep->tls_pin)
        curl_easy_setopt(c, CURLOPT_PINNEDPUBLICKEY, ep->tls_pin);
    if (ep->insecure || ep->tls_pin) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (ep->cacert)
        curl_easy_setopt(c, CURLOPT_CAINFO, ep->cacert);
    if (ep->cert)
        curl_easy_setopt(c, CURLOPT_SSLCERT, ep->cert);
    if (ep->key)
        curl_easy_setopt(c, CURLOPT_SSLKEY, ep->key);
}

static void set_body(CURL *c, const rest_request *q)
{
    if (q->read) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_size);
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    } else if (strcmp(q->method, "GET") != 0) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body ? q->body : "");
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

static struct curl_slist *headers_of(const rest *r, const rest_request *q)
{
    buf line = BUF_INIT;
    struct curl_slist *h = curl_slist_append(NULL, "Expect:");
    buf_addf(&line, "Accept: %s", q->accept ? q->accept : "application/json");
    h = curl_slist_append(h, buf_cstr(&line));
    if (q->body || q->read) {
        buf_clear(&line);
        buf_addf(&line, "Content-Type: %s", q->type ? q->type : "application/json");
        h = curl_slist_append(h, buf_cstr(&line));
    } else {
        h = curl_slist_append(h, "Content-Type:");
    }
    if (q->read && q->body_size < 0)
        h = curl_slist_append(h, "Transfer-Encoding: chunked");
    if (r->auth)
        h = curl_slist_append(h, r->auth->data);
    buf_free(&line);
    return h;
}

static void set_up(transfer *t, struct curl_slist *headers, const char *url)
{
    CURL *c = t->r->easy;
    const endpoint *ep = t->r->ep;
    curl_easy_reset(c); /* keeps the connection */
    t->r->curl_text[0] = '\0';
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->r->curl_text);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "rustydb/" RUSTYDB_VERSION);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)t->q->timeout_ms);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    if (ep->unix_path)
        curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, ep->unix_path);
    if (ep->loopback)
        curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    else
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, ""); /* all that libcurl knows */
    set_tls(c, ep);
    set_body(c, t->q);
    curl_easy_setopt(c, CURLOPT_READDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
}

/* Runs the transfer to its end; false when it was interrupted. */
static bool run(transfer *t, CURLcode *result)
{
    rest *r = t->r;
    int running = 1;
    curl_multi_add_handle(r->multi, r->easy);
    while (running) {
        curl_multi_perform(r->multi, &running);
        if (!running || (interrupted() && !t->q->deaf))
            break;
        struct curl_waitfd extra = {.fd = interrupt_fd(), .events = CURL_WAIT_POLLIN};
        bool listen = extra.fd >= 0 && !t->q->deaf;
        int active = 0;
        curl_multi_poll(r->multi, &extra, listen ? 1 : 0, WAIT_MS, &active);
        if (active == 0) {
            output_check_reader();
            if (t->q->idle)
                t->q->idle(t->q->arg);
        }
    }
    int left;
    CURLMsg *m = curl_multi_info_read(r->multi, &left);
    *result = m ? m->data.result : CURLE_ABORTED_BY_CALLBACK;
    if (!m && t->q->interrupt)
        t->q->interrupt(t->q->arg);
    curl_multi_remove_handle(r->multi, r->easy);
    return m != NULL;
}

static bool fail_curl(const transfer *t, CURLcode code)
{
    rest *r = t->r;
    const char *why = r->curl_text[0] ? r->curl_text : curl_easy_strerror(code);
    double connect_s = 0;
    curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME, &connect_s);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        if (connect_s > 0)
            return error_set(t->e, ERR_TIMEOUT, "no complete answer from %s in time", r->ep->shown);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        error_set(t->e, ERR_CANNOT_CONNECT, "%s is not trusted: %s", r->ep->shown, why);
        return error_hint(t->e, "--cacert FILE names whom to trust");
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return error_set(t->e, ERR_CANNOT_CONNECT, "%s was lost before the answer was complete: %s",
                         r->ep->shown, why);
    case CURLE_WRITE_ERROR:
        return error_set(t->e, ERR_MESSAGE_TOO_BIG, "the answer is too big for this command");
    case CURLE_OUT_OF_MEMORY:
        return error_set(t->e, ERR_CLIENT_ERROR, "out of memory");
    default:
        break;
    }
    error_set(t->e, ERR_CANNOT_CONNECT, "cannot connect to %s: %s", r->ep->shown, why);
    endpoint_hint_address(r->ep, t->e);
    return false;
}

static bool fail_status(transfer *t, int status)
{
    const buf *b = &t->problem;
    scan_text object = scan_value(b->data ? b->data : "", b->len);
    if (!problem_read(object, status, t->e))
        problem_of_status(status, t->e);
    if (status == 401)
        endpoint_hint_token(t->r->ep, t->e);
    return false;
}

static bool conclude(transfer *t, bool ran, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(t->r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!ran || (t->gave_up && interrupted()))
        return error_set(t->e, ERR_CANCELLED, "interrupted");
    if (t->gave_up) { /* and *e may say why */
        if (t->e->code == ERR_NONE)
            error_set(t->e, ERR_CANCELLED, "given up");
        return false;
    }
    /* A daemon that refuses a long body early closes while it is still being sent. */
    if (code != CURLE_OK && !(status >= 400 && t->problem.len > 0))
        return fail_curl(t, code);
    if (status < 200 || status > 299)
        return fail_status(t, (int)status);
    return true;
}

bool rest_send(rest *r, const rest_request *q, buf *answer, error *e)
{
    error ignored = {0};
    transfer t = {.r = r, .q = q, .answer = answer, .e = e ? e : &ignored};
    buf url = BUF_INIT;
    CURLcode code;
    error_clear(t.e);
    t.problem.limit = MAX_PROBLEM;
    if (answer && !answer->limit)
        answer->limit = MAX_ANSWER;
    buf_addf(&url, "%s/api/v1%s", r->ep->base, q->path);
    struct curl_slist *headers = headers_of(r, q);
    set_up(&t, headers, buf_cstr(&url));
    bool ran = run(&t, &code);
    bool good = conclude(&t, ran, code);
    curl_slist_free_all(headers);
    buf_free(&t.problem);
    buf_free(&url);
    return good;
}

void rest_escape(buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
                     (*p >= 'A' && *p <= 'Z') || strchr("-._~", *p);
        if (plain)
            buf_addc(out, (char)*p);
        else
            buf_addf(out, "%%%02X", *p);
    }
}
