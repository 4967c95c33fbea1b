#include "cli/format/format.h"

#include <string.h>

#include "base/mem.h"

static const format_ops *const formats[] = {&format_table, &format_csv, &format_json, &format_jsonl,
                                            &format_line};

format *format_new(const char *name, const format_options *options, buf *out)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            format *f = xalloc(sizeof *f);
            f->ops = formats[i];
            f->options = *options;
            f->out = out;
            return f;
        }
    }
    return NULL;
}

static void drop_names(format *f)
{
    for (int i = 0; i < f->n; i++)
        buf_free(&f->names[i]);
    mem_free(f->names);
    f->names = NULL;
    f->n = 0;
}

bool format_begin(format *f, scan_text columns)
{
    scan_items it;
    scan_text column, name;
    int n = 0;
    drop_names(f);
    if (!scan_enter(&it, columns))
        return false;
    while (scan_next(&it, NULL, &column))
        n++;
    f->names = xalloc((size_t)(n + 1) * sizeof *f->names);
    f->n = n;
    scan_enter(&it, columns);
    for (int i = 0; i < n && scan_next(&it, NULL, &column); i++) {
        if (!scan_member(column, "name", &name) || !scan_unquote(&f->names[i], name))
            return false;
    }
    f->rows = 0;
    f->ops->begin(f);
    f->results++;
    return !it.failed;
}

bool format_row(format *f, scan_text row)
{
    enum { FEW = 64 };
    cell few[FEW], *cells = few;
    scan_items it;
    scan_text value;
    int n = 0;
    if (f->n > FEW)
        cells = xalloc((size_t)f->n * sizeof *cells);
    bool good = scan_enter(&it, row) && !it.object;
    while (good && n < f->n && scan_next(&it, NULL, &value))
        cells[n++] = cell_of(value);
    good = good && n == f->n && !scan_next(&it, NULL, &value) && !it.failed;
    if (good) {
        f->ops->row(f, cells);
        f->rows++;
    }
    if (cells != few)
        mem_free(cells);
    return good;
}

void format_show(format *f)
{
    if (f->ops->show)
        f->ops->show(f);
}

void format_end(format *f)
{
    f->ops->end(f);
}

void format_free(format *f)
{
    if (!f)
        return;
    if (f->ops->free)
        f->ops->free(f);
    drop_names(f);
    mem_free(f);
}
