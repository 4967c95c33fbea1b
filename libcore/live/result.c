#include "live/result.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "live/index.h"

/* ---- strings ----------------------------------------------------------------------------------
 */

static size_t end_of(const lq_strings *s, int i)
{
    size_t end;
    memcpy(&end, s->ends.data + (size_t)i * sizeof end, sizeof end);
    return end;
}

lq_span lq_strings_at(const lq_strings *s, int i)
{
    size_t from = i ? end_of(s, i - 1) : 0;
    return (lq_span){s->data.data + from, end_of(s, i) - from};
}

/* What was appended to data since the last one is a string. */
static bool close_string(lq_strings *s)
{
    buf_add(&s->ends, &s->data.len, sizeof s->data.len);
    s->n++;
    return !s->data.failed && !s->ends.failed;
}

static void free_strings(lq_strings *s)
{
    buf_free(&s->data);
    buf_free(&s->ends);
    s->n = 0;
}

static bool strings_equal(const lq_strings *a, const lq_strings *b)
{
    return a->n == b->n && a->data.len == b->data.len &&
           (a->n == 0 || (memcmp(a->ends.data, b->ends.data, a->ends.len) == 0 &&
                          memcmp(a->data.data, b->data.data, a->data.len) == 0));
}

/* ---- results ----------------------------------------------------------------------------------
 */

lq_result *lq_result_new(void)
{
    lq_result *r = mem_zalloc(sizeof *r);
    if (r)
        r->users = 1;
    return r;
}

lq_result *lq_result_ref(lq_result *r)
{
    r->users++;
    return r;
}

void lq_result_unref(lq_result *r)
{
    if (!r || --r->users > 0)
        return;
    if (r->counted)
        atomic_fetch_sub(r->counted, (int64_t)lq_result_bytes(r));
    buf_free(&r->columns);
    free_strings(&r->rows);
    free_strings(&r->keys);
    mem_free(r);
}

void lq_result_count(lq_result *r, _Atomic int64_t *where)
{
    r->counted = where;
    atomic_fetch_add(where, (int64_t)lq_result_bytes(r));
}

bool lq_result_columns(lq_result *r, const engine_column *cols, int n, const job_origin *origin)
{
    json_writer w;
    r->n_columns = n;
    r->n_key = origin->n_key;
    memcpy(r->key, origin->key, sizeof r->key);
    jw_init(&w, &r->columns);
    jw_begin_array(&w);
    for (int i = 0; i < n; i++) {
        jw_begin_object(&w);
        jw_key(&w, "name");
        jw_str(&w, cols[i].name);
        jw_key(&w, "type");
        jw_str(&w, cols[i].type);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    return !r->columns.failed;
}

bool lq_result_row(lq_result *r, const value *row, int n)
{
    value_pack(&r->rows.data, row, n);
    if (!close_string(&r->rows))
        return false;
    if (!r->n_key)
        return true;
    for (int i = 0; i < r->n_key; i++)
        value_pack(&r->keys.data, &row[r->key[i]], 1);
    return close_string(&r->keys);
}

bool lq_result_seal(lq_result *r, error *e)
{
    lq_index x;
    bool repeats = false;
    if (!r->n_key)
        return true;
    if (!lq_index_make(&x, &r->keys, r->keys.n))
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    for (int i = 0; i < r->keys.n && !repeats; i++)
        repeats = lq_index_add(&x, i);
    lq_index_free(&x);
    if (repeats) {
        r->n_key = 0;
        free_strings(&r->keys);
    }
    return true;
}

size_t lq_result_bytes(const lq_result *r)
{
    return sizeof *r + r->columns.len + r->rows.data.len + r->rows.ends.len + r->keys.data.len +
           r->keys.ends.len;
}

bool lq_result_alike(const lq_result *a, const lq_result *b)
{
    return a->n_columns == b->n_columns && a->n_key == b->n_key &&
           memcmp(a->key, b->key, (size_t)a->n_key * sizeof *a->key) == 0 &&
           a->columns.len == b->columns.len &&
           memcmp(a->columns.data, b->columns.data, a->columns.len) == 0;
}

bool lq_result_equal(const lq_result *a, const lq_result *b)
{
    return lq_result_alike(a, b) && strings_equal(&a->rows, &b->rows);
}
