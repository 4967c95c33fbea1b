#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "feed/state.h"
#include "feed/where.h"

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
    list_each_safe(it, &s->outlets) outlet_free(list_entry(it, outlet, link));
    filter_free(s->live);
    filter_free(s->past);
    list_unlink(&s->link);
    list_unlink(&s->idle);
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
    list_init(&s->idle);
    list_init(&s->outlets);
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

static void free_live_subs(stream *s)
{
    list *item;
    list_each(it, &s->outlets)
    {
        while ((item = list_pop(&list_entry(it, outlet, link)->live_subs)))
            sub_free(list_entry(item, sub, link));
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
            free_live_subs(s);
            stream_free(s);
        }
        mem_free(t->table);
        mem_free(t);
    }
}

/* ---- a record ---------------------------------------------------------------------------------
 */

bool stream_add(feed *f, stream *s, const log_record *rec, bool *made)
{
    list_each(it, &s->outlets)
    {
        outlet *o = list_entry(it, outlet, link);
        if (o->n_live && o->done_lsn != rec->lsn && !outlet_add(f, o, rec, made))
            return false;
    }
    return true;
}

void stream_take_back(stream *s, const log_record *rec)
{
    list_each(it, &s->outlets) outlet_take_back(list_entry(it, outlet, link), rec);
}

bool stream_finish(feed *f, stream *s, const log_record *rec)
{
    list_each(it, &s->outlets)
    {
        outlet *o = list_entry(it, outlet, link);
        if (!outlet_flush(f, o))
            return false;
        o->done_lsn = rec->lsn;
    }
    s->done_lsn = rec->lsn;
    return true;
}
