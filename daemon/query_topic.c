#include "daemon/query_topic.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/ws.h"

#include <stdio.h>
#include <string.h>

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static bool check(const sub_request *q, error *e)
{
    if (q->topic || q->n_tables || q->where || q->ops || q->n_columns || q->has_since || q->initial)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "a live query begins with its present result and takes no topic, tables, "
                         "where, ops, columns, since or initial");
    if (q->policy == POLICY_DROP_OLDEST) {
        error_set(e, ERR_INVALID_MESSAGE,
                  "what a live query tells builds on what it told before: nothing can be dropped");
        return error_hint(e, "The policy replay begins again with the present result.");
    }
    size_t n = strlen(q->query->sql);
    if (n > LIVE_MAX_SQL)
        return error_set(e, ERR_INVALID_MESSAGE, "the query has %zu bytes; %d are allowed", n,
                         LIVE_MAX_SQL);
    return true;
}

bool query_topic_subscribe(conn *c, const sub_request *q, const char *request_id, error *e)
{
    server *d = c->r->d;
    char hash[LIVE_HASH + 1], topic[sizeof "query:" + LIVE_HASH];
    sub_request named = *q;
    if (!check(q, e))
        return false;
    if (!queries_hash(q->query, identity_eyes(c->ws->who), hash))
        return no_memory(e);
    snprintf(topic, sizeof topic, "query:%s", hash);
    named.topic = topic;
    sub *s = hub_sub_new(c, &named, request_id, e);
    if (!s)
        return false;
    s->source = &d->results;
    s->query = xstrdup(q->query->sql);
    s->min_interval_ms = q->min_interval_ms;
    const query_request r = {
        .listener = c->r->listener,
        .sub = s->number,
        .form = ws_form_of(c),
        .stmt = q->query,
        .as = identity_eyes(c->ws->who),
        .min_interval_us = q->min_interval_ms * 1000,
    };
    if (queries_subscribe(d->live, &r))
        return true;
    hub_sub_free(s);
    return no_memory(e);
}

void query_topic_restart(sub *s)
{
    reactor *r = s->c->r;
    s->state = SUB_RESUMING;
    hub_leave(s);
    if (!queries_restart(r->d->live, r->listener, s->number))
        sub_cut_off(s);
}
