#include "daemon/hub.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/params.h"
#include "daemon/ws.h"
#include "wire/ws_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SEGMENT = 4096 - sizeof(hub_segment), SEGMENT = FLUSH_MAX - sizeof(hub_segment) };

void hub_sub_name(const sub *s, char out[32])
{
    snprintf(out, 32, "s%llu", (unsigned long long)s->number);
}

/* ---- streams -----------------------------------------------------------------------------------
 */

static hub_stream *stream_find(reactor *r, const char *channel_topic, uint64_t feed_id)
{
    return channel_topic ? map_get(&r->topics, channel_topic, strlen(channel_topic))
                         : map_get(&r->streams_by_feed, (const char *)&feed_id, sizeof feed_id);
}

static hub_stream *stream_get(reactor *r, const char *channel_topic, uint64_t feed_id)
{
    hub_stream *s = stream_find(r, channel_topic, feed_id);
    if (s)
        return s;
    s = xalloc(sizeof *s);
    list_init(&s->segments);
    list_init(&s->subs);
    list_init(&s->dirty_link);
    s->feed_id = feed_id;
    s->key = channel_topic ? xstrdup(channel_topic) : NULL;
    bool kept = channel_topic
                    ? map_put(&r->topics, channel_topic, strlen(channel_topic), s, NULL)
                    : map_put(&r->streams_by_feed, (const char *)&feed_id, sizeof feed_id, s, NULL);
    if (!kept) {
        mem_free(s->key);
        mem_free(s);
        return NULL;
    }
    return s;
}

static void drop_segment(hub_stream *s, hub_segment *g)
{
    list_unlink(&g->link);
    s->bytes -= g->len;
    mem_free(g);
}

static void stream_release(reactor *r, hub_stream *s)
{
    if (--s->users > 0)
        return;
    if (s->key)
        map_take(&r->topics, s->key, strlen(s->key));
    else
        map_take(&r->streams_by_feed, (const char *)&s->feed_id, sizeof s->feed_id);
    list_each_safe(it, &s->segments) drop_segment(s, list_entry(it, hub_segment, link));
    list_unlink(&s->dirty_link);
    mem_free(s->key);
    mem_free(s);
}

static hub_segment *newest(hub_stream *s)
{
    return list_empty(&s->segments) ? NULL : list_entry(s->segments.prev, hub_segment, link);
}

static hub_segment *add_segment(hub_stream *s, size_t room)
{
    size_t cap = list_empty(&s->segments) ? FIRST_SEGMENT : SEGMENT;
    if (cap < room)
        cap = room;
    hub_segment *g = mem_alloc(sizeof *g + cap);
    if (!g)
        return NULL;
    g->cursors = 0;
    g->len = 0;
    g->cap = cap;
    list_append(&s->segments, &g->link);
    return g;
}

/* ---- cursors -----------------------------------------------------------------------------------
 */

static void cursor_set(sub *s, hub_segment *g, size_t offset)
{
    if (s->at)
        s->at->cursors--;
    if (g)
        g->cursors++;
    s->at = g;
    s->offset = offset;
}

/* Gives back the segments that every cursor has left behind. */
static void trim(hub_stream *s)
{
    while (s->segments.next != s->segments.prev) {
        hub_segment *oldest = list_entry(s->segments.next, hub_segment, link);
        if (oldest->cursors)
            return;
        drop_segment(s, oldest);
    }
}

static void too_slow(sub *s)
{
    conn *c = s->c;
    log_info("slow_consumer", "connection %s fell behind on %s and is closed", c->ws->id, s->topic);
    STAT_ADD(c->r->stats.slow_consumers, 1);
    conn_end(c, 1013, "SLOW_CONSUMER: events came faster than they were read");
}

/* Past the limit the oldest segment goes, and whoever still reads it. */
static void enforce_limit(reactor *r, hub_stream *s)
{
    size_t limit = (size_t)daemon_config(r->d)->stream_buffer;
    while (s->bytes > limit && s->segments.next != s->segments.prev) {
        hub_segment *oldest = list_entry(s->segments.next, hub_segment, link);
        list_each_safe(it, &s->subs)
        {
            sub *slow = list_entry(it, sub, stream_link);
            if (slow->at != oldest)
                continue;
            cursor_set(slow, NULL, 0);
            list_unlink(&slow->stream_link);
            s->n_subs--;
            too_slow(slow);
        }
        drop_segment(s, oldest);
    }
}

static void append(reactor *r, hub_stream *s, const refbuf *frames)
{
    hub_segment *g = newest(s);
    if (!g || g->cap - g->len < frames->len)
        g = add_segment(s, frames->len);
    if (!g) { /* nobody may miss an event silently: those who wait for it are told */
        list_each_safe(it, &s->subs) too_slow(list_entry(it, sub, stream_link));
        return;
    }
    memcpy(g->data + g->len, frames->data, frames->len);
    g->len += frames->len;
    s->bytes += frames->len;
    r->appended++;
    enforce_limit(r, s);
    if (list_empty(&s->dirty_link))
        list_append(&r->dirty_streams, &s->dirty_link);
}

