#include "daemon/hub.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/hub_subs.h"
#include "daemon/ws.h"
#include "wire/ws_frame.h"

#include <string.h>

enum { FIRST_SEGMENT = 4096 - sizeof(hub_segment), SEGMENT = FLUSH_MAX - sizeof(hub_segment) };

/* ---- streams -----------------------------------------------------------------------------------
 */

static hub_stream *stream_new(void)
{
    hub_stream *s = xalloc(sizeof *s);
    list_init(&s->segments);
    list_init(&s->subs);
    list_init(&s->dirty_link);
    return s;
}

static hub_topic *topic_get(reactor *r, const char *name)
{
    hub_topic *t = map_get(&r->topics, name, strlen(name));
    if (t)
        return t;
    t = xalloc(sizeof *t);
    t->name = xstrdup(name);
    if (map_put(&r->topics, name, strlen(name), t, NULL))
        return t;
    mem_free(t->name);
    mem_free(t);
    return NULL;
}

const hub_topic *hub_topic_find(const reactor *r, const char *topic)
{
    return map_get(&r->topics, topic, strlen(topic));
}

hub_stream *hub_topic_stream(reactor *r, const char *topic, int form)
{
    hub_topic *t = topic_get(r, topic);
    if (!t)
        return NULL;
    hub_stream *s = t->streams[form];
    if (!s) {
        s = t->streams[form] = stream_new();
        s->topic = t;
        s->form = form;
        t->n_streams++;
    }
    s->users++;
    return s;
}

static hub_stream *find_source_stream(const reactor *r, uint64_t number)
{
    return map_get(&r->source_streams, (const char *)&number, sizeof number);
}

hub_stream *hub_source_stream(reactor *r, uint64_t number)
{
    hub_stream *s = find_source_stream(r, number);
    if (!s) {
        s = stream_new();
        s->number = number;
        if (!map_put(&r->source_streams, (const char *)&number, sizeof number, s, NULL)) {
            mem_free(s);
            return NULL;
        }
    }
    s->users++;
    return s;
}

static void drop_segment(hub_stream *s, hub_segment *g)
{
    list_unlink(&g->link);
    s->bytes -= g->len;
    mem_free(g);
}

static void topic_drop_stream(reactor *r, hub_topic *t, int form)
{
    t->streams[form] = NULL;
    if (--t->n_streams)
        return;
    map_take(&r->topics, t->name, strlen(t->name));
    mem_free(t->name);
    mem_free(t);
}

