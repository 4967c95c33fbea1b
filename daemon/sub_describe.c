#include "daemon/sub_describe.h"

#include <string.h>

#include "daemon/conn_describe.h"
#include "daemon/ws.h"

static const char *const statuses[] = {
    [SUB_ASKED] = "pending", [SUB_INITIAL] = "initial",   [SUB_REPLAY] = "replaying",
    [SUB_LIVE] = "live",     [SUB_RESUMING] = "resuming",
};

uint64_t sub_parse_id(const char *id)
{
    return describe_parse_id('s', id);
}

const char *sub_status(const sub *s)
{
    return statuses[s->state];
}

bool sub_parse_status(const char *name, sub_state *to, error *e)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (strcmp(statuses[i], name) == 0) {
            *to = (sub_state)i;
            return true;
        }
    }
    return error_set(e, ERR_INVALID_MESSAGE,
                     "status is not \"pending\", \"replaying\", \"live\" or \"resuming\"");
}

/* "table:NAME" taken apart; a topic that is one word is its own type. */
static void put_topic(json_writer *w, const char *topic)
{
    const char *colon = strchr(topic, ':');
    jw_key(w, "subscription_type");
    jw_strn(w, topic, colon ? (size_t)(colon - topic) : strlen(topic));
    jw_key(w, "target");
    jw_str(w, colon ? colon + 1 : NULL);
}

static void put_columns(json_writer *w, const char *at)
{
    jw_key(w, "columns");
    jw_begin_array(w);
    while (*at == '\n') {
        size_t n = strcspn(++at, "\n");
        jw_strn(w, at, n);
        at += n;
    }
    jw_end_array(w);
}

static void put_filters(json_writer *w, const sub *s)
{
    jw_key(w, "filters");
    jw_begin_object(w);
    if (s->query) {
        jw_key(w, "query");
        jw_str(w, s->query);
    }
    if (s->ops) {
        jw_key(w, "ops");
        jw_begin_array(w);
        for (int op = OP_INSERT; op <= OP_DELETE; op++) {
            if (s->ops & (1u << op))
                jw_str(w, log_op_name((log_op)op));
        }
        jw_end_array(w);
    }
    if (s->where_len) {
        jw_key(w, "where");
        jw_strn(w, s->where, s->where_len);
    }
    if (s->where[s->where_len])
        put_columns(w, s->where + s->where_len);
    jw_end_object(w);
}

static void put_config(json_writer *w, const sub *s)
{
    jw_key(w, "config");
    jw_begin_object(w);
    jw_key(w, "policy");
    jw_str(w, sub_policy_name(s->policy));
    if (s->min_interval_ms) {
        jw_key(w, "min_interval");
        jw_int(w, s->min_interval_ms);
    }
    if (s->since >= 0) {
        jw_key(w, "since");
        jw_int(w, s->since);
    }
    jw_end_object(w);
}

/* Events behind. Live: those that came to its stream and that its connection has not taken yet.
 * Catching up: the records of the log that have not been looked at for it, of which some may not
 * match. Before that, nothing is known, nor is it of a live query whose next difference is to come:
 * there is none yet. */
static void put_lag(json_writer *w, const sub *s)
{
    engine_stats stats;
    jw_key(w, "lag");
    bool has_position = s->source != &s->c->r->d->results && (s->lsn > 0 || s->since >= 0);
    if (s->state != SUB_LIVE && !has_position) {
        jw_null(w);
        return;
    }
    switch (s->state) {
    case SUB_ASKED:
    case SUB_INITIAL:
        jw_null(w);
        return;
    case SUB_LIVE:
        jw_uint(w, hub_unread(s));
        return;
    case SUB_REPLAY:
    case SUB_RESUMING:
        engine_stats_get(s->c->r->d->engine, &stats);
        jw_int(w, stats.log_head > s->lsn ? stats.log_head - s->lsn : 0);
        return;
    }
}

void sub_describe(const sub *s, json_writer *w)
{
    const server *d = s->c->r->d;
    char name[32];
    hub_sub_name(s, name);
    jw_begin_object(w);
    jw_key(w, "subscription_id");
    jw_str(w, name);
    jw_key(w, "connection_id");
    jw_str(w, s->c->ws->id);
    put_topic(w, s->topic);
    put_filters(w, s);
    describe_moment(w, d, "created_at", s->created_us);
    jw_key(w, "messages_sent");
    jw_uint(w, s->sent);
    describe_moment(w, d, "last_message_at", s->sent_us);
    jw_key(w, "status");
    jw_str(w, sub_status(s));
    put_config(w, s);
    put_lag(w, s);
    jw_end_object(w);
}
