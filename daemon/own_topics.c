#include "daemon/own_topics.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/conn.h"
#include "daemon/hub_publish.h"
#include "daemon/metrics_sampler.h"
#include "daemon/system_events.h"
#include "daemon/ws.h"

#include <string.h>

static const char *const names[] = {[OWN_QUERIES] = "queries", [OWN_SYSTEM] = "system"};

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
    if (!hub_check_live_only(q, q->topic, e))
        return false;
    drop_earlier(c);
    sub *s = hub_sub_new(c, q, request_id, e);
    if (!s)
        return false;
    s->source = &c->r->d->samples;
    sampler_subscribe(
        c->r->d->sampler,
        &(metrics_ask){
            .sub = s->number,
            .home = c->r,
            .form = ws_form_of(c),
            .interval_us = (q->of_metrics ? q->interval_ms : METRICS_INTERVAL_MS) * 1000,
            .set = q->of_metrics ? q->metrics : metric_set_all(),
        });
    return true;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static bool subscribe_events(conn *c, own_topic t, const sub_request *q, const char *request_id,
                             error *e)
{
    sub *s = hub_check_live_only(q, q->topic, e) ? hub_sub_new(c, q, request_id, e) : NULL;
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
    if (t == OWN_SYSTEM)
        system_say_started(c);
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

/* ---- what they say -----------------------------------------------------------------------------
 */

void own_event_begin(json_writer *w, buf *out, own_topic t, const char *event)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_us(), stamp);
    jw_init(w, out);
    jw_begin_object(w);
    jw_key(w, "topic");
    jw_str(w, names[t]);
    jw_key(w, "event");
    jw_str(w, event);
    jw_key(w, "at");
    jw_str(w, stamp);
}

void own_event_send(json_writer *w, own_topic t, server *d)
{
    error e;
    int64_t left_out = event_gate_left_out(&d->gates[t]);
    if (left_out) {
        jw_key(w, "omitted");
        jw_int(w, left_out);
    }
    jw_end_object(w);
    publication *p =
        w->out->failed ? NULL : publication_new("event", w->out->data, w->out->len, &e);
    if (p)
        hub_announce(d, names[t], p);
    else
        log_warn("event_lost", "there was no memory for an event on %s", names[t]);
    buf_free(w->out);
}
