#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "feed/state.h"
#include "feed/where.h"

enum { ALL_OPS = 1U << OP_INSERT | 1U << OP_UPDATE | 1U << OP_DELETE };

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- what makes two requests the same ---------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* word and the sorted names, each with its length before it. */
static bool add_names(buf *key, const char *word, const char *const *names, int n)
{
    const char *sorted[FEED_MAX_TABLES > FEED_MAX_COLUMNS ? FEED_MAX_TABLES : FEED_MAX_COLUMNS];
    memcpy(sorted, names, sizeof *names * (size_t)n);
    qsort(sorted, (size_t)n, sizeof *sorted, by_name);
    buf_adds(key, word);
    for (int i = 0; i < n; i++)
        buf_addf(key, " %zu:%s", strlen(sorted[i]), sorted[i]);
    buf_addc(key, ' ');
    return !key->failed;
}

/* The filter in its normal form; empty when it lets everything pass. Where a stream is of more than
 * one table, they are part of it: their events name the table, and by the filter's id a client
 * tells them from those of another subscription. */
static bool add_filter(buf *key, const feed_request *q, error *e)
{
    op_set ops = q->ops ? q->ops : ALL_OPS;
    if (q->n_tables != 1)
        add_names(key, "tables", q->tables, q->n_tables);
    if (ops != ALL_OPS || q->where || q->n_columns) {
        for (log_op op = OP_INSERT; op <= OP_DELETE; op++) {
            if (ops & 1U << op)
                buf_addf(key, "%s ", log_op_name(op));
        }
    }
    if (q->n_columns)
        add_names(key, "columns", q->columns, q->n_columns);
    if (q->where) {
        buf normal = BUF_INIT;
        bool ok = where_normalise(q->where, &normal, e);
        buf_adds(key, "where ");
        buf_add(key, normal.data, normal.len);
        buf_free(&normal);
        if (!ok)
            return false;
    }
    return !key->failed || no_memory(e);
}

/* The first digits of the key's SHA-256: the same filter has the same id on every table, in every
 * run of the daemon. */
static bool make_filter_id(const char *normal, char out[FEED_FILTER_ID + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    out[0] = '\0';
    if (!*normal)
        return true;
    if (EVP_Digest(normal, strlen(normal), digest, NULL, EVP_sha256(), NULL) != 1)
        return false;
    for (int i = 0; i < FEED_FILTER_ID / 2; i++)
        snprintf(out + (size_t)i * 2, 3, "%02x", digest[i]);
    return true;
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static void free_sights(stream *s)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&s->sights, &at));)
        sight_free(slot->value);
    map_free(&s->sights);
    viewer_release(s->as);
}

static void stream_free(feed *f, stream *s)
{
    if (s->key)
        map_take(&f->streams, s->key, strlen(s->key));
    list_each_safe(it, &s->legs) leg_free(f, list_entry(it, leg, of_stream));
    list_each_safe(it, &s->outlets) outlet_free(list_entry(it, outlet, link));
    list_unlink(&s->everything);
    free_sights(s);
    list_unlink(&s->idle);
    list_unlink(&s->touched);
    arena_free(&s->mem);
    mem_free(s->why);
    mem_free(s->where);
    mem_free(s->key);
    mem_free(s);
}

static bool copy_columns(stream *s, const feed_request *q)
{
    if (!q->n_columns)
        return true;
    const char **to = arena_alloc(&s->mem, sizeof *to * (size_t)q->n_columns);
    for (int i = 0; to && i < q->n_columns; i++) {
        to[i] = arena_strndup(&s->mem, q->columns[i], strlen(q->columns[i]));
        if (!to[i])
            return false;
    }
    s->n_columns = q->n_columns;
    s->columns = to;
    return to != NULL;
}

static bool add_legs(feed *f, stream *s, const feed_request *q, const named_table *tables,
                     const viewer *as)
{
    for (int i = 0; i < q->n_tables; i++) {
        if (!leg_new(f, s, &tables[i], as))
            return false;
    }
    if (!q->n_tables) {
        list_append(&f->everything, &s->everything);
        s->as = viewer_hold(as);
    }
    return true;
}

/* `normal` is the part of the key that the filter's id is made of. */
static stream *stream_make(feed *f, const feed_request *q, const named_table *tables,
                           const viewer *as, const char *key, const char *normal)
{
    stream *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    list *links[] = {&s->legs, &s->everything, &s->idle, &s->touched, &s->outlets};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        list_init(links[i]);
    s->n_tables = q->n_tables;
    s->ops = q->ops ? q->ops : ALL_OPS;
    s->where = q->where ? mem_strndup(q->where, strlen(q->where)) : NULL;
    bool ok = (s->where || !q->where) && copy_columns(s, q) && make_filter_id(normal, s->filter_id);
    if (ok && map_put(&f->streams, key, strlen(key), s, NULL))
        s->key = mem_strndup(key, strlen(key));
    if (!s->key) {
        map_take(&f->streams, key, strlen(key));
        stream_free(f, s);
        return NULL;
    }
    if (!add_legs(f, s, q, tables, as)) {
        stream_free(f, s);
        return NULL;
    }
    list_append(&f->idle, &s->idle); /* until it has a subscription */
    return s;
}

