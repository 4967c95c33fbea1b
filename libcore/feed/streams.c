#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "feed/state.h"
#include "feed/where.h"

enum { KEEP_PENDING = 16384 }; /* bytes of buffer that a stream keeps between slices */

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- topics -----------------------------------------------------------------------------------
 */

topic *topic_find(const feed *f, const char *table)
{
    return map_get(&f->topics, table, strlen(table));
}

static topic *topic_get(feed *f, const char *table)
{
    topic *t = topic_find(f, table);
    if (t)
        return t;
    t = mem_zalloc(sizeof *t);
    if (!t)
        return NULL;
    list_init(&t->streams);
    t->table = mem_strndup(table, strlen(table));
    if (t->table && map_put(&f->topics, table, strlen(table), t, NULL))
        return t;
    mem_free(t->table);
    mem_free(t);
    return NULL;
}

static void topic_free_if_empty(feed *f, topic *t)
{
    if (!list_empty(&t->streams))
        return;
    map_take(&f->topics, t->table, strlen(t->table));
    mem_free(t->table);
    mem_free(t);
}

/* ---- filters ----------------------------------------------------------------------------------
 */

/* The filter in its normal form; empty when it lets everything pass. */
static bool make_key(op_set ops, const char *where, buf *key, error *e)
{
    static const op_set all = 1U << OP_INSERT | 1U << OP_UPDATE | 1U << OP_DELETE;
    if (ops == all && !where)
        return true;
    for (log_op op = OP_INSERT; op <= OP_DELETE; op++) {
        if (ops & 1U << op)
            buf_addf(key, "%s ", log_op_name(op));
    }
    if (!where)
        return !key->failed || no_memory(e);
    buf_adds(key, "where ");
    buf normal = BUF_INIT;
    bool ok = where_normalise(where, &normal, e);
    buf_add(key, normal.data, normal.len);
    buf_free(&normal);
    return ok && (!key->failed || no_memory(e));
}

/* The first digits of the key's SHA-256: the same filter has the same id on every table, in every
 * run of the daemon. */
static bool make_filter_id(const char *key, char out[FEED_FILTER_ID + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    out[0] = '\0';
    if (!*key)
        return true;
    if (EVP_Digest(key, strlen(key), digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (int i = 0; i < FEED_FILTER_ID / 2; i++)
        snprintf(out + (size_t)i * 2, 3, "%02x", digest[i]);
    return true;
}

bool stream_compile(feed *f, stream *s, filter **slot, const table_shape *shape, error *e)
{
    if (!s->where || (*slot && filter_shape(*slot)->id == shape->id))
        return true;
    filter *fresh = filter_new(f->env, shape, s->where, e);
    if (!fresh)
        return false;
    filter_free(*slot);
    *slot = fresh;
    return true;
}

filter_verdict stream_wants(feed *f, stream *s, filter **slot, const log_record *rec, error *e)
{
    if (!(s->ops & 1U << rec->op))
        return FILTER_NO;
    if (!s->where)
        return FILTER_YES;
    if (!stream_compile(f, s, slot, rec->shape, e))
        return e->code == ERR_INTERNAL_ERROR ? FILTER_NO_MEMORY : FILTER_FAILED;
    return filter_match(*slot, rec->row, rec->old_row, e);
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static void stream_free(stream *s)
{
    filter_free(s->live);
    filter_free(s->past);
    list_unlink(&s->link);
    list_unlink(&s->dirty);
    list_unlink(&s->idle);
    buf_free(&s->pending);
    mem_free(s->why);
    mem_free(s->where);
    mem_free(s->key);
    mem_free(s);
}

static stream *stream_make(feed *f, topic *t, op_set ops, const char *where, const char *key)
{
    stream *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    list_init(&s->link);
    list_init(&s->dirty);
    list_init(&s->idle);
    list_init(&s->live_subs);
    s->id = ++f->last_stream;
    s->topic = t;
    s->ops = ops;
    s->key = mem_strndup(key, strlen(key));
    s->where = where ? mem_strndup(where, strlen(where)) : NULL;
    if (!s->key || (where && !s->where) || !make_filter_id(key, s->filter_id)) {
        stream_free(s);
        return NULL;
    }
    list_append(&t->streams, &s->link);
    list_append(&f->idle, &s->idle); /* until it has a subscription */
    return s;
}

static stream *stream_find(topic *t, const char *key)
{
    list_each(it, &t->streams)
    {
        stream *s = list_entry(it, stream, link);
        if (strcmp(s->key, key) == 0)
            return s;
    }
    return NULL;
}

stream *stream_get(feed *f, const table_shape *shape, op_set ops, const char *where, error *e)
{
    buf key = BUF_INIT;
    if (!make_key(ops, where, &key, e)) {
        buf_free(&key);
        return NULL;
    }
    const char *text = buf_cstr(&key);
    topic *t = key.failed ? NULL : topic_get(f, shape->table);
    stream *s = t ? stream_find(t, text) : NULL;
    if (t && !s)
        s = stream_make(f, t, ops, where, text);
    buf_free(&key);
    if (!s) {
        if (t)
            topic_free_if_empty(f, t);
        no_memory(e);
        return NULL;
    }
    /* What fails here stays idle, and goes at the end of the round. */
    return stream_compile(f, s, s->live ? &s->past : &s->live, shape, e) ? s : NULL;
}

void streams_free_idle(feed *f)
{
    list *item;
    while ((item = list_pop(&f->idle))) {
        stream *s = list_entry(item, stream, idle);
        topic *t = s->topic;
        stream_free(s);
        topic_free_if_empty(f, t);
    }
}

void streams_free_all(feed *f)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&f->topics, &at));) {
        topic *t = slot->value;
        list *item;
        while ((item = list_pop(&t->streams))) {
            stream *s = list_entry(item, stream, link);
            while ((item = list_pop(&s->live_subs)))
                sub_free(list_entry(item, sub, link));
            stream_free(s);
        }
        mem_free(t->table);
        mem_free(t);
    }
}