/* Makes a subscription read what comes from here on. */
static bool go_live(sub *s)
{
    hub_stream *stream = s->stream;
    hub_segment *g = newest(stream);
    if (!g)
        g = add_segment(stream, 0);
    if (!g)
        return false;
    s->state = SUB_LIVE;
    cursor_set(s, g, g->len);
    list_append(&stream->subs, &s->stream_link);
    stream->n_subs++;
    return true;
}

/* Writes from the cursor on, a segment at a time, until the socket is full. */
static bool deliver(sub *s)
{
    conn *c = s->c;
    while (s->at && !c->blocked) {
        hub_segment *g = s->at;
        if (s->offset < g->len) {
            size_t n = g->len - s->offset;
            const char *from = g->data + s->offset;
            s->offset = g->len;
            if (!conn_write(c, from, n))
                return false;
            STAT_ADD(c->r->stats.send_calls, 1);
            size_t frames = ws_frame_count(from, n);
            STAT_ADD(c->r->stats.frames_delivered, frames);
            STAT_ADD(c->r->stats.messages_out, frames);
            c->messages_out += frames;
        }
        if (g->link.next == &s->stream->segments)
            break;
        cursor_set(s, list_entry(g->link.next, hub_segment, link), 0);
    }
    return true;
}

bool hub_deliver(conn *c)
{
    list_each(it, &c->ws->subs)
    {
        sub *s = list_entry(it, sub, ws_link);
        if (s->state != SUB_LIVE)
            continue;
        if (!deliver(s))
            return false;
        trim(s->stream);
        if (c->blocked)
            break;
    }
    return true;
}

int hub_waiting(const reactor *r)
{
    int n = 0;
    list_each(it, &r->dirty_streams) n += list_entry(it, hub_stream, dirty_link)->n_subs;
    return n;
}

void hub_flush(reactor *r)
{
    for (list *it; (it = list_pop(&r->dirty_streams)) != NULL;) {
        hub_stream *s = list_entry(it, hub_stream, dirty_link);
        list_each_safe(link, &s->subs)
        {
            sub *one = list_entry(link, sub, stream_link);
            conn *c = one->c;
            if (c->blocked || c->state != CONN_WS)
                continue;
            /* What was queued before (the answer to `subscribe`) goes first. */
            if (!conn_flush(c) || !deliver(one))
                conn_kill(c);
        }
        trim(s);
    }
}

/* ---- subscriptions -----------------------------------------------------------------------------
 */

static sub *sub_by_number(reactor *r, uint64_t number)
{
    return map_get(&r->subs, (const char *)&number, sizeof number);
}

static void sub_free(sub *s)
{
    reactor *r = s->c->r;
    map_take(&r->subs, (const char *)&s->number, sizeof s->number);
    list_unlink(&s->ws_link);
    if (s->state == SUB_LIVE && !list_empty(&s->stream_link)) {
        list_unlink(&s->stream_link);
        s->stream->n_subs--;
    }
    cursor_set(s, NULL, 0);
    if (s->stream) {
        trim(s->stream);
        stream_release(r, s->stream);
    }
    s->c->ws->n_subs--;
    STAT_ADD(r->stats.subscriptions, -1);
    mem_free(s->topic);
    mem_free(s->key);
    mem_free(s->request_id);
    mem_free(s);
}

static void drop(sub *s)
{
    if (strncmp(s->topic, "table:", 6) == 0)
        feed_unsubscribe(s->c->r->d->feed, s->c->r->listener, s->number);
    sub_free(s);
}

void hub_forget(conn *c)
{
    list_each_safe(it, &c->ws->subs) drop(list_entry(it, sub, ws_link));
}

