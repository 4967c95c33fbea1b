#include "daemon/hub_subs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/hub_initial.h"
#include "daemon/own_topics.h"
#include "daemon/params.h"
#include "daemon/query_topic.h"
#include "daemon/system_events.h"
#include "daemon/topic_rights.h"
#include "daemon/ws.h"
#include "json/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void hub_sub_name(const sub *s, char out[32])
{
    snprintf(out, 32, "s%" PRIu64, s->id);
}

static const char *const policies[] = {
    [POLICY_DISCONNECT] = "disconnect",
    [POLICY_DROP_OLDEST] = "drop_oldest",
    [POLICY_REPLAY] = "replay",
};

const char *sub_policy_name(sub_policy policy)
{
    return policies[policy];
}

bool sub_parse_policy(const char *name, sub_policy *to)
{
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        if (strcmp(policies[i], name) == 0) {
            *to = (sub_policy)i;
            return true;
        }
    }
    return false;
}

static uint64_t next_number(void)
{
    static atomic_uint_fast64_t numbers;
    return atomic_fetch_add(&numbers, 1) + 1;
}

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- life --------------------------------------------------------------------------------------
 */

static sub *by_number(reactor *r, uint64_t number)
{
    return map_get(&r->subs, (const char *)&number, sizeof number);
}

static bool enlist(sub *s)
{
    return map_put(&s->c->r->subs, (const char *)&s->number, sizeof s->number, s, NULL);
}

static void kept_free(kept_request *k)
{
    if (!k)
        return;
    arena_free(&k->mem);
    mem_free(k);
}

static void tell_watch(sub *s, const error *e)
{
    sub_watch *w = s->watch;
    s->watch = NULL;
    if (w)
        w->told(w, s, e);
}

void hub_sub_free(sub *s)
{
    reactor *r = s->c->r;
    if (s->watch) {
        error gone;
        error_set(&gone, ERR_NOT_FOUND, "the connection went before it was subscribed");
        tell_watch(s, &gone);
    }
    if (s->listening)
        atomic_fetch_sub(s->listening, 1);
    map_take(&r->subs, (const char *)&s->number, sizeof s->number);
    list_unlink(&s->ws_link);
    hub_leave(s);
    if (s->stream)
        hub_release(r, s->stream);
    s->c->ws->n_subs--;
    STAT_ADD(r->stats.subscriptions, -1);
    initial_forget(s);
    kept_free(s->kept);
    for (int i = 0; i < s->n_tables; i++)
        mem_free(s->tables[i]);
    mem_free(s->tables);
    mem_free(s->shown);
    mem_free(s->topic);
    mem_free(s->key);
    mem_free(s->query);
    mem_free(s->request_id);
    mem_free(s);
}

void hub_sub_drop(sub *s)
{
    if (s->source)
        s->source->unsubscribe(s->source->self, s->c->r->listener, s->number);
    hub_sub_free(s);
}

/* Tells the client that there is no subscription, or no longer. What was asked for on its behalf
 * and never came to be is no news to it: who asked gets the error. */
static void tell_failed(sub *s, const error *e)
{
    char name[32];
    conn *c = s->c;
    if (s->watch)
        return;
    hub_sub_name(s, name);
    c->ws->protocol->failed(c, s->request_id, e, s->state == SUB_ASKED ? NULL : name);
}

void hub_cancel(sub *s, const error *why)
{
    tell_failed(s, why);
    hub_sub_drop(s);
}

void hub_forget(conn *c)
{
    list_each_safe(it, &c->ws->subs) hub_sub_drop(list_entry(it, sub, ws_link));
}

bool hub_unsubscribe(conn *c, const char *id)
{
    char name[32];
    list_each_safe(it, &c->ws->subs)
    {
        sub *s = list_entry(it, sub, ws_link);
        hub_sub_name(s, name);
        if (strcmp(name, id) == 0) {
            hub_sub_drop(s);
            return true;
        }
    }
    return false;
}

static bool set_conflict(error *e)
{
    return error_set(e, ERR_CONFLICT,
                     "this connection has a subscription to this topic and filter");
}

static bool check_new(conn *c, const char *key, error *e)
{
    int64_t limit = daemon_config(c->r->d)->max_subscriptions;
    if (c->ws->n_subs >= limit) {
        error_set(e, ERR_SUBSCRIPTION_LIMIT, "a connection may have %lld subscriptions",
                  (long long)limit);
        system_limit_hit(c->r->d, c, e);
        return false;
    }
    list_each(it, &c->ws->subs)
    {
        if (strcmp(list_entry(it, sub, ws_link)->key, key) == 0)
            return set_conflict(e);
    }
    return true;
}

