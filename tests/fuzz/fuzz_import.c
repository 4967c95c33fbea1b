/* Throws files at an import: JSON, JSON lines and CSV, in pieces. However they are cut, the same
 * rows come out, or the same error at the same place; and the rows are laid out as a job wants
 * them. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "daemon/row_source.h"
#include "engine/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct outcome {
    buf packed; /* the rows' columns and values */
    source_result end;
    int64_t rows, position;
    error_code code;
} outcome;

/* What the job would insert, packed into bytes. */
static void lay_out(rows *r, outcome *o)
{
    job_rows job = {0};
    error e;
    error_clear(&e);
    if (r->n_rows == 0)
        return;
    if (!rows_finish(r, "t", true, &job, &e)) {
        if (e.code != ERR_INVALID_MESSAGE)
            abort();
        return;
    }
    if (job.n_rows != r->n_rows || job.n_columns < 0 || job.n_columns > ROWS_MAX_COLUMNS)
        abort();
    for (int i = 0; i < job.n_columns; i++) {
        size_t n = strlen(job.columns[i]);
        if (utf8_valid(job.columns[i], n) != n)
            abort();
        buf_add(&o->packed, job.columns[i], n + 1);
    }
    value_pack(&o->packed, job.cells, job.n_rows * job.n_columns);
}

static source_result drain(row_source *s, rows *to, error *e)
{
    source_result r;
    while ((r = row_source_next(s, to, e)) == SOURCE_ROW)
        ;
    return r;
}

static outcome read_file(import_format format, const char *pointer, const char *p, size_t size,
                         size_t step)
{
    outcome o = {0};
    row_source s;
    rows to = {0};
    error e;
    error_clear(&e);
    if (!row_source_init(&s, format, pointer, &e))
        abort();
    source_result r = SOURCE_MORE;
    for (size_t at = 0; at < size && r == SOURCE_MORE; at += step) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);
        memcpy(piece, p + at, n);
        row_source_feed(&s, piece, n);
        r = drain(&s, &to, &e);
        free(piece);
    }
    row_source_finish(&s);
    if (r == SOURCE_MORE)
        r = drain(&s, &to, &e);
    if (r != SOURCE_END && r != SOURCE_ERROR)
        abort();
    o.end = r;
    o.rows = s.rows;
    o.code = e.code;
    o.position = e.position;
    lay_out(&to, &o);
    rows_clear(&to);
    row_source_free(&s);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const pointers[] = {"", "/a", "/0"};
    if (size < 2)
        return 0;
    size_t step = data[0] % 17 + 1u;
    import_format format = (import_format)(data[1] % 3u);
    const char *pointer = format == IMPORT_JSON ? pointers[data[1] / 3 % 3] : NULL;
    const char *p = (const char *)data + 2;
    size -= 2;
    outcome a = read_file(format, pointer, p, size, size ? size : 1);
    outcome b = read_file(format, pointer, p, size, step);
    if (a.end != b.end || a.rows != b.rows || a.code != b.code || a.position != b.position ||
        a.packed.len != b.packed.len ||
        (a.packed.len && memcmp(a.packed.data, b.packed.data, a.packed.len) != 0))
        abort();
    buf_free(&a.packed);
    buf_free(&b.packed);
    return 0;
}