/* Whether the filter fits every table. Which of its two filters is compiled does not matter. */
static bool check_filter(feed *f, const stream *s, const feed_request *q, const named_table *tables,
                         error *e)
{
    for (int i = 0; i < q->n_tables; i++) {
        leg *l = stream_leg(s, tables[i].shape->table);
        const table_shape *shape = topic_shape(f, l->topic, tables[i].shape, e);
        if (!shape || !leg_compile(f, l, l->live ? &l->past : &l->live, shape, e) ||
            !leg_find_columns(l, shape, e))
            return false;
    }
    return true;
}

/* What the viewer sees of the named table. */
static const char *key_of(const feed_request *q, const named_table *tables, const char *name)
{
    int i = 0;
    while (strcmp(q->tables[i], name) != 0)
        i++;
    return tables[i].key;
}

/* The tables in the order of their names, and then in the same order how each is seen. */
static bool add_tables(buf *key, const feed_request *q, const named_table *tables, const viewer *as)
{
    const char *sorted[FEED_MAX_TABLES];
    char everything[VIEWER_KEY + 1];
    add_names(key, "of", q->tables, q->n_tables);
    if (!q->n_tables && !viewer_key(as, everything))
        return false;
    if (!q->n_tables)
        buf_addf(key, "as %s ", everything);
    memcpy(sorted, q->tables, sizeof *sorted * (size_t)q->n_tables);
    qsort(sorted, (size_t)q->n_tables, sizeof *sorted, by_name);
    for (int i = 0; i < q->n_tables; i++)
        buf_addf(key, "as %s ", key_of(q, tables, sorted[i]));
    return !key->failed;
}

stream *stream_get(feed *f, const feed_request *q, const named_table *tables, const viewer *as,
                   error *e)
{
    buf key = BUF_INIT;
    if (!add_tables(&key, q, tables, as)) {
        buf_free(&key);
        no_memory(e);
        return NULL;
    }
    size_t filter_at = key.len;
    if (!add_filter(&key, q, e)) {
        buf_free(&key);
        return NULL;
    }
    const char *text = buf_cstr(&key);
    stream *s = key.failed ? NULL : map_get(&f->streams, text, strlen(text));
    if (!s && !key.failed)
        s = stream_make(f, q, tables, as, text, text + filter_at);
    buf_free(&key);
    if (!s) {
        no_memory(e);
        return NULL;
    }
    /* What fails here stays idle, and goes at the end of the round. */
    return check_filter(f, s, q, tables, e) ? s : NULL;
}

bool stream_ends_with(const stream *s, const log_record *rec)
{
    return s->n_tables == 1 && rec->kind == LOG_DDL && (rec->op == OP_DROP || rec->op == OP_RENAME);
}

leg *stream_leg(const stream *s, const char *table)
{
    list_each(it, &s->legs)
    {
        leg *l = list_entry(it, leg, of_stream);
        if (strcmp(l->topic->of->table, table) == 0)
            return l;
    }
    return NULL;
}

void streams_free_idle(feed *f)
{
    list *item;
    while ((item = list_pop(&f->idle)))
        stream_free(f, list_entry(item, stream, idle));
}

static void free_subs(stream *s)
{
    list *item;
    list_each(it, &s->outlets)
    {
        outlet *o = list_entry(it, outlet, link);
        while ((item = list_pop(&o->live_subs)) || (item = list_pop(&o->behind_subs)))
            sub_free(list_entry(item, sub, link));
    }
}

void streams_free_all(feed *f)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&f->streams, &at));) {
        stream *s = slot->value;
        free_subs(s);
        list_unlink(&s->idle);
        list_append(&f->idle, &s->idle);
    }
    streams_free_idle(f);
}

/* ---- a record ---------------------------------------------------------------------------------
 */

/* Of a stream of every table. */
static sight *sight_of(stream *s, const char *table)
{
    sight *one = map_get(&s->sights, table, strlen(table));
    if (one)
        return one;
    one = sight_new(s->as, table);
    if (one && map_put(&s->sights, table, strlen(table), one, NULL))
        return one;
    sight_free(one);
    return NULL;
}

lens_result stream_see(feed *f, stream *s, leg *l, const log_record *rec, const log_record **seen,
                       error *e)
{
    *seen = rec;
    if (l)
        return topic_see(f, l->topic, rec, seen, e);
    if (!s->as)
        return LENS_SHOWN;
    sight *one = sight_of(s, rec->shape->table);
    if (!one)
        return LENS_NO_MEMORY;
    if (sight_is_full(one, rec->shape))
        sight_forget(one);
    return sight_see(one, f->reader, rec, seen, e);
}

filter_verdict stream_wants(feed *f, stream *s, leg *l, bool in_replay, const log_record *rec,
                            error *e)
{
    if (!(s->ops & 1U << rec->op))
        return FILTER_NO;
    if (!s->where && !s->n_columns)
        return FILTER_YES;
    filter **slot = in_replay ? &l->past : &l->live;
    if (!leg_compile(f, l, slot, rec->shape, e) || !leg_find_columns(l, rec->shape, e))
        return e->code == ERR_INTERNAL_ERROR ? FILTER_NO_MEMORY : FILTER_FAILED;
    if (!leg_columns_changed(l, rec))
        return FILTER_NO;
    return s->where ? filter_match(*slot, rec->row, rec->old_row, e) : FILTER_YES;
}

bool stream_add(feed *f, stream *s, const log_record *rec, bool *made)
{
    if (list_empty(&s->touched))
        list_append(&f->touched, &s->touched);
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
