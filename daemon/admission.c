#include "daemon/admission.h"
#include "base/clock.h"
#include "daemon/system_events.h"

enum { TOLD_MAX = 4 }; /* connections of an address that are open to be told of its limit */

static bool limited(const config *cfg)
{
    return cfg->max_connections_per_address | cfg->connection_rate | cfg->request_rate |
           cfg->message_rate;
}

static account *hold(server *d, const peer *from)
{
    char key[LIMITS_KEY];
    if (from->proxy || !ip_is_known(&from->ip) || !limited(daemon_config(d)))
        return NULL;
    return limits_hold(d->limits, key, limits_key_address(&from->ip, key));
}

static conn_refusal ask(account *a, const config *cfg)
{
    rate_verdict unused = {0};
    const rate_limit rate = {cfg->connection_rate, cfg->connection_burst};
    int64_t most = cfg->max_connections_per_address;
    if (atomic_fetch_add(&a->open, 1) >= most && most > 0) {
        atomic_fetch_sub(&a->open, 1);
        return REFUSED_ADDRESS;
    }
    if (rate_take(&a->connections, rate, 1, clock_mono_us(), &unused))
        return REFUSED_NOT;
    atomic_fetch_sub(&a->open, 1);
    return REFUSED_RATE;
}

bool admission_ask(server *d, const peer *from, admission *out)
{
    *out = (admission){.account = hold(d, from)};
    if (!out->account)
        return true;
    out->refusal = ask(out->account, daemon_config(d));
    if (!out->refusal || atomic_fetch_add(&out->account->told, 1) < TOLD_MAX)
        return true;
    admission_undo(d, out);
    *out = (admission){0};
    return false;
}

void admission_undo(server *d, const admission *a)
{
    if (!a->account)
        return;
    bool told = a->refusal == REFUSED_ADDRESS || a->refusal == REFUSED_RATE;
    atomic_fetch_sub(told ? &a->account->told : &a->account->open, 1);
    limits_release(d->limits, a->account);
}

bool admission_check(const conn *c, error *e)
{
    server *d = c->r->d;
    const config *cfg = daemon_config(d);
    switch (c->refusal) {
    case REFUSED_NOT:
        return true;
    case REFUSED_FULL:
        error_set(e, ERR_CONNECTION_LIMIT, "%lld connections are open, as many as may be",
                  (long long)cfg->max_connections);
        error_hint(e, "Try again later, or raise max_connections.");
        break;
    case REFUSED_ADDRESS:
        error_set(e, ERR_CONNECTION_LIMIT, "your address has %lld connections, as many as it may",
                  (long long)cfg->max_connections_per_address);
        error_hint(e, "Close some, or raise max_connections_per_address.");
        break;
    case REFUSED_RATE:
        error_set(e, ERR_RATE_LIMIT_EXCEEDED,
                  "your address opens more than %lld connections a "
                  "second",
                  (long long)cfg->connection_rate);
        error_hint(e, "Keep connections open, or raise connection_rate.");
        break;
    }
    system_limit_hit(d, c, e);
    return false;
}

account *admission_account(conn *c)
{
    if (c->account || c->from.proxy)
        return c->account;
    c->account = hold(c->r->d, &c->from);
    if (c->account)
        atomic_fetch_add(&c->account->open, 1);
    return c->account;
}
