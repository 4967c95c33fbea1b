#include "daemon/guest.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/admission.h"
#include "daemon/forwarded.h"
#include "daemon/hosts.h"
#include "daemon/system_events.h"
#include "daemon/ws.h"

#include <string.h>

enum {
    PATIENCE = 16, /* refusals one after the other that end a connection */
    REFUSED_WAIT_US = 1000000,
};

void guest_identify(request *q)
{
    const conn *c = q->c;
    q->client = c->from.ip;
    if (!c->from.proxy)
        return;
    char *hops = http_copy_header(c->wsi, WSI_TOKEN_X_FORWARDED_FOR);
    if (hops)
        q->client = forwarded_client(hops, &q->client, &daemon_config(c->r->d)->nets.proxies);
    mem_free(hops);
}

/* The door could not know whom a proxy speaks for. */
static bool check_network(const request *q, error *e)
{
    if (!q->c->from.proxy || peer_may_come(&q->client, daemon_config(q->c->r->d)))
        return true;
    char text[IP_TEXT_ROOM];
    ip_format(&q->client, text);
    return error_set(e, ERR_PERMISSION_DENIED, "the network of %s may not use this daemon", text);
}

/* A page of somebody else can send a form without being allowed to: only what a browser adds by
 * itself, as a client certificate, would then say who it is. Credentials in a header of their own
 * need the browser's permission. */
static bool check_page(const request *q, error *e)
{
    static const char key_name[] = "x-api-key:";
    struct lws *wsi = q->c->wsi;
    if (q->method & (HTTP_GET | HTTP_OPTIONS) ||
        lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION) ||
        lws_hdr_custom_length(wsi, key_name, sizeof key_name - 1) > 0)
        return true;
    return origin_check(q, e);
}

/* ---- rates -------------------------------------------------------------------------------------
 */

static rate_limit request_limit(const config *cfg)
{
    return (rate_limit){cfg->request_rate, cfg->request_burst};
}

static rate_limit message_limit(const config *cfg)
{
    return (rate_limit){cfg->message_rate, cfg->message_burst};
}

/* Root has no name that others could use up. */
static bool has_account(const identity *who)
{
    return who && who->kind != IDENTITY_ROOT;
}

/* A key is counted by itself, everybody else by his name. */
static size_t key_of(const identity *who, char out[LIMITS_KEY])
{
    if (who->key[0])
        return limits_key_text('k', who->key, out);
    return limits_key_text(who->kind == IDENTITY_TOKEN ? 't' : 'u', who->name, out);
}

static bool take(account *a, bool message, rate_limit limit, int64_t n, rate_verdict *v)
{
    return rate_take(message ? &a->messages : &a->requests, limit, n, clock_mono_us(), v);
}

static bool charge_identity(server *d, const identity *who, bool message, int64_t n,
                            rate_verdict *v)
{
    char key[LIMITS_KEY];
    const config *cfg = daemon_config(d);
    rate_limit limit = message ? message_limit(cfg) : request_limit(cfg);
    if (who && who->rate > 0)
        limit = (rate_limit){who->rate, 0};
    if (limit.rate <= 0 || !has_account(who))
        return true;
    account *a = limits_hold(d->limits, key, key_of(who, key));
    bool ok = !a || take(a, message, limit, n, v);
    limits_release(d->limits, a);
    return ok;
}

/* A proxy's connection has requests of many clients, and each has its own account. */
static bool charge_proxied(request *q, rate_limit limit, int64_t n)
{
    char key[LIMITS_KEY];
    limit_table *l = q->c->r->d->limits;
    if (!ip_is_known(&q->client))
        return true;
    account *a = limits_hold(l, key, limits_key_address(&q->client, key));
    bool ok = !a || take(a, false, limit, n, &q->rate);
    limits_release(l, a);
    return ok;
}

static bool charge_request(request *q, int64_t n)
{
    conn *c = q->c;
    const rate_limit limit = request_limit(daemon_config(c->r->d));
    if (limit.rate <= 0)
        return true;
    if (c->from.proxy)
        return charge_proxied(q, limit, n);
    account *a = admission_account(c);
    return rate_take(&c->asked, limit, n, clock_mono_us(), &q->rate) &&
           (!a || take(a, false, limit, n, &q->rate));
}