/* Only a list of them: the name of a single one is in the topic. */
static void keep_tables(sub *s, const sub_request *q)
{
    if (strncmp(q->topic, "table:", 6) == 0 || !q->n_tables)
        return;
    s->tables = xalloc(sizeof *s->tables * (size_t)q->n_tables);
    for (; s->n_tables < q->n_tables; s->n_tables++)
        s->tables[s->n_tables] = xstrdup(q->tables[s->n_tables]);
}

sub *hub_sub_new(conn *c, const sub_request *q, const char *request_id, error *e)
{
    buf key = BUF_INIT;
    buf_addf(&key, "%s\n%u\n", q->topic, q->ops);
    size_t where = key.len;
    buf_adds(&key, q->where ? q->where : "");
    for (int i = 0; i < q->n_columns; i++)
        buf_addf(&key, "\n%s", q->columns[i]);
    if (!check_new(c, buf_cstr(&key), e)) {
        buf_free(&key);
        return NULL;
    }
    sub *s = xalloc(sizeof *s);
    s->c = c;
    s->id = s->number = next_number();
    s->policy = q->policy;
    s->created_us = clock_mono_us();
    s->since = q->has_since ? q->since : -1;
    s->lsn = q->has_since ? q->since : 0;
    s->ops = q->ops;
    s->topic = xstrdup(q->topic);
    s->key = xstrdup(buf_cstr(&key));
    s->where = s->key + where;
    s->where_len = q->where ? (unsigned)strlen(q->where) : 0;
    buf_free(&key);
    s->request_id = request_id ? xstrdup(request_id) : NULL;
    keep_tables(s, q);
    list_init(&s->stream_link);
    list_append(&c->ws->subs, &s->ws_link);
    c->ws->n_subs++;
    STAT_ADD(c->r->stats.subscriptions, 1);
    if (!enlist(s)) {
        hub_sub_free(s);
        no_memory(e);
        return NULL;
    }
    return s;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

void hub_say_subscribed(sub *s, const feed_msg *m)
{
    char name[32];
    hub_sub_name(s, name);
    const sub_info info = {
        .subscription_id = name,
        .topic = s->topic,
        .filter = s->filter[0] ? s->filter : NULL,
        .log_id = m && m->log_id[0] ? m->log_id : NULL,
        .lsn = m ? m->lsn : 0,
    };
    s->c->ws->protocol->subscribed(s->c, s->request_id, &info);
    mem_free(s->request_id);
    s->request_id = NULL;
    tell_watch(s, NULL);
}

bool hub_check_live_only(const sub_request *q, const char *what, error *e)
{
    if (q->where || q->ops || q->n_columns || q->has_since || q->initial ||
        q->policy == POLICY_REPLAY)
        return error_set(
            e, ERR_INVALID_MESSAGE,
            "%s is live only: it takes no where, ops, columns, since, initial or policy replay",
            what);
    return true;
}

static bool subscribe_channel(conn *c, const sub_request *q, const char *request_id, error *e)
{
    if (!hub_check_live_only(q, "a channel", e) ||
        !params_check_channel(q->topic + strlen("channel:"), e))
        return false;
    sub *s = hub_sub_new(c, q, request_id, e);
    if (!s)
        return false;
    s->stream = hub_topic_stream(c->r, q->topic, ws_form_of(c));
    if (!s->stream || !hub_join(s)) {
        hub_sub_free(s);
        return no_memory(e);
    }
    s->state = SUB_LIVE;
    hub_say_subscribed(s, NULL);
    return true;
}

static bool keep(sub *s, const feed_request *q)
{
    s->kept = xalloc(sizeof *s->kept);
    if (!feed_request_copy(&s->kept->q, q, &s->kept->mem))
        return false;
    s->kept->q.log_id = NULL;
    return true;
}

static bool subscribe_tables(conn *c, const sub_request *q, const char *request_id, error *e)
{
    sub *s = !q->initial || initial_check(q, e) ? hub_sub_new(c, q, request_id, e) : NULL;
    if (!s)
        return false;
    const feed_request f = {
        .listener = c->r->listener,
        .sub = s->number,
        .form = ws_form_of(c),
        .n_tables = q->n_tables,
        .tables = q->tables,
        .read_to = q->read_to,
        .ops = q->ops,
        .where = q->where,
        .n_columns = q->n_columns,
        .columns = q->columns,
        .has_since = q->has_since,
        .since = q->since,
        .log_id = q->log_id,
        .as = identity_eyes(c->ws->who),
    };
    s->source = &c->r->d->tables;
    s->initial = q->initial;
    if (((q->policy != POLICY_REPLAY && !q->initial) || keep(s, &f)) &&
        feed_subscribe(c->r->d->feed, &f))
        return true;
    hub_sub_free(s);
    return no_memory(e);
}

/* "tables:" and the names, as the answer shows them. */
static bool subscribe_list(conn *c, const sub_request *q, const char *request_id, error *e)
{
    buf topic = BUF_INIT;
    sub_request named = *q;
    buf_adds(&topic, "tables:");
    for (int i = 0; i < q->n_tables; i++)
        buf_addf(&topic, "%s%s", i ? "," : "", q->tables[i]);
    named.topic = buf_cstr(&topic);
    bool ok = topic.failed ? no_memory(e) : subscribe_tables(c, &named, request_id, e);
    buf_free(&topic);
    return ok;
}

bool hub_subscribe(conn *c, const sub_request *q, const char *request_id, error *e)
{
    bool ok;
    if (q->of_metrics && (!q->topic || strcmp(q->topic, "metrics") != 0))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "interval and metrics go with the topic metrics alone");
    if (!topic_rights_subscribe(c, q, e))
        return false;
    if (q->query)
        return query_topic_subscribe(c, q, request_id, e);
    if (!q->topic)
        return subscribe_list(c, q, request_id, e);
    if (strncmp(q->topic, "channel:", 8) == 0)
        return subscribe_channel(c, q, request_id, e);
    if (strcmp(q->topic, "tables:*") == 0)
        return subscribe_tables(c, q, request_id, e);
    if (strncmp(q->topic, "table:", 6) == 0) {
        sub_request one = *q;
        one.n_tables = 1;
        one.tables = (const char *const[]){q->topic + strlen("table:")};
        return subscribe_tables(c, &one, request_id, e);
    }
    if (own_topic_subscribe(c, q, request_id, e, &ok))
        return ok;
    error_set(e, ERR_INVALID_MESSAGE, "there is no topic '%.100s'", q->topic);
    return error_hint(
        e, "Topics are table:NAME, tables:*, channel:NAME, metrics, queries and system.");
}

