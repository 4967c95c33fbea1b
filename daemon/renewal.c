#include "daemon/renewal.h"

#include <inttypes.h>
#include <string.h>

#include "auth/auth.h"
#include "base/log.h"
#include "daemon/conn.h"
#include "daemon/http.h"
#include "daemon/http_auth.h"
#include "daemon/hub_subs.h"
#include "daemon/run.h"
#include "daemon/topic_rights.h"
#include "daemon/ws.h"
#include "engine/viewer.h"

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Whether nothing that the one may is different for the other. Rights that are shared say so at
 * once; others that are equal are taken for different, which ends more than it must. */
static bool is_same(const identity *a, const identity *b)
{
    return a == b || (a->rights == b->rights && strcmp(a->name, b->name) == 0 &&
                      same_text(a->claims, b->claims));
}

/* Whether a statement of the one would have gone the same way for the other. */
static bool runs_alike(const identity *was, const identity *now)
{
    char before[VIEWER_KEY + 1], after[VIEWER_KEY + 1];
    if (is_same(was, now))
        return true;
    unsigned lost = rights_scopes(was->rights) & ~rights_scopes(now->rights);
    return !lost && strcmp(was->name, now->name) == 0 && same_text(was->claims, now->claims) &&
           viewer_key(&was->eyes, before) && viewer_key(&now->eyes, after) &&
           strcmp(before, after) == 0;
}

/* ---- what is under way ------------------------------------------------------------------------
 */

/* now: NULL, or what goes on is that which would have been allowed with these rights. How many
 * were cancelled. */
static int cancel_runs(conn *c, const identity *now, error_code why)
{
    int n = 0;
    list_each(it, &c->runs)
    {
        run *r = list_entry(it, run, conn_link);
        if (now && r->who && runs_alike(r->who, now))
            continue;
        engine_cancel(c->r->d->engine, &r->job, why);
        n++;
    }
    return n;
}

static void end_sub(sub *s)
{
    error e;
    error_clear(&e);
    error_set(&e, ERR_PERMISSION_DENIED, "the rights to %.200s have changed", s->topic);
    if (s->source == &s->c->r->d->tables && s->lsn)
        error_hint(&e, "Subscribe again with since = %" PRId64 " to go on as far as it is allowed.",
                   s->lsn);
    else
        error_hint(&e, "Subscribe again to go on as far as it is allowed.");
    hub_cancel(s, &e);
}

static void check_subs(conn *c, const identity *was, const identity *now)
{
    list_each_safe(it, &c->ws->subs)
    {
        sub *s = list_entry(it, sub, ws_link);
        if (!topic_rights_keep(s, was, now))
            end_sub(s);
    }
}

void renewal_take(conn *c, const identity *now)
{
    const identity *was = c->ws->who;
    c->ws->who = now;
    if (was && !is_same(was, now)) {
        check_subs(c, was, now);
        cancel_runs(c, now, ERR_PERMISSION_DENIED);
    }
    identity_release(was);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static void end_ws(conn *c, const error *e)
{
    const identity *was = c->ws->who;
    hub_forget(c);
    cancel_runs(c, NULL, e->code);
    if (c->ws->protocol->failed)
        c->ws->protocol->failed(c, NULL, e, NULL);
    c->ws->who = NULL;
    identity_release(was);
    conn_end(c, 1008, "the credentials are no longer good");
}

/* What runs answers with its error; what only waits has nobody to answer to. */
static void end_request(conn *c, error_code why)
{
    if (!cancel_runs(c, NULL, why))
        conn_kill(c);
}

static void take_request(conn *c, const identity *now)
{
    request *q = c->req;
    error e;
    const identity *was = q->who;
    q->who = now;
    if (!is_same(was, now) && !http_authorize(q, &e))
        end_request(c, ERR_PERMISSION_DENIED);
    else if (!is_same(was, now))
        cancel_runs(c, now, ERR_PERMISSION_DENIED);
    identity_release(was);
}

void renewal_look(conn *c, uint64_t generation, int64_t now_us)
{
    const identity *who = conn_who(c);
    if (!who || (c->state != CONN_WS && c->state != CONN_HTTP) ||
        (c->rights_at == generation && (!who->expires_us || now_us < who->expires_us)))
        return;
    c->rights_at = generation;
    error e;
    error_clear(&e);
    const identity *now = auth_renew(c->r->d->auth, who, &e);
    if (!now)
        log_info("rights_lost", "connection c%" PRIu64 ": %s", c->serial, e.message);
    if (c->ws && now)
        renewal_take(c, now);
    else if (c->ws)
        end_ws(c, &e);
    else if (now)
        take_request(c, now);
    else
        end_request(c, e.code);
}