static bool too_much(const rate_verdict *v, const char *what, error *e)
{
    error_set(e, ERR_RATE_LIMIT_EXCEEDED, "too many %s: %lld may come at once", what,
              (long long)v->limit);
    return error_hint(e, "Try again in %lld ms.", (long long)(v->retry_us + 999) / 1000);
}

/* Who does not slow down loses the connection; a proxy's stays, since it is not only his. */
static bool refuse_request(request *q, error *e)
{
    conn *c = q->c;
    system_limit_hit(c->r->d, c, e);
    if (!c->from.proxy && ++c->too_many >= PATIENCE)
        q->keep_alive = false;
    return false;
}

bool guest_charge(request *q, error *e)
{
    if (charge_identity(q->c->r->d, q->who, false, 1, &q->rate))
        return true;
    too_much(&q->rate, "requests of this identity", e);
    return refuse_request(q, e);
}

static bool check_rate(request *q, error *e)
{
    if (charge_request(q, 1)) {
        q->c->too_many = 0;
        return true;
    }
    too_much(&q->rate, "requests", e);
    return refuse_request(q, e);
}

void guest_put(buf *out, const request *q)
{
    const rate_verdict *v = &q->rate;
    if (v->retry_us)
        buf_addf(out, "Retry-After: %lld\r\n", (long long)(v->retry_us + 999999) / 1000000);
    if (v->limit)
        buf_addf(out,
                 "RateLimit-Limit: %lld\r\nRateLimit-Remaining: %lld\r\nRateLimit-Reset: %lld\r\n",
                 (long long)v->limit, (long long)v->remaining,
                 (long long)(v->reset_us + 999999) / 1000000);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

static bool charge_messages(conn *c, int64_t n, rate_verdict *v)
{
    const rate_limit limit = message_limit(daemon_config(c->r->d));
    if (limit.rate > 0) {
        account *a = admission_account(c);
        if (!rate_take(&c->asked, limit, n, clock_mono_us(), v) ||
            (a && !take(a, true, limit, n, v)))
            return false;
    }
    return charge_identity(c->r->d, c->ws->who, true, n, v);
}

bool guest_message(conn *c)
{
    rate_verdict v = {0};
    error e;
    if (charge_messages(c, 1, &v)) {
        c->too_many = 0;
        return true;
    }
    error_clear(&e);
    too_much(&v, "messages", &e);
    system_limit_hit(c->r->d, c, &e);
    c->ws->protocol->failed(c, NULL, &e, NULL);
    if (++c->too_many >= PATIENCE)
        conn_end(c, 1008, "too many messages");
    return false;
}

bool guest_batch(conn *c, int64_t n, error *e)
{
    rate_verdict v = {0};
    if (n <= 1)
        return true;
    if (c->ws)
        return charge_messages(c, n - 1, &v) || too_much(&v, "messages in a batch", e);
    if (charge_request(c->req, n - 1) &&
        charge_identity(c->r->d, c->req->who, false, n - 1, &c->req->rate))
        return true;
    return too_much(&c->req->rate, "requests in a batch", e);
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static bool check_admission(request *q, error *e)
{
    if (admission_check(q->c, e))
        return true;
    q->keep_alive = false;
    q->rate.retry_us = REFUSED_WAIT_US;
    return false;
}

/* Where lws has cut the target short there is no Host either, and the request is refused for that.
 */
static bool check_host(const request *q, error *e)
{
    return q->target_cut || host_check(q, e);
}

bool guest_check(request *q, error *e)
{
    return check_admission(q, e) && check_network(q, e) && check_rate(q, e) && check_host(q, e) &&
           check_page(q, e);
}

/* A WebSocket that comes through a proxy counts as its client's connection. */
static bool check_client(request *q, error *e)
{
    admission a;
    conn *c = q->c;
    peer client = {.ip = q->client};
    if (!c->from.proxy)
        return true;
    bool in = admission_ask(c->r->d, &client, &a);
    c->account = a.account;
    c->refusal = in ? a.refusal : REFUSED_ADDRESS;
    return admission_check(c, e);
}

bool guest_check_upgrade(request *q, error *e)
{
    return check_admission(q, e) && check_network(q, e) && check_rate(q, e) && check_host(q, e) &&
           origin_check(q, e) && check_client(q, e);
}

void guest_stay(const request *q)
{
    conn *c = q->c;
    if (c->from.proxy)
        c->from = (peer){.ip = q->client};
    atomic_store_explicit(&c->asked.used_until_ns, 0, memory_order_relaxed);
}