/* ---- falling behind ----------------------------------------------------------------------------
 */

void sub_cut_off(sub *s)
{
    conn *c = s->c;
    log_info("slow_consumer", "connection %s fell behind on %s and is closed", c->ws->id, s->topic);
    STAT_ADD(c->r->stats.slow_consumers, 1);
    system_slow_consumer(s, "disconnect");
    hub_leave(s);
    conn_end(c, 1013, "SLOW_CONSUMER: events came faster than they were read");
}

/* Its source forgets it, and what still comes of it finds nobody. */
static void detach(sub *s)
{
    reactor *r = s->c->r;
    s->source->unsubscribe(s->source->self, r->listener, s->number);
    map_take(&r->subs, (const char *)&s->number, sizeof s->number);
    hub_leave(s);
}

void hub_sub_ask_again(sub *s)
{
    s->number = next_number();
    s->state = SUB_RESUMING;
    s->kept->q.sub = s->number;
    s->kept->q.as = identity_eyes(s->c->ws->who); /* it sees what the one sees that asked first */
    if (!enlist(s) || !feed_subscribe(s->c->r->d->feed, &s->kept->q))
        sub_cut_off(s);
}

/* Asks the log for what it has not read (a live query: for its present result); its stream follows
 * behind that. */
static void resume(sub *s)
{
    if (s->source == &s->c->r->d->results) {
        query_topic_restart(s);
        return;
    }
    detach(s);
    s->kept->q.has_since = true;
    s->kept->q.since = s->lsn;
    s->kept->q.read_to = NULL; /* it was live, and so is behind all of them */
    hub_sub_ask_again(s);
}

void sub_fell_behind(sub *s, const hub_segment *oldest)
{
    switch (s->policy) {
    case POLICY_DISCONNECT:
        sub_cut_off(s);
        return;
    case POLICY_DROP_OLDEST:
        s->lost = true;
        s->lost_to = oldest->last_lsn;
        STAT_ADD(s->c->r->stats.slow_consumers, 1);
        system_slow_consumer(s, "drop_oldest");
        hub_skip(s, oldest);
        return;
    case POLICY_REPLAY:
        STAT_ADD(s->c->r->stats.slow_consumers, 1);
        system_slow_consumer(s, "replay");
        resume(s);
        return;
    }
}

bool sub_tell_loss(sub *s)
{
    char name[32];
    buf json = BUF_INIT;
    json_writer w;
    s->lost = false;
    hub_sub_name(s, name);
    jw_init(&w, &json);
    jw_begin_object(&w);
    jw_key(&w, "code");
    jw_str(&w, error_describe(ERR_GAP)->name);
    jw_key(&w, "message");
    jw_str(&w, "messages came faster than they were read; some were left out");
    jw_key(&w, "subscription_id");
    jw_str(&w, name);
    if (s->lost_to) {
        jw_key(&w, "from");
        jw_int(&w, s->lsn + 1);
        jw_key(&w, "to");
        jw_int(&w, s->lost_to);
    }
    jw_key(&w, "continues");
    jw_bool(&w, true);
    jw_end_object(&w);
    ws_say(s->c, "error", json.data, json.len);
    buf_free(&json);
    return conn_flush(s->c);
}

