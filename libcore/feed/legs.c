/* Tables that are followed by name, and the parts that streams have in them. */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "feed/columns.h"
#include "feed/state.h"

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
    list_init(&t->legs);
    filter_index_init(&t->index);
    t->table = mem_strndup(table, strlen(table));
    if (t->table && map_put(&f->topics, table, strlen(table), t, NULL))
        return t;
    mem_free(t->table);
    mem_free(t);
    return NULL;
}

static void topic_free_if_empty(feed *f, topic *t)
{
    if (!list_empty(&t->legs))
        return;
    map_take(&f->topics, t->table, strlen(t->table));
    filter_index_free(&t->index);
    mem_free(t->table);
    mem_free(t);
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

leg *leg_new(feed *f, stream *s, const char *table)
{
    topic *t = topic_get(f, table);
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
