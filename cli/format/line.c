#include "cli/format/format.h"
#include "cli/text.h"

static void line_begin(format *f)
{
    (void)f;
}

static int name_width(const format *f)
{
    int width = 0;
    for (int i = 0; i < f->n; i++) {
        int w = text_width(f->names[i].data, f->names[i].len);
        width = w > width ? w : width;
    }
    return width;
}

static void line_row(format *f, const cell *cells)
{
    buf text = BUF_INIT;
    int width = name_width(f);
    if (f->rows > 0 || f->results > 1)
        buf_addc(f->out, '\n');
    for (int i = 0; i < f->n; i++) {
        const buf *name = &f->names[i];
        text_repeat(f->out, " ", width - text_width(name->data, name->len));
        buf_adds(f->out, f->options.color ? "\033[1m" : "");
        text_printable(f->out, name->data, name->len);
        buf_adds(f->out, f->options.color ? "\033[0m = " : " = ");
        if (cells[i].kind == CELL_NULL) {
            buf_adds(f->out, f->options.color ? "\033[2mNULL\033[0m" : "NULL");
        } else {
            buf_clear(&text);
            cell_text(&cells[i], &text);
            text_printable(f->out, text.data, text.len);
        }
        buf_addc(f->out, '\n');
    }
    buf_free(&text);
}

static void line_end(format *f)
{
    (void)f;
}

const format_ops format_line = {
    .name = "line", .begin = line_begin, .row = line_row, .end = line_end};
