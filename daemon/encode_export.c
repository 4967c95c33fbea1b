/* A table as a file: what an import takes back. */
#include "daemon/encode.h"

#include <string.h>

/* The names of the columns, as they were told. */
typedef struct names {
    int n;
    const char **name;
    size_t *len;
} names;

static bool keep_names(run *r, const engine_column *cols, int n)
{
    arena *mem = &r->job.mem;
    names *own = arena_alloc(mem, sizeof *own);
    if (!own)
        return false;
    own->name = arena_alloc(mem, sizeof *own->name * (size_t)n);
    own->len = arena_alloc(mem, sizeof *own->len * (size_t)n);
    if (!own->name || !own->len)
        return false;
    own->n = n;
    for (int i = 0; i < n; i++) {
        own->len[i] = strlen(cols[i].name);
        own->name[i] = arena_strndup(mem, cols[i].name, own->len[i]);
        if (!own->name[i])
            return false;
    }
    r->state = own;
    return true;
}

/* ---- an object per line -----------------------------------------------------------------------
 */

static void object_columns(run *r, const engine_column *cols, int n)
{
    if (!keep_names(r, cols, n))
        r->out.failed = true;
}

static void object_row(run *r, const value *row, int n)
{
    const names *of = r->state;
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    for (int i = 0; i < n; i++) {
        jw_keyn(&r->w, of->name[i], of->len[i]);
        value_write_json(&r->w, &row[i]);
    }
    jw_end_object(&r->w);
    buf_addc(&r->out, '\n');
}

const run_encoder encode_export_jsonl = {
    .columns = object_columns,
    .row = object_row,
    .type = "application/x-ndjson",
};

/* ---- CSV (RFC 4180) ---------------------------------------------------------------------------
 */

/* Quotes tell an empty text from NULL, which is nothing at all; and a file must not begin with what
 * could be a byte order mark. */
static bool needs_quotes(const char *p, size_t n)
{
    if (n == 0 || (unsigned char)*p == 0xEF)
        return true;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"' || p[i] == ',' || p[i] == '\r' || p[i] == '\n')
            return true;
    }
    return false;
}

static void put_text(buf *out, const char *p, size_t n)
{
    if (!needs_quotes(p, n)) {
        buf_add(out, p, n);
        return;
    }
    buf_addc(out, '"');
    for (const char *end = p + n; p < end;) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        const char *to = quote ? quote + 1 : end;
        buf_add(out, p, (size_t)(to - p));
        if (quote)
            buf_addc(out, '"');
        p = to;
    }
    buf_addc(out, '"');
}

static void put_field(buf *out, const value *v)
{
    char text[32];
    switch (v->type) {
    case VALUE_NULL:
        break;
    case VALUE_INT:
        buf_addf(out, "%lld", (long long)v->i);
        break;
    case VALUE_REAL:
        if (v->d - v->d != 0)
            buf_adds(out, v->d > 0 ? "9e999" : "-9e999"); /* reads back as an infinity */
        else
            buf_add(out, text, json_format_real(v->d, text));
        break;
    case VALUE_TEXT:
        put_text(out, v->p, v->len);
        break;
    case VALUE_BLOB:
        json_add_base64(out, v->p, v->len);
        break;
    }
}

static void csv_columns(run *r, const engine_column *cols, int n)
{
    for (int i = 0; i < n; i++) {
        if (i)
            buf_addc(&r->out, ',');
        put_text(&r->out, cols[i].name, strlen(cols[i].name));
    }
    buf_adds(&r->out, "\r\n");
}

static void csv_row(run *r, const value *row, int n)
{
    for (int i = 0; i < n; i++) {
        if (i)
            buf_addc(&r->out, ',');
        put_field(&r->out, &row[i]);
    }
    buf_adds(&r->out, "\r\n");
}

const run_encoder encode_export_csv = {
    .columns = csv_columns,
    .row = csv_row,
    .type = "text/csv; charset=utf-8; header=present",
};