bool hub_unsubscribe(conn *c, const char *id)
{
    char name[32];
    list_each_safe(it, &c->ws->subs)
    {
        sub *s = list_entry(it, sub, ws_link);
        hub_sub_name(s, name);
        if (strcmp(name, id) == 0) {
            drop(s);
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
    if (c->ws->n_subs >= limit)
        return error_set(e, ERR_SUBSCRIPTION_LIMIT, "a connection may have %lld subscriptions",
                         (long long)limit);
    list_each(it, &c->ws->subs)
    {
        if (strcmp(list_entry(it, sub, ws_link)->key, key) == 0)
            return set_conflict(e);
    }
    return true;
}

static sub *sub_new(conn *c, const sub_request *q, const char *request_id, error *e)
{
    static atomic_uint_fast64_t numbers;
    buf key = BUF_INIT;
    buf_addf(&key, "%s\n%u\n%s", q->topic, q->ops, q->where ? q->where : "");
    if (!check_new(c, buf_cstr(&key), e)) {
        buf_free(&key);
        return NULL;
    }
    sub *s = xalloc(sizeof *s);
    s->c = c;
    s->number = atomic_fetch_add(&numbers, 1) + 1;
    s->topic = xstrdup(q->topic);
    s->key = xstrdup(buf_cstr(&key));
    buf_free(&key);
    s->request_id = request_id ? xstrdup(request_id) : NULL;
    list_init(&s->stream_link);
    list_append(&c->ws->subs, &s->ws_link);
    c->ws->n_subs++;
    STAT_ADD(c->r->stats.subscriptions, 1);
    if (!map_put(&c->r->subs, (const char *)&s->number, sizeof s->number, s, NULL)) {
        sub_free(s);
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    return s;
}

static void say_subscribed(sub *s, const feed_msg *m)
{
    char name[32];
    hub_sub_name(s, name);
    const sub_info info = {
        .subscription_id = name,
        .topic = s->topic,
        .filter = s->filter[0] ? s->filter : NULL,
        .log_id = m ? m->log_id : NULL,
        .lsn = m ? m->lsn : 0,
    };
    s->c->ws->protocol->subscribed(s->c, s->request_id, &info);
    mem_free(s->request_id);
    s->request_id = NULL;
}

static bool subscribe_channel(conn *c, const sub_request *q, const char *request_id, error *e)
{
    if (q->where || q->ops || q->has_since)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "a channel is live only: it takes no where, ops or since");
    if (!params_check_channel(q->topic + strlen("channel:"), e))
        return false;
    sub *s = sub_new(c, q, request_id, e);
    if (!s)
        return false;
    s->stream = stream_get(c->r, q->topic, 0);
    if (s->stream)
        s->stream->users++;
    if (!s->stream || !go_live(s)) {
        sub_free(s);
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    say_subscribed(s, NULL);
    return true;
}

static bool subscribe_table(conn *c, const sub_request *q, const char *request_id, error *e)
{
    sub *s = sub_new(c, q, request_id, e);
    if (!s)
        return false;
    const feed_request f = {
        .listener = c->r->listener,
        .sub = s->number,
        .table = q->topic + strlen("table:"),
        .ops = q->ops,
        .where = q->where,
        .has_since = q->has_since,
        .since = q->since,
        .log_id = q->log_id,
    };
    if (feed_subscribe(c->r->d->feed, &f))
        return true;
    sub_free(s);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

bool hub_subscribe(conn *c, const sub_request *q, const char *request_id, error *e)
{
    if (strncmp(q->topic, "channel:", 8) == 0)
        return subscribe_channel(c, q, request_id, e);
    if (strncmp(q->topic, "table:", 6) == 0)
        return subscribe_table(c, q, request_id, e);
    error_set(e, ERR_INVALID_MESSAGE, "there is no topic '%.100s'", q->topic);
    return error_hint(e, "Topics are table:NAME and channel:NAME.");
}

/* ---- the feed's messages -----------------------------------------------------------------------
 */

static void on_refused(sub *s, const feed_msg *m)
{
    char name[32];
    conn *c = s->c;
    hub_sub_name(s, name);
    c->ws->protocol->failed(c, s->request_id, &m->err, s->state == SUB_ASKED ? NULL : name);
    sub_free(s);
}

/* Frames that were written before the end must be read before it is told. */
static void on_ended(sub *s, const feed_msg *m)
{
    if (s->state == SUB_LIVE && !s->c->blocked && s->c->state == CONN_WS &&
        (!conn_flush(s->c) || !deliver(s))) {
        conn_kill(s->c);
        return;
    }
    if (s->state == SUB_LIVE &&
        s->at) { /* the rest of a slow reader's frames travels with the end */
        while (s->at) {
            hub_segment *g = s->at;
            refbuf *rest = refbuf_new(g->data + s->offset, g->len - s->offset);
            if (rest)
                conn_queue(s->c, rest, NULL, 0);
            bool last = g->link.next == &s->stream->segments;
            cursor_set(s, last ? NULL : list_entry(g->link.next, hub_segment, link), 0);
        }
    }
    on_refused(s, m);
}

/* The feed knows which requests come to the same stream, however they spell table and filter. */
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

static void on_subscribed(reactor *r, sub *s, feed_msg *m)
{
    s->stream = stream_get(r, NULL, m->stream);
    if (!s->stream) {
        conn_kill(s->c);
        return;
    }
    s->stream->users++;
    if (has_stream_already(s)) {
        feed_unsubscribe(r->d->feed, r->listener, s->number);
        set_conflict(&m->err);
        on_refused(s, m);
        return;
    }
    set_topic(s, m->table);
    s->state = SUB_REPLAY;
    memcpy(s->filter, m->filter, sizeof s->filter);
    say_subscribed(s, m);
}

static void on_sub_message(reactor *r, feed_msg *m)
{
    sub *s = sub_by_number(r, m->sub);
    if (!s)
        return;
    switch (m->kind) {
    case FEED_SUBSCRIBED:
        on_subscribed(r, s, m);
        break;
    case FEED_REPLAY:
        STAT_ADD(r->stats.frames_delivered, m->events);
        STAT_ADD(r->stats.send_calls, 1);
        conn_queue(s->c, m->frames, NULL, s->number);
        m->frames = NULL;
        break;
    case FEED_LIVE:
        if (!go_live(s))
            conn_kill(s->c);
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
    if (m->kind == FEED_FRAMES) {
        hub_stream *s = stream_find(r, NULL, m->stream);
        if (s && s->n_subs)
            append(r, s, m->frames);
    } else {
        on_sub_message(r, m);
    }
    feed_msg_free(m);
}

/* ---- publishing --------------------------------------------------------------------------------
 */

/* One publication on its way through all reactors. */
typedef struct publication {
    atomic_int waiting;   /* reactors that have not delivered it yet */
    atomic_llong reached; /* connections */
    char *topic;          /* NULL: everyone */
    refbuf *frame;
    conn *origin; /* held by n_runs */
    void (*done)(conn *c, void *arg, int64_t delivered);
    void *arg;
    reactor_msg answer;
} publication;

typedef struct publish_msg {
    reactor_msg m;
    publication *p;
} publish_msg;

static int64_t to_everyone(reactor *r, refbuf *frame)
{
    int64_t n = 0;
    list_each(it, &r->conns)
    {
        conn *c = list_entry(it, conn, link);
        if (c->state != CONN_WS || c->ws->who.kind == PRINCIPAL_NONE)
            continue;
        if (c->out.bytes > (size_t)daemon_config(r->d)->stream_buffer) {
            conn_end(c, 1013, "SLOW_CONSUMER: messages came faster than they were read");
            continue;
        }
        conn_queue(c, refbuf_ref(frame), NULL, 0);
        STAT_ADD(r->stats.frames_delivered, 1);
        n++;
    }
    return n;
}

static int64_t to_channel(reactor *r, const char *topic, const refbuf *frame)
{
    hub_stream *s = stream_find(r, topic, 0);
    if (!s || !s->n_subs)
        return 0;
    append(r, s, frame);
    return s->n_subs;
}

static void publication_done(reactor *r, reactor_msg *m)
{
    (void)r;
    publication *p = list_entry(m, publication, answer);
    conn *c = p->origin;
    c->n_runs--;
    p->done(c, p->arg, atomic_load(&p->reached));
    conn_reap(c);
    refbuf_unref(p->frame);
    mem_free(p->topic);
    mem_free(p);
}

static void publish_here(reactor *r, publication *p)
{
    int64_t n = p->topic ? to_channel(r, p->topic, p->frame) : to_everyone(r, p->frame);
    atomic_fetch_add(&p->reached, n);
    if (atomic_fetch_sub(&p->waiting, 1) > 1)
        return;
    reactor *home = p->origin->r;
    if (home == r) {
        publication_done(r, &p->answer);
    } else {
        p->answer.handle = publication_done;
        reactor_post(home, &p->answer);
    }
}

static void publish_arrived(reactor *r, reactor_msg *m)
{
    publish_here(r, list_entry(m, publish_msg, m)->p);
    mem_free(m);
}

void hub_publish(conn *origin, const char *channel, refbuf *frame,
                 void (*done)(conn *c, void *arg, int64_t delivered), void *arg)
{
    server *d = origin->r->d;
    publication *p = xalloc(sizeof *p);
    atomic_init(&p->waiting, d->n_reactors);
    p->frame = frame;
    p->origin = origin;
    p->done = done;
    p->arg = arg;
    origin->n_runs++;
    if (channel) {
        buf topic = BUF_INIT;
        buf_addf(&topic, "channel:%s", channel);
        p->topic = xstrdup(buf_cstr(&topic));
        buf_free(&topic);
    }
    for (int i = 0; i < d->n_reactors; i++) {
        if (d->reactors[i] == origin->r)
            continue;
        publish_msg *m = xalloc(sizeof *m);
        m->m.handle = publish_arrived;
        m->p = p;
        reactor_post(d->reactors[i], &m->m);
    }
    publish_here(origin->r, p);
}

void hub_init(reactor *r)
{
    r->topics = r->streams_by_feed = r->subs = (map){0};
}

void hub_destroy(reactor *r)
{
    map_free(&r->topics);
    map_free(&r->streams_by_feed);
    map_free(&r->subs);
}
