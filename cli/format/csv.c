#include <string.h>

#include "cli/format/format.h"

static void add_field(buf *out, const char *p, size_t n)
{
    bool quote = n == 0;
    for (size_t i = 0; i < n && !quote; i++)
        quote = p[i] == ',' || p[i] == '"' || p[i] == '\n' || p[i] == '\r';
    if (n > 0 && (p[0] == ' ' || p[n - 1] == ' '))
        quote = true;
    if (!quote) {
        buf_add(out, p, n);
        return;
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"')
            buf_addc(out, '"');
        buf_addc(out, p[i]);
    }
    buf_addc(out, '"');
}

static void csv_begin(format *f)
{
    if (f->results > 0)
        buf_addc(f->out, '\n');
    if (!f->options.header)
        return;
    for (int i = 0; i < f->n; i++) {
        if (i > 0)
            buf_addc(f->out, ',');
        add_field(f->out, f->names[i].data, f->names[i].len);
    }
    buf_addc(f->out, '\n');
}

static void csv_row(format *f, const cell *cells)
{
    buf text = BUF_INIT;
    for (int i = 0; i < f->n; i++) {
        if (i > 0)
            buf_addc(f->out, ',');
        if (cells[i].kind == CELL_NULL)
            continue;
        buf_clear(&text);
        cell_text(&cells[i], &text);
        add_field(f->out, text.data, text.len);
    }
    buf_addc(f->out, '\n');
    buf_free(&text);
}

static void csv_end(format *f)
{
    (void)f;
}

const format_ops format_csv = {.name = "csv", .begin = csv_begin, .row = csv_row, .end = csv_end};
