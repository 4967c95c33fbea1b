/* Throws documents at the CSV reader, in pieces. However they are cut, the outcome is the same; and
 * what was read, written as CSV again, reads the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/csv.h"
#include "base/utf8.h"

enum { MAX_RECORD = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct outcome {
    buf rewritten; /* the records as CSV, everything in quotes */
    csv_result end;
    error_code code;
    int columns;
} outcome;

static void rewrite(const csv_reader *c, outcome *o)
{
    if (o->columns == 0)
        o->columns = c->n_fields;
    if (c->n_fields != o->columns)
        abort();
    for (int i = 0; i < c->n_fields; i++) {
        const csv_field *f = &c->fields[i];
        if (utf8_valid(f->p, f->len) != f->len)
            abort();
        buf_adds(&o->rewritten, i ? ",\"" : "\"");
        for (size_t k = 0; k < f->len; k++) {
            if (f->p[k] == '"')
                buf_addc(&o->rewritten, '"');
            buf_addc(&o->rewritten, f->p[k]);
        }
        buf_addc(&o->rewritten, '"');
    }
    buf_addc(&o->rewritten, '\n');
}

static csv_result drain(csv_reader *c, outcome *o, error *e)
{
    csv_result r;
    while ((r = csv_next(c, e)) == CSV_RECORD)
        rewrite(c, o);
    return r;
}

static outcome read_csv(const char *p, size_t size, size_t step)
{
    outcome o = {0};
    csv_reader c;
    error e;
    error_clear(&e);
    csv_init(&c, ',', MAX_RECORD);
    csv_result r = CSV_MORE;
    for (size_t at = 0; at < size && r == CSV_MORE; at += step) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);
        memcpy(piece, p + at, n);
        csv_feed(&c, piece, n);
        r = drain(&c, &o, &e);
        free(piece);
    }
    csv_finish(&c);
    if (r == CSV_MORE)
        r = drain(&c, &o, &e);
    if (r != CSV_END && r != CSV_ERROR)
        abort();
    o.end = r;
    o.code = e.code;
    csv_free(&c);
    return o;
}

static void must_be_same(const outcome *a, const outcome *b)
{
    if (a->end != b->end || a->code != b->code || a->rewritten.len != b->rewritten.len ||
        (a->rewritten.len && memcmp(a->rewritten.data, b->rewritten.data, a->rewritten.len) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] % 17 + 1u;
    const char *p = (const char *)data + 1;
    size--;
    outcome whole = read_csv(p, size, size ? size : 1), cut = read_csv(p, size, step);
    must_be_same(&whole, &cut);
    outcome again = read_csv(whole.rewritten.data, whole.rewritten.len, 4096);
    again.end = whole.end;
    again.code = whole.code;
    must_be_same(&whole, &again);
    buf_free(&whole.rewritten);
    buf_free(&cut.rewritten);
    buf_free(&again.rewritten);
    return 0;
}
