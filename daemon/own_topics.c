#include "daemon/own_topics.h"
#include "daemon/conn.h"
#include "daemon/metrics_sampler.h"
#include "daemon/ws.h"

#include <string.h>

static const char *const names[] = {[OWN_QUERIES] = "queries", [OWN_SYSTEM] = "system"};

static bool is_plain(const sub_request *q, error *e)
{
    if (q->where || q->ops || q->n_columns || q->has_since || q->policy == POLICY_REPLAY)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s is live only: it takes no where, ops, columns, since or policy replay",
                         q->topic);
    return true;
}

/* ---- metrics -----------------------------------------------------------------------------------
 */

/* A connection has one subscription to metrics: another one takes its place. */
static void drop_earlier(conn *c)
{
    error e;
    error_clear(&e);
    list_each_safe(it, &c->ws->subs)
    {
        sub *s = list_entry(it, sub, ws_link);
        if (s->source != &c->r->d->samples)
            continue;
        if (s->state == SUB_ASKED) {
            error_set(&e, ERR_CONFLICT, "another subscription to metrics took its place");
            c->ws->protocol->failed(c, s->request_id, &e, NULL);
        }
        hub_sub_drop(s);
    }
}

static bool subscribe_metrics(conn *c, const sub_request *q, const char *request_id, error *e)
{
    if (!is_plain(q, e))
        return false;
    drop_earlier(c);
    sub *s = hub_sub_new(c, q, request_id, e);
    if (!s)
        return false;
    s->source = &c->r->d->samples;
    sampler_subscribe(c->r->d->sampler, &(metrics_ask){
                                            .sub = s->number,
                                            .home = c->r,
                                            .form = ws_form_of(c),
                                            .interval_us = q->interval_ms * 1000,
                                            .set = q->metrics,
                                        });
    return true;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static bool subscribe_events(conn *c, own_topic t, const sub_request *q, const char *request_id,
                             error *e)
{
    sub *s = is_plain(q, e) ? hub_sub_new(c, q, request_id, e) : NULL;
    if (!s)
        return false;
    s->stream = hub_topic_stream(c->r, q->topic, ws_form_of(c));
    if (!s->stream || !hub_join(s)) {
        hub_sub_free(s);
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    s->state = SUB_LIVE;
    s->listening = &c->r->d->listening[t];
    atomic_fetch_add(s->listening, 1);
    hub_say_subscribed(s, NULL);
    return true;
}

bool own_topic_subscribe(conn *c, const sub_request *q, const char *request_id, error *e, bool *ok)
{
    if (strcmp(q->topic, "metrics") == 0) {
        *ok = subscribe_metrics(c, q, request_id, e);
        return true;
    }
    for (int t = 0; t < OWN_TOPICS; t++) {
        if (strcmp(q->topic, names[t]) != 0)
            continue;
        *ok = subscribe_events(c, (own_topic)t, q, request_id, e);
        return true;
    }
    return false;
}