/* ---- the sources' messages ---------------------------------------------------------------------
 */

static void on_refused(sub *s, const feed_msg *m)
{
    tell_failed(s, &m->err);
    tell_watch(s, &m->err);
    hub_sub_free(s);
}

/* Frames that were written before the end must be read before it is told, and so must be what it
 * has missed. */
static void on_ended(sub *s, const feed_msg *m)
{
    if ((s->state == SUB_LIVE && !s->c->blocked && s->c->state == CONN_WS &&
         (!conn_flush(s->c) || !hub_deliver_sub(s, clock_mono_us()))) ||
        (s->lost && !sub_tell_loss(s))) {
        conn_kill(s->c);
        return;
    }
    hub_leave_rest(s); /* a slow reader's: it travels with the end */
    on_refused(s, m);
}

/* The source knows which requests come to the same stream, however they spell table and filter. */
static bool has_stream_already(const sub *s)
{
    list_each(it, &s->c->ws->subs)
    {
        const sub *other = list_entry(it, sub, ws_link);
        if (other != s && other->stream == s->stream)
            return true;
    }
    return false;
}

/* The topic as its events have it, however the request spelled the table. */
static void set_topic(sub *s, const char *table)
{
    buf topic = BUF_INIT;
    buf_addf(&topic, "table:%s", table);
    mem_free(s->topic);
    s->topic = xstrdup(buf_cstr(&topic));
    buf_free(&topic);
}

/* The stream may be another one than before: its table was made anew, or nobody else held it. */
static bool take_stream(reactor *r, sub *s, uint64_t number)
{
    if (s->stream)
        hub_release(r, s->stream);
    s->stream = hub_source_stream(r, number);
    return s->stream != NULL;
}

static void on_subscribed(reactor *r, sub *s, feed_msg *m)
{
    bool anew = s->state == SUB_ASKED;
    if (!take_stream(r, s, m->stream)) {
        conn_kill(s->c);
        return;
    }
    if (anew && has_stream_already(s)) {
        s->source->unsubscribe(s->source->self, r->listener, s->number);
        set_conflict(&m->err);
        on_refused(s, m);
        return;
    }
    s->state = SUB_REPLAY;
    if (anew && s->since < 0)
        s->lsn = m->lsn;
    if (anew && m->table)
        set_topic(s, m->table);
    if (!s->stream->name)
        s->stream->name = xstrdup(s->topic);
    if (!anew)
        return;
    memcpy(s->filter, m->filter, sizeof s->filter);
    hub_say_subscribed(s, m);
    if (s->initial) {
        s->shown = m->shown;
        m->shown = NULL;
        detach(s);
        initial_start(s);
    }
}

static void on_replay(sub *s, feed_msg *m)
{
    reactor *r = s->c->r;
    STAT_ADD(r->stats.frames_delivered, m->events);
    STAT_ADD(r->stats.send_calls, 1);
    s->lsn = m->lsn;
    s->sent += (uint64_t)m->events;
    s->sent_us = clock_mono_us();
    s->stream->sent_messages += (uint64_t)m->events;
    s->stream->sent_bytes += m->frames->len - m->skip;
    conn_queue_part(s->c, m->frames, m->skip, NULL, s->number);
    m->frames = NULL;
}

static void on_live(sub *s, const feed_msg *m)
{
    s->lsn = m->lsn;
    s->state = SUB_LIVE;
    if (!hub_join(s))
        conn_kill(s->c);
}

static void on_sub_message(reactor *r, feed_msg *m)
{
    sub *s = by_number(r, m->sub);
    if (!s)
        return;
    switch (m->kind) {
    case FEED_SUBSCRIBED:
        on_subscribed(r, s, m);
        break;
    case FEED_REPLAY:
        on_replay(s, m);
        break;
    case FEED_LIVE:
        on_live(s, m);
        break;
    case FEED_REFUSED:
        on_refused(s, m);
        break;
    case FEED_ENDED:
        on_ended(s, m);
        break;
    case FEED_FRAMES:
        break;
    }
}

void hub_on_feed(reactor *r, feed_msg *m)
{
    if (m->kind == FEED_FRAMES)
        hub_append(r, m->stream, m->frames, m->lsn);
    else
        on_sub_message(r, m);
    feed_msg_free(m);
}

void hub_on_written(reactor *r, uint64_t number, size_t bytes)
{
    const sub *s = by_number(r, number);
    if (s && s->source)
        s->source->ack(s->source->self, r->listener, number, bytes);
}
