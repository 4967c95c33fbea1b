#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/format/format.h"
#include "json/writer.h"

/* The keys of the objects, ready to be written: "name": */
typedef struct json_keys {
    int n;
    buf *keys;
} json_keys;

static void drop_keys(format *f)
{
    json_keys *own = f->own;
    if (!own)
        return;
    for (int i = 0; i < own->n; i++)
        buf_free(&own->keys[i]);
    mem_free(own->keys);
    mem_free(own);
    f->own = NULL;
}

static bool taken(const json_keys *own, int n, const buf *key)
{
    for (int i = 0; i < n; i++) {
        if (own->keys[i].len == key->len && memcmp(own->keys[i].data, key->data, key->len) == 0)
            return true;
    }
    return false;
}

static void add_key(json_keys *own, int i, const buf *name)
{
    buf unique = BUF_INIT;
    buf *key = &own->keys[i];
    for (int copy = 1; copy == 1 || taken(own, i, key); copy++) {
        json_writer w;
        buf_clear(&unique);
        buf_add(&unique, name->data, name->len);
        if (copy > 1)
            buf_addf(&unique, "_%d", copy);
        buf_clear(key);
        jw_init(&w, key);
        jw_strn(&w, unique.data ? unique.data : "", unique.len);
        buf_addc(key, ':');
    }
    buf_free(&unique);
}

static void json_begin(format *f)
{
    drop_keys(f);
    json_keys *own = xalloc(sizeof *own);
    own->n = f->n;
    own->keys = xalloc((size_t)(f->n + 1) * sizeof *own->keys);
    for (int i = 0; i < f->n; i++)
        add_key(own, i, &f->names[i]);
    f->own = own;
}

static void add_object(format *f, const cell *cells)
{
    const json_keys *own = f->own;
    buf_addc(f->out, '{');
    for (int i = 0; i < f->n; i++) {
        if (i > 0)
            buf_addc(f->out, ',');
        buf_add(f->out, own->keys[i].data, own->keys[i].len);
        buf_add(f->out, cells[i].json.p, cells[i].json.n);
    }
    buf_addc(f->out, '}');
}

static void json_row(format *f, const cell *cells)
{
    buf_adds(f->out, f->rows == 0 ? "[\n" : ",\n");
    add_object(f, cells);
}

static void json_end(format *f)
{
    buf_adds(f->out, f->rows == 0 ? "[]\n" : "\n]\n");
}

static void jsonl_row(format *f, const cell *cells)
{
    add_object(f, cells);
    buf_addc(f->out, '\n');
}

static void jsonl_end(format *f)
{
    (void)f;
}

const format_ops format_json = {
    .name = "json", .begin = json_begin, .row = json_row, .end = json_end, .free = drop_keys};
const format_ops format_jsonl = {
    .name = "jsonl", .begin = json_begin, .row = jsonl_row, .end = jsonl_end, .free = drop_keys};
