#include "live/event.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void lq_writer_free(lq_writer *w)
{
    mem_free(w->values);
    *w = (lq_writer){0};
}

static bool make_room(lq_writer *w, int n)
{
    if (n <= w->room)
        return true;
    value *values = mem_realloc(w->values, (size_t)n * sizeof *values);
    if (!values)
        return false;
    w->values = values;
    w->room = n;
    return true;
}

static void begin(json_writer *w, buf *out, const char *hash, int64_t lsn, const char *kind)
{
    char topic[32];
    snprintf(topic, sizeof topic, "query:%s", hash);
    jw_init(w, out);
    jw_begin_object(w);
    jw_key(w, "topic");
    jw_str(w, topic);
    jw_key(w, "lsn");
    jw_int(w, lsn);
    jw_key(w, "kind");
    jw_str(w, kind);
}

static void put_values(lq_writer *x, json_writer *w, lq_span packed, int n)
{
    value_unpack(packed.p, packed.n, x->values, n); /* our own packing: it is whole */
    jw_begin_array(w);
    for (int i = 0; i < n; i++)
        value_write_json(w, &x->values[i]);
    jw_end_array(w);
}

static void put_key(json_writer *w, const lq_result *r)
{
    jw_key(w, "key");
    if (!r->n_key) {
        jw_null(w);
        return;
    }
    jw_begin_array(w);
    for (int i = 0; i < r->n_key; i++)
        jw_int(w, r->key[i]);
    jw_end_array(w);
}

bool lq_event_result(lq_writer *x, buf *out, const char *hash, const lq_result *r)
{
    json_writer w;
    if (!make_room(x, r->n_columns))
        return false;
    begin(&w, out, hash, r->lsn, "result");
    put_key(&w, r);
    jw_key(&w, "columns");
    jw_raw(&w, r->columns.data, r->columns.len);
    jw_key(&w, "rows");
    jw_begin_array(&w);
    for (int i = 0; i < r->rows.n; i++)
        put_values(x, &w, lq_strings_at(&r->rows, i), r->n_columns);
    jw_end_array(&w);
    jw_end_object(&w);
    return !out->failed;
}

typedef struct diff_text {
    lq_writer *x;
    json_writer w;
    const lq_result *old, *new;
} diff_text;

static void put_removed(diff_text *t, int was)
{
    const lq_result *old = t->old;
    jw_begin_object(&t->w);
    jw_key(&t->w, "was");
    jw_int(&t->w, was);
    jw_key(&t->w, old->n_key ? "key" : "row");
    put_values(t->x, &t->w, lq_strings_at(old->n_key ? &old->keys : &old->rows, was),
               old->n_key ? old->n_key : old->n_columns);
    jw_end_object(&t->w);
}

static void put_row(diff_text *t, lq_change c)
{
    jw_begin_object(&t->w);
    if (c.was >= 0) {
        jw_key(&t->w, "was");
        jw_int(&t->w, c.was);
    }
    jw_key(&t->w, "at");
    jw_int(&t->w, c.at);
    jw_key(&t->w, "row");
    put_values(t->x, &t->w, lq_strings_at(&t->new->rows, c.at), t->new->n_columns);
    jw_end_object(&t->w);
}

typedef enum part { REMOVED, CHANGED, ADDED } part;

static void put_part(diff_text *t, const lq_diff *d, part which)
{
    static const char *const names[] = {"removed", "changed", "added"};
    jw_key(&t->w, names[which]);
    jw_begin_array(&t->w);
    for (int i = 0; i < d->n; i++) {
        lq_change c = d->changes[i];
        part is = c.at < 0 ? REMOVED : c.was < 0 ? ADDED : CHANGED;
        if (is != which)
            continue;
        if (is == REMOVED)
            put_removed(t, c.was);
        else
            put_row(t, c);
    }
    jw_end_array(&t->w);
}

bool lq_event_diff(lq_writer *x, buf *out, const char *hash, const lq_result *old,
                   const lq_result *new, const lq_diff *d)
{
    diff_text t = {.x = x, .old = old, .new = new};
    if (!make_room(x, new->n_columns))
        return false;
    begin(&t.w, out, hash, new->lsn, "diff");
    jw_key(&t.w, "since");
    jw_int(&t.w, old->lsn);
    jw_key(&t.w, "count");
    jw_int(&t.w, new->rows.n);
    put_part(&t, d, REMOVED);
    put_part(&t, d, CHANGED);
    put_part(&t, d, ADDED);
    jw_end_object(&t.w);
    return !out->failed;
}