/* ---- frames -----------------------------------------------------------------------------------
 */

bool stream_render(feed *f, const stream *s, buf *out)
{
    size_t before = out->len, len;
    const char *json = event_text_get(&f->event, s->filter_id, &f->scratch, &len);
    if (!json)
        return false;
    f->config.render(out, json, len);
    if (!out->failed)
        return true;
    out->len = before;
    out->failed = false;
    return false;
}

bool stream_add(feed *f, stream *s, const log_record *rec)
{
    s->mark_lsn = rec->lsn;
    s->mark_len = s->pending.len;
    s->mark_events = s->pending_events;
    s->mark_last = s->pending_lsn;
    if (!stream_render(f, s, &s->pending))
        return false;
    s->pending_events++;
    s->pending_lsn = rec->lsn;
    if (list_empty(&s->dirty))
        list_append(&f->dirty, &s->dirty);
    return true;
}

void stream_take_back(stream *s, const log_record *rec)
{
    if (s->mark_lsn != rec->lsn)
        return;
    s->mark_lsn = 0;
    s->pending.len = s->mark_len;
    s->pending_events = s->mark_events;
    s->pending_lsn = s->mark_last;
    if (s->pending.len == 0)
        list_unlink(&s->dirty);
}

/* One message for each listener that follows the stream, all sharing the frames. */
static bool make_messages(const stream *s, list *out)
{
    refbuf *frames = refbuf_new(s->pending.data, s->pending.len);
    bool ok = frames != NULL;
    for (int i = 0; ok && i < FEED_MAX_LISTENERS; i++) {
        if (!s->live_at[i])
            continue;
        feed_msg *m = feed_msg_new(FEED_FRAMES, NULL);
        if (!m) {
            ok = false;
            break;
        }
        m->stream = s->id;
        m->sub = (uint64_t)i; /* the listener, until it is posted */
        m->lsn = s->pending_lsn;
        m->events = s->pending_events;
        m->frames = refbuf_ref(frames);
        list_append(out, &m->link);
    }
    refbuf_unref(frames);
    return ok;
}

bool stream_flush(feed *f, stream *s)
{
    list messages, *item;
    list_init(&messages);
    if (list_empty(&s->dirty))
        return true;
    bool ok = make_messages(s, &messages);
    while ((item = list_pop(&messages))) {
        feed_msg *m = list_entry(item, feed_msg, link);
        if (!ok) {
            feed_msg_free(m);
            continue;
        }
        int listener = (int)m->sub;
        m->sub = 0;
        feed_post(f, listener, m);
    }
    if (!ok)
        return false;
    list_unlink(&s->dirty);
    buf_clear(&s->pending);
    if (s->pending.cap > KEEP_PENDING)
        buf_free(&s->pending);
    s->pending_events = 0;
    s->mark_lsn = 0;
    return true;
}

bool streams_flush(feed *f)
{
    while (!list_empty(&f->dirty)) {
        if (!stream_flush(f, list_entry(f->dirty.next, stream, dirty)))
            return false;
    }
    return true;
}
