#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "live/state.h"

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- which queries read which tables ----------------------------------------------------------
 */

static lq_table *table_get(queries *f, const char *name)
{
    lq_table *t = map_get(&f->tables, name, strlen(name));
    if (t)
        return t;
    t = mem_zalloc(sizeof *t);
    if (!t)
        return NULL;
    list_init(&t->readers);
    t->name = mem_strndup(name, strlen(name));
    if (t->name && map_put(&f->tables, name, strlen(name), t, NULL))
        return t;
    mem_free(t->name);
    mem_free(t);
    return NULL;
}

static void table_release(queries *f, lq_table *t)
{
    if (!list_empty(&t->readers))
        return;
    map_take(&f->tables, t->name, strlen(t->name));
    mem_free(t->name);
    mem_free(t);
}

static void drop_reads(queries *f, lq_reads *reads, int n)
{
    for (int i = 0; i < n; i++) {
        list_unlink(&reads[i].link);
        table_release(f, reads[i].table);
    }
    mem_free(reads);
}

void lq_unwatch(queries *f, lq_query *q)
{
    drop_reads(f, q->reads, q->n_reads);
    q->reads = NULL;
    q->n_reads = 0;
}

static int count_names(const buf *names)
{
    int n = 0;
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1)
        n++;
    return n;
}

static bool has_name(const buf *names, const char *name)
{
    for (size_t at = 0; at < names->len; at += strlen(names->data + at) + 1) {
        if (strcmp(names->data + at, name) == 0)
            return true;
    }
    return false;
}

static bool same_tables(const lq_query *q, const buf *tables)
{
    if (count_names(tables) != q->n_reads)
        return false;
    for (int i = 0; i < q->n_reads; i++) {
        if (!has_name(tables, q->reads[i].table->name))
            return false;
    }
    return true;
}

static bool set_tables(queries *f, lq_query *q, const buf *tables)
{
    int n = 0;
    lq_reads *reads = mem_zalloc(sizeof *reads * (size_t)(count_names(tables) + 1));
    if (!reads)
        return false;
    for (size_t at = 0; at < tables->len; at += strlen(tables->data + at) + 1) {
        lq_table *t = table_get(f, tables->data + at);
        if (!t) {
            drop_reads(f, reads, n);
            return false;
        }
        reads[n].table = t;
        reads[n].query = q;
        list_append(&t->readers, &reads[n].link);
        n++;
    }
    lq_unwatch(f, q);
    q->reads = reads;
    q->n_reads = n;
    return true;
}

/* ---- the log ----------------------------------------------------------------------------------
 */

static void touch(lq_query *q, int64_t lsn)
{
    if (lsn > q->touched)
        q->touched = lsn;
}

static void on_touched(void *arg, const char *name, int64_t lsn)
{
    queries *f = arg;
    lq_table *t = map_get(&f->tables, name, strlen(name));
    if (!t)
        return;
    list_each(it, &t->readers)
    {
        lq_query *q = list_entry(it, lq_reads, link)->query;
        touch(q, lsn);
        lq_query_update(f, q);
    }
}

static void rerun_all(queries *f)
{
    list_each(it, &f->all)
    {
        lq_query *q = list_entry(it, lq_query, link);
        q->rerun = true;
        lq_query_update(f, q);
    }
}

bool lq_look(queries *f)
{
    error e;
    log_bounds bounds;
    int64_t head = f->at, schema = f->schema;
    atomic_store(&f->woken, false); /* before the log is read: a later wake comes anew */
    error_clear(&e);
    bool ok = engine_log_touched(f->reader, f->at, on_touched, f, &head, &schema, &e);
    if (!ok && e.code == ERR_GAP) { /* pruned faster than it was read: what changed is not known */
        ok = engine_log_bounds(f->reader, &bounds, &e);
        head = bounds.head;
        if (ok)
            rerun_all(f);
    }
    if (!ok) {
        lq_back_off(f, "looking for changes", &e);
        return false;
    }
    if (schema != f->schema)
        rerun_all(f);
    f->at = head;
    f->schema = schema;
    f->look_wanted = false;
    f->looked_at = clock_mono_us();
    lq_count(&f->n_looks, 1);
    return true;
}

static void ignore(void *arg, const char *name, int64_t lsn)
{
    (void)arg;
    (void)name;
    (void)lsn;
}

bool lq_begin_watching(queries *f, error *e)
{
    log_bounds bounds;
    atomic_store(&f->active, true); /* before the log is read: a later commit wakes us */
    if (!engine_log_bounds(f->reader, &bounds, e))
        return false;
    return engine_log_touched(f->reader, bounds.head, ignore, NULL, &f->at, &f->schema, e);
}

/* A query alone, with what happened to its tables before they were known to be its. */
static void on_touched_one(void *arg, const char *name, int64_t lsn)
{
    lq_query *q = arg;
    for (int i = 0; i < q->n_reads; i++) {
        if (strcmp(q->reads[i].table->name, name) == 0)
            touch(q, lsn);
    }
}

bool lq_watch(queries *f, lq_query *q, const buf *tables, int64_t since, error *e)
{
    int64_t head, schema;
    if (same_tables(q, tables))
        return true;
    if (!set_tables(f, q, tables))
        return no_memory(e);
    if (since >= f->at ||
        engine_log_touched(f->reader, since, on_touched_one, q, &head, &schema, e))
        return true;
    if (e->code != ERR_GAP)
        return false;
    q->rerun = true;
    return true;
}
