#include "daemon/logins.h"

#include <inttypes.h>
#include <string.h>

#include "auth/attempts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"

enum { LOGIN_THREADS = 2 };

_Static_assert((int)SESSION_ADDRESS >= (int)IP_TEXT_ROOM, "an address fits");

struct logins {
    task_pool pool;
    atomic_int under_way; /* passwords that are looked at or wait for it */
    attempts *by_user, *by_address;
};

static const attempts_rule user_rule = {
    .free = 5,
    .max = 10000,
    .first_us = 1000000,
    .most_us = 60000000,
    .forget_us = 900000000,
};

static const attempts_rule address_rule = {
    .free = 20,
    .max = 10000,
    .first_us = 1000000,
    .most_us = 300000000,
    .forget_us = 900000000,
};

logins *logins_start(error *e)
{
    logins *l = xalloc(sizeof *l);
    l->by_user = attempts_new(&user_rule);
    l->by_address = attempts_new(&address_rule);
    if (task_pool_start(&l->pool, LOGIN_THREADS, "login"))
        return l;
    error_set(e, ERR_INTERNAL_ERROR, "cannot start a thread for logins");
    attempts_free(l->by_user);
    attempts_free(l->by_address);
    mem_free(l);
    return NULL;
}

void logins_stop(logins *l)
{
    if (!l)
        return;
    task_pool_stop(&l->pool);
    attempts_free(l->by_user);
    attempts_free(l->by_address);
    mem_free(l);
}

session_limits logins_session_limits(const config *cfg)
{
    return (session_limits){
        .access_us = cfg->session_access * 1000,
        .idle_us = cfg->session_idle * 1000,
        .max_us = cfg->session_max * 1000,
        .max = (int)cfg->max_sessions,
        .per_user = (int)cfg->max_user_sessions,
    };
}

/* ---- tries -------------------------------------------------------------------------------------
 */

void logins_address(const request *q, char out[SESSION_ADDRESS])
{
    ip_format(&q->client, out);
}

void logins_limited_by(const request *q, char out[SESSION_ADDRESS])
{
    ip_address a = q->client;
    if (ip_is_known(&a) && !ip_is_v4(&a))
        memset(a.bytes + 8, 0, 8);
    ip_format(&a, out);
}

/* An address that is not known (a Unix socket) has no limit of its own. */
static int64_t address_wait(logins *l, const char *address, int64_t now)
{
    return *address ? attempts_begin(l->by_address, address, now) : 0;
}

bool logins_admit(request *q, const char *user, int64_t *wait_s, error *e)
{
    server *d = q->c->r->d;
    logins *l = d->logins;
    char address[SESSION_ADDRESS];
    int64_t now = clock_mono_us();
    *wait_s = 0;
    if (atomic_load(&l->under_way) >= daemon_config(d)->max_logins) {
        error_set(e, ERR_BUSY, "too many passwords are being looked at");
        return error_hint(e, "try again in a second");
    }
    logins_limited_by(q, address);
    int64_t wait = address_wait(l, address, now);
    if (!wait) {
        wait = attempts_begin(l->by_user, user, now);
        if (wait && *address)
            attempts_undo(l->by_address, address);
    }
    if (!wait)
        return true;
    *wait_s = (wait + 999999) / 1000000;
    error_set(e, ERR_RATE_LIMIT_EXCEEDED, "too many logins have failed");
    return error_hint(e, "try again in %" PRId64 " seconds", *wait_s);
}

void logins_start_try(request *q, errand *k)
{
    logins *l = q->c->r->d->logins;
    atomic_fetch_add(&l->under_way, 1);
    errand_start_on(&l->pool, q, k);
}

void logins_start_errand(request *q, errand *k)
{
    errand_start_on(&q->c->r->d->logins->pool, q, k);
}

/* One good login does not pardon what else came from the address. */
void logins_tried(server *d, const char *user, const char *address, bool right)
{
    logins *l = d->logins;
    atomic_fetch_sub(&l->under_way, 1);
    if (!right)
        return;
    attempts_succeeded(l->by_user, user);
    if (*address)
        attempts_undo(l->by_address, address);
}

/* ---- ends --------------------------------------------------------------------------------------
 */

static void ended(session_call *c)
{
    if (c->failed)
        log_error("session", "sessions of a user could not be ended: %s", c->err.message);
    session_call_end(c);
    mem_free(c);
}

void logins_end_user(server *d, const char *user)
{
    session_call *c = xalloc(sizeof *c);
    c->done = ended;
    sessions_end_user(auth_sessions_of(d->auth), c, user, NULL);
}
