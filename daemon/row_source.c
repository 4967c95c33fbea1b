#include "daemon/row_source.h"
#include "base/mem.h"

#include <string.h>

enum { MAX_ROW = 16 << 20 }; /* bytes of one row's text */

bool row_source_init(row_source *s, import_format format, const char *pointer, error *e)
{
    *s = (row_source){.format = format};
    if (format == IMPORT_CSV) {
        csv_init(&s->csv, ',', MAX_ROW);
        return true;
    }
    return json_scan_init(&s->scan, format == IMPORT_JSONL ? SCAN_LINES : SCAN_ARRAY, pointer,
                          MAX_ROW, e);
}

void row_source_free(row_source *s)
{
    if (s->format == IMPORT_CSV)
        csv_free(&s->csv);
    else
        json_scan_free(&s->scan);
    for (int i = 0; i < s->n_names; i++)
        mem_free(s->names[i]);
    mem_free(s->names);
}

void row_source_feed(row_source *s, const char *p, size_t n)
{
    if (s->format == IMPORT_CSV)
        csv_feed(&s->csv, p, n);
    else
        json_scan_feed(&s->scan, p, n);
}

void row_source_finish(row_source *s)
{
    if (s->format == IMPORT_CSV)
        csv_finish(&s->csv);
    else
        json_scan_finish(&s->scan);
}

/* Says which row it was that e is about. */
static source_result name_row(const row_source *s, int64_t line, int64_t offset, error *e)
{
    char what[sizeof e->message];
    error_code code = e->code;
    memcpy(what, e->message, sizeof what);
    error_set(e, code, "row %lld (line %lld): %.400s", (long long)s->rows, (long long)line, what);
    e->position = offset;
    return SOURCE_ERROR;
}

static source_result next_json(row_source *s, rows *to, error *e)
{
    const char *text;
    size_t n;
    switch (json_scan_next(&s->scan, &text, &n, e)) {
    case SCAN_MORE:
        return SOURCE_MORE;
    case SCAN_END:
        return SOURCE_END;
    case SCAN_ERROR:
        return SOURCE_ERROR;
    case SCAN_ELEMENT:
        break;
    }
    s->rows++;
    s->bytes += (int64_t)n;
    json_t *row = json_read_text(text, n, e);
    bool ok = row && rows_add_json(to, row, e);
    json_decref(row);
    return ok ? SOURCE_ROW : name_row(s, s->scan.element_line, s->scan.element_offset, e);
}

static bool keep_header(row_source *s, error *e)
{
    s->names = mem_zalloc(sizeof *s->names * (size_t)s->csv.n_fields);
    if (!s->names)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    s->n_names = s->csv.n_fields;
    for (int i = 0; i < s->n_names; i++) {
        const csv_field *f = &s->csv.fields[i];
        if (f->len == 0 || memchr(f->p, '\0', f->len))
            return error_set(e, ERR_INVALID_MESSAGE, "column %d of the header has no usable name",
                             i + 1);
        s->names[i] = mem_strndup(f->p, f->len);
        if (!s->names[i])
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        for (int k = 0; k < i; k++) {
            if (strcmp(s->names[k], s->names[i]) == 0)
                return error_set(e, ERR_INVALID_MESSAGE, "the header names '%s' twice",
                                 s->names[i]);
        }
    }
    return true;
}

static source_result next_csv(row_source *s, rows *to, error *e)
{
    for (;;) {
        switch (csv_next(&s->csv, e)) {
        case CSV_MORE:
            return SOURCE_MORE;
        case CSV_END:
            return SOURCE_END;
        case CSV_ERROR:
            return SOURCE_ERROR;
        case CSV_RECORD:
            break;
        }
        if (s->n_names)
            break;
        if (!keep_header(s, e))
            return SOURCE_ERROR;
    }
    s->rows++;
    for (int i = 0; i < s->csv.n_fields; i++)
        s->bytes += (int64_t)s->csv.fields[i].len + 1;
    if (rows_add_csv(to, (const char *const *)s->names, s->csv.fields, s->csv.n_fields, e))
        return SOURCE_ROW;
    return name_row(s, s->csv.record_line, s->csv.offset, e);
}

source_result row_source_next(row_source *s, rows *to, error *e)
{
    return s->format == IMPORT_CSV ? next_csv(s, to, e) : next_json(s, to, e);
}