void hub_release(reactor *r, hub_stream *s)
{
    if (--s->users > 0)
        return;
    if (s->topic)
        topic_drop_stream(r, s->topic, s->form);
    else
        map_take(&r->source_streams, (const char *)&s->number, sizeof s->number);
    list_each_safe(it, &s->segments) drop_segment(s, list_entry(it, hub_segment, link));
    list_unlink(&s->dirty_link);
    mem_free(s->name);
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
    g->last_lsn = 0;
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

static bool is_last(const hub_stream *s, const hub_segment *g)
{
    return g->link.next == &s->segments;
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

bool hub_join(sub *s)
{
    hub_stream *stream = s->stream;
    hub_segment *g = newest(stream);
    if (!g)
        g = add_segment(stream, 0);
    if (!g)
        return false;
    cursor_set(s, g, g->len);
    s->read = stream->came;
    list_append(&stream->subs, &s->stream_link);
    stream->n_subs++;
    return true;
}

void hub_skip(sub *s, const hub_segment *g)
{
    s->read += (uint64_t)ws_frame_count(g->data + s->offset, g->len - s->offset);
    cursor_set(s, list_entry(g->link.next, hub_segment, link), 0);
}

void hub_leave(sub *s)
{
    if (!list_empty(&s->stream_link)) {
        list_unlink(&s->stream_link);
        s->stream->n_subs--;
    }
    cursor_set(s, NULL, 0);
    if (s->stream)
        trim(s->stream);
}

uint64_t hub_unread(const sub *s)
{
    return s->stream && s->at ? s->stream->came - s->read : 0;
}

void hub_leave_rest(sub *s)
{
    while (s->at) {
        hub_segment *g = s->at;
        refbuf *rest = refbuf_new(g->data + s->offset, g->len - s->offset);
        if (rest)
            conn_queue(s->c, rest, NULL, 0);
        else
            conn_kill(s->c); /* rather than leave something out silently */
        bool last = is_last(s->stream, g);
        cursor_set(s, last ? NULL : list_entry(g->link.next, hub_segment, link), 0);
    }
    hub_leave(s);
}

/* ---- new frames --------------------------------------------------------------------------------
 */

/* Past the limit the oldest segment goes, and whoever still reads it has fallen behind. */
static void enforce_limit(reactor *r, hub_stream *s)
{
    size_t limit = (size_t)daemon_config(r->d)->stream_buffer;
    while (s->bytes > limit && s->segments.next != s->segments.prev) {
        hub_segment *oldest = list_entry(s->segments.next, hub_segment, link);
        oldest->cursors++; /* ours, so that it stays until everyone has left it */
        list_each_safe(it, &s->subs)
        {
            sub *slow = list_entry(it, sub, stream_link);
            if (slow->at == oldest)
                sub_fell_behind(slow, oldest);
        }
        drop_segment(s, oldest);
    }
}

static void append(reactor *r, hub_stream *s, const refbuf *frames, int64_t lsn)
{
    hub_segment *g = newest(s);
    if (!g || g->cap - g->len < frames->len)
        g = add_segment(s, frames->len);
    if (!g) { /* nobody may miss an event silently: those who wait for it are told */
        list_each_safe(it, &s->subs) sub_cut_off(list_entry(it, sub, stream_link));
        return;
    }
    memcpy(g->data + g->len, frames->data, frames->len);
    g->len += frames->len;
    g->last_lsn = lsn;
    s->came += (uint64_t)ws_frame_count(frames->data, frames->len);
    s->bytes += frames->len;
    s->run_len = 0;
    r->appended++;
    enforce_limit(r, s);
    if (list_empty(&s->dirty_link))
        list_append(&r->dirty_streams, &s->dirty_link);
}

void hub_append(reactor *r, uint64_t number, const refbuf *frames, int64_t lsn)
{
    hub_stream *s = find_source_stream(r, number);
    if (s && s->n_subs)
        append(r, s, frames, lsn);
}

int64_t hub_append_topic(reactor *r, const char *topic, publication *p)
{
    hub_topic *t = map_get(&r->topics, topic, strlen(topic));
    int64_t reached = 0;
    for (int form = 0; t && form < FORM_COUNT; form++) {
        hub_stream *s = t->streams[form];
        if (!s || !s->n_subs)
            continue;
        const refbuf *frame = publication_frame(p, form);
        if (!frame) {
            list_each_safe(it, &s->subs) sub_cut_off(list_entry(it, sub, stream_link));
        } else if (frame->len) {
            reached += s->n_subs;
            append(r, s, frame, 0);
        }
    }
    return reached;
}

/* ---- delivery ----------------------------------------------------------------------------------
 */

static size_t count_frames(hub_stream *s, const char *from, size_t n)
{
    if (s->run != from || s->run_len != n) {
        s->run = from;
        s->run_len = n;
        s->run_frames = (size_t)ws_frame_count(from, n);
    }
    return s->run_frames;
}

/* A segment's rest, in one write. */
static bool write_rest(sub *s, const hub_segment *g, int64_t now)
{
    conn *c = s->c;
    size_t n = g->len - s->offset;
    const char *from = g->data + s->offset;
    s->offset = g->len;
    s->lsn = g->last_lsn;
    if (!conn_write(c, from, n))
        return false;
    size_t frames = count_frames(s->stream, from, n);
    STAT_ADD(c->r->stats.send_calls, 1);
    STAT_ADD(c->r->stats.frames_delivered, frames);
    STAT_ADD(c->r->stats.messages_out, frames);
    c->messages_out += frames;
    s->read += frames;
    s->sent += frames;
    s->sent_us = now;
    s->stream->sent_messages += frames;
    s->stream->sent_bytes += n;
    return true;
}

bool hub_deliver_sub(sub *s, int64_t now)
{
    if (s->lost && !sub_tell_loss(s))
        return false;
    while (s->at && !s->c->blocked) {
        hub_segment *g = s->at;
        if (s->offset < g->len && !write_rest(s, g, now))
            return false;
        if (is_last(s->stream, g))
            break;
        cursor_set(s, list_entry(g->link.next, hub_segment, link), 0);
    }
    return true;
}

bool hub_deliver(conn *c)
{
    int64_t now = clock_mono_us();
    list_each(it, &c->ws->subs)
    {
        sub *s = list_entry(it, sub, ws_link);
        if (s->state != SUB_LIVE)
            continue;
        if (!hub_deliver_sub(s, now))
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
    int64_t now = clock_mono_us();
    for (list *it; (it = list_pop(&r->dirty_streams)) != NULL;) {
        hub_stream *s = list_entry(it, hub_stream, dirty_link);
        list_each_safe(link, &s->subs)
        {
            sub *one = list_entry(link, sub, stream_link);
            conn *c = one->c;
            if (c->blocked || c->state != CONN_WS)
                continue;
            /* What was queued before (the answer to `subscribe`) goes first. */
            if (!conn_flush(c) || !hub_deliver_sub(one, now))
                conn_kill(c);
        }
        trim(s);
    }
}

/* ---- figures -----------------------------------------------------------------------------------
 */

static void count_stream(const hub_stream *s, const char *name, topic_list *to)
{
    if (s && name)
        topics_add(to, name, s->users, (int64_t)s->sent_messages, (int64_t)s->sent_bytes);
}

void hub_count_topics(const reactor *r, topic_list *to)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&r->source_streams, &at)) != NULL;) {
        const hub_stream *s = slot->value;
        count_stream(s, s->name, to);
    }
    at = 0;
    for (map_slot *slot; (slot = map_next(&r->topics, &at)) != NULL;) {
        const hub_topic *t = slot->value;
        for (int form = 0; form < FORM_COUNT; form++)
            count_stream(t->streams[form], t->name, to);
    }
}

void hub_init(reactor *r)
{
    r->topics = r->source_streams = r->subs = (map){0};
}

void hub_destroy(reactor *r)
{
    map_free(&r->topics);
    map_free(&r->source_streams);
    map_free(&r->subs);
}
