#include "feed/filter_index.h"

#include "base/map.h"
#include "base/mem.h"
#include "feed/equality.h"

/* A column that filters ask for values of. */
typedef struct index_column {
    list link;
    int at;     /* place in the shape */
    map values; /* key of a value -> index_bucket */
} index_column;

/* Those that ask for one value. */
typedef struct index_bucket {
    index_column *column;
    char *key; /* owned */
    size_t len;
    list entries;
} index_bucket;

void filter_index_init(filter_index *x)
{
    x->shape_id = 0;
    list_init(&x->columns);
    list_init(&x->others);
}

static void column_free(index_column *c)
{
    list_unlink(&c->link);
    map_free(&c->values);
    mem_free(c);
}

static void bucket_free(index_bucket *b)
{
    map_take(&b->column->values, b->key, b->len);
    mem_free(b->key);
    mem_free(b);
}

void filter_index_free(filter_index *x)
{
    list_each_safe(it, &x->columns) column_free(list_entry(it, index_column, link));
}

static index_column *column_get(filter_index *x, int at)
{
    list_each(it, &x->columns)
    {
        index_column *c = list_entry(it, index_column, link);
        if (c->at == at)
            return c;
    }
    index_column *c = mem_zalloc(sizeof *c);
    if (!c)
        return NULL;
    c->at = at;
    list_append(&x->columns, &c->link);
    return c;
}

static index_bucket *bucket_get(index_column *c, const buf *key)
{
    index_bucket *b = map_get(&c->values, key->data, key->len);
    if (b)
        return b;
    b = mem_zalloc(sizeof *b);
    if (!b)
        return NULL;
    b->column = c;
    b->len = key->len;
    b->key = mem_strndup(key->data, key->len);
    list_init(&b->entries);
    if (b->key && map_put(&c->values, key->data, key->len, b, NULL))
        return b;
    mem_free(b->key);
    mem_free(b);
    return NULL;
}

bool filter_index_add(filter_index *x, index_entry *entry, const table_shape *shape,
                      const char *where)
{
    int column;
    buf key = BUF_INIT;
    bool ok = true;
    entry->bucket = NULL;
    if (where && equality_find(where, shape, &column, &key)) {
        index_column *c = column_get(x, column);
        entry->bucket = c ? bucket_get(c, &key) : NULL;
        ok = entry->bucket != NULL;
    }
    ok = ok && !key.failed;
    buf_free(&key);
    list_append(entry->bucket ? &entry->bucket->entries : &x->others, &entry->link);
    return ok;
}

void filter_index_remove(index_entry *entry)
{
    index_bucket *b = entry->bucket;
    list_unlink(&entry->link);
    entry->bucket = NULL;
    if (!b || !list_empty(&b->entries))
        return;
    index_column *c = b->column;
    bucket_free(b);
    if (!c->values.count)
        column_free(c);
}

static bool call_all(const list *entries, bool (*each)(void *arg, index_entry *entry), void *arg)
{
    list_each_safe(it, entries)
    {
        if (!each(arg, list_entry(it, index_entry, link)))
            return false;
    }
    return true;
}

bool filter_index_find(const filter_index *x, const table_shape *shape, const value *row,
                       bool (*each)(void *arg, index_entry *entry), void *arg)
{
    buf key = BUF_INIT;
    bool ok = call_all(&x->others, each, arg);
    list_each(it, &x->columns)
    {
        const index_column *c = list_entry(it, index_column, link);
        buf_clear(&key);
        if (!ok || !equality_key(shape, c->at, &row[c->at], &key))
            continue;
        const index_bucket *b = key.failed ? NULL : map_get(&c->values, key.data, key.len);
        ok = !key.failed && (!b || call_all(&b->entries, each, arg));
    }
    buf_free(&key);
    return ok;
}
