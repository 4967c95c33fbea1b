/* Tables that are followed by name, and the parts that streams have in them. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "engine/columns.h"
#include "feed/state.h"

/* ---- topics -----------------------------------------------------------------------------------
 */

followed *followed_find(const feed *f, const char *table)
{
    return map_get(&f->tables, table, strlen(table));
}

static followed *followed_get(feed *f, const char *table)
{
    followed *w = followed_find(f, table);
    if (w)
        return w;
    w = mem_zalloc(sizeof *w);
    if (!w)
        return NULL;
    list_init(&w->topics);
    w->table = mem_strndup(table, strlen(table));
    if (w->table && map_put(&f->tables, table, strlen(table), w, NULL))
        return w;
    mem_free(w->table);
    mem_free(w);
    return NULL;
}

static void followed_free_if_empty(feed *f, followed *w)
{
    if (!list_empty(&w->topics))
        return;
    map_take(&f->tables, w->table, strlen(w->table));
    mem_free(w->table);
    mem_free(w);
}

static topic *topic_in(const followed *w, const char *key)
{
    list_each(it, &w->topics)
    {
        topic *t = list_entry(it, topic, link);
        if (strcmp(t->key, key) == 0)
            return t;
    }
    return NULL;
}

/* Where the table is seen as it is comes first: its text may serve streams of every table, too. */
static void topic_enlist(followed *w, topic *t)
{
    t->of = w;
    if (t->sight)
        list_append(&w->topics, &t->link);
    else
        list_prepend(&w->topics, &t->link);
}

static topic *topic_get(feed *f, const named_table *table, const viewer *as)
{
    followed *w = followed_get(f, table->shape->table);
    topic *t = w ? topic_in(w, table->key) : NULL;
    if (t || !w)
        return t;
    t = mem_zalloc(sizeof *t);
    bool plain = !*table->key;
    if (t && !plain)
        t->sight = sight_new(as, table->shape->table);
    if (!t || (!plain && !t->sight)) {
        mem_free(t);
        followed_free_if_empty(f, w);
        return NULL;
    }
    memcpy(t->key, table->key, sizeof t->key);
    list_init(&t->legs);
    filter_index_init(&t->index);
    topic_enlist(w, t);
    return t;
}

static void topic_free_if_empty(feed *f, topic *t)
{
    if (!list_empty(&t->legs))
        return;
    list_unlink(&t->link);
    followed_free_if_empty(f, t->of);
    filter_index_free(&t->index);
    sight_free(t->sight);
    mem_free(t);
}

/* What was made for the shapes that are seen goes before them. */
static void topic_forget_shapes(topic *t)
{
    list_each(it, &t->legs)
    {
        leg *l = list_entry(it, leg, of_topic);
        filter_free(l->live);
        filter_free(l->past);
        l->live = l->past = NULL;
    }
    sight_forget(t->sight);
}

lens_result topic_see(feed *f, topic *t, const log_record *rec, const log_record **seen, error *e)
{
    *seen = rec;
    if (!t->sight)
        return LENS_SHOWN;
    if (sight_is_full(t->sight, rec->shape))
        topic_forget_shapes(t);
    return sight_see(t->sight, f->reader, rec, seen, e);
}

const table_shape *topic_shape(feed *f, topic *t, const table_shape *shape, error *e)
{
    if (!t->sight)
        return shape;
    if (sight_is_full(t->sight, shape))
        topic_forget_shapes(t);
    return sight_shape(t->sight, f->reader, shape, e);
}

bool topic_prepare(topic *t, const table_shape *shape)
{
    if (t->index.shape_id == shape->id)
        return true;
    bool ok = true;
    list_each(it, &t->legs)
    {
        leg *l = list_entry(it, leg, of_topic);
        filter_index_remove(&l->indexed);
        ok &= filter_index_add(&t->index, &l->indexed, shape, l->stream->where);
    }
    t->index.shape_id = ok ? shape->id : 0;
    return ok;
}

/* ---- legs -------------------------------------------------------------------------------------
 */

leg *leg_new(feed *f, stream *s, const named_table *table, const viewer *as)
{
    topic *t = topic_get(f, table, as);
    leg *l = t ? mem_zalloc(sizeof *l) : NULL;
    if (!l) {
        if (t)
            topic_free_if_empty(f, t);
        return NULL;
    }
    l->stream = s;
    l->topic = t;
    list_init(&l->indexed.link);
    list_append(&t->legs, &l->of_topic);
    list_append(&s->legs, &l->of_stream);
    t->index.shape_id = 0; /* made anew at the next event */
    return l;
}

void leg_free(feed *f, leg *l)
{
    filter_index_remove(&l->indexed);
    list_unlink(&l->of_topic);
    list_unlink(&l->of_stream);
    topic_free_if_empty(f, l->topic);
    filter_free(l->live);
    filter_free(l->past);
    mem_free(l->columns_at);
    mem_free(l);
}

bool leg_compile(feed *f, const leg *l, filter **slot, const table_shape *shape, error *e)
{
    const char *where = l->stream->where;
    if (!where || (*slot && filter_shape(*slot)->id == shape->id))
        return true;
    filter *fresh = filter_new(f->env, shape, where, e);
    if (!fresh)
        return false;
    filter_free(*slot);
    *slot = fresh;
    return true;
}

bool leg_find_columns(leg *l, const table_shape *shape, error *e)
{
    const stream *s = l->stream;
    if (!s->n_columns || l->columns_shape == shape->id)
        return true;
    if (!l->columns_at)
        l->columns_at = mem_alloc(sizeof *l->columns_at * (size_t)s->n_columns);
    if (!l->columns_at)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    l->columns_shape = 0;
    for (int i = 0; i < s->n_columns; i++) {
        l->columns_at[i] = column_find(shape, s->columns[i]);
        if (l->columns_at[i] < 0)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "columns: the table \"%s\" has no column \"%s\" in its events",
                             shape->table, s->columns[i]);
    }
    l->columns_shape = shape->id;
    return true;
}

bool leg_columns_changed(const leg *l, const log_record *rec)
{
    int n = l->stream->n_columns;
    if (!n || rec->op != OP_UPDATE)
        return true;
    for (int i = 0; i < n; i++) {
        int at = l->columns_at[i];
        if (!value_equal(&rec->row[at], &rec->old_row[at]))
            return true;
    }
    return false;
}
