/* A table whose columns are as wide as the names and the first rows need. These rows are held until
 * there are enough of them, or `show` says that no more came for a while; later rows that are wider
 * simply overflow, so that a result of any length is shown as it arrives. */
#include <string.h>

#include "base/mem.h"
#include "cli/format/format.h"
#include "cli/text.h"

enum {
    SAMPLE_ROWS = 100,      /* rows measured before the first is shown */
    SAMPLE_BYTES = 1 << 20, /* and no more text than this */
    WIDEST = 72,            /* columns on the screen that a wide value may claim for all rows */
};

/* A cell of a held row: its text stands in table_state.text. */
typedef struct held_cell {
    size_t at, len;
    int width;
    cell_kind kind;
} held_cell;

typedef struct table_column {
    int width;
    bool right;     /* aligned right: every value so far is a number */
    bool has_value; /* a value other than NULL was seen */
} table_column;

typedef struct table_state {
    table_column *columns;
    held_cell *held; /* SAMPLE_ROWS rows of f->n cells */
    int n_held;      /* rows */
    buf text;
    bool shown; /* the header is out: rows are shown as they come */
} table_state;

static void table_free(format *f)
{
    table_state *t = f->own;
    if (!t)
        return;
    mem_free(t->columns);
    mem_free(t->held);
    buf_free(&t->text);
    mem_free(t);
    f->own = NULL;
}

static void widen(table_column *c, int width)
{
    if (width > WIDEST)
        width = WIDEST;
    if (width > c->width)
        c->width = width;
}

static void table_begin(format *f)
{
    table_free(f);
    if (f->results > 0)
        buf_addc(f->out, '\n');
    table_state *t = xalloc(sizeof *t);
    t->columns = xalloc((size_t)(f->n + 1) * sizeof *t->columns);
    t->held = xalloc((size_t)(f->n + 1) * SAMPLE_ROWS * sizeof *t->held);
    for (int i = 0; i < f->n; i++) {
        buf printable = BUF_INIT;
        widen(&t->columns[i], text_printable(&printable, f->names[i].data, f->names[i].len));
        t->columns[i].right = true;
        buf_free(&printable);
    }
    f->own = t;
}

/* One cell with its padding. The last column is not padded behind. */
static void add_cell(format *f, int i, const char *style, const char *p, size_t n, int width)
{
    const table_state *t = f->own;
    const table_column *c = &t->columns[i];
    int gap = c->width > width ? c->width - width : 0;
    bool right = c->right && c->has_value;
    buf_adds(f->out, i == 0 ? " " : f->options.utf8 ? " │ " : " | ");
    if (right)
        text_repeat(f->out, " ", gap);
    if (f->options.color)
        buf_adds(f->out, style);
    buf_add(f->out, p, n);
    if (f->options.color && *style)
        buf_adds(f->out, "\033[0m");
    if (!right && i + 1 < f->n)
        text_repeat(f->out, " ", gap);
}

static void add_header(format *f)
{
    const table_state *t = f->own;
    const char *rule = f->options.utf8 ? "─" : "-", *cross = f->options.utf8 ? "┼" : "+";
    buf name = BUF_INIT;
    if (!f->options.header)
        return;
    for (int i = 0; i < f->n; i++) {
        buf_clear(&name);
        int width = text_printable(&name, f->names[i].data, f->names[i].len);
        add_cell(f, i, "\033[1m", name.data, name.len, width);
    }
    buf_addc(f->out, '\n');
    for (int i = 0; i < f->n; i++) {
        buf_adds(f->out, i > 0 ? cross : "");
        text_repeat(f->out, rule, t->columns[i].width + 2);
    }
    buf_addc(f->out, '\n');
    buf_free(&name);
}

static void add_held_cell(format *f, int i, const held_cell *h)
{
    const table_state *t = f->own;
    add_cell(f, i, h->kind == CELL_NULL ? "\033[2m" : "", t->text.data + h->at, h->len, h->width);
}

static void table_show(format *f)
{
    table_state *t = f->own;
    if (!t || t->shown)
        return;
    t->shown = true;
    add_header(f);
    for (int r = 0; r < t->n_held; r++) {
        for (int i = 0; i < f->n; i++)
            add_held_cell(f, i, &t->held[r * f->n + i]);
        buf_addc(f->out, '\n');
    }
    t->n_held = 0;
    buf_clear(&t->text);
}

static held_cell hold(table_state *t, const cell *c)
{
    held_cell h = {.at = t->text.len, .kind = c->kind};
    if (c->kind == CELL_NULL) {
        buf_adds(&t->text, "NULL");
        h.width = 4;
    } else {
        buf raw = BUF_INIT;
        cell_text(c, &raw);
        h.width = text_printable(&t->text, raw.data, raw.len);
        buf_free(&raw);
    }
    h.len = t->text.len - h.at;
    return h;
}

static void measure(table_column *c, const held_cell *h)
{
    widen(c, h->width);
    if (h->kind != CELL_NULL) {
        c->has_value = true;
        c->right = c->right && h->kind == CELL_NUMBER;
    }
}

static void table_row(format *f, const cell *cells)
{
    table_state *t = f->own;
    if (t->shown) {
        buf_clear(&t->text);
        for (int i = 0; i < f->n; i++) {
            held_cell h = hold(t, &cells[i]);
            add_held_cell(f, i, &h);
        }
        buf_addc(f->out, '\n');
        return;
    }
    for (int i = 0; i < f->n; i++) {
        held_cell h = hold(t, &cells[i]);
        measure(&t->columns[i], &h);
        t->held[t->n_held * f->n + i] = h;
    }
    t->n_held++;
    if (t->n_held == SAMPLE_ROWS || t->text.len > SAMPLE_BYTES)
        table_show(f);
}

const format_ops format_table = {.name = "table",
                                 .begin = table_begin,
                                 .row = table_row,
                                 .show = table_show,
                                 .end = table_show,
                                 .free = table_free};
