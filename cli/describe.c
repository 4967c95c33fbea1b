#include "cli/describe.h"

#include <string.h>

#include "cli/cell.h"
#include "cli/text.h"

enum { INDENT = 2, MAX_DEPTH = 6 };

static const struct {
    const char *suffix, *unit;
} units[] = {{"_seconds", " s"}, {"_ms", " ms"}, {"_us", " us"}, {"_bytes", " bytes"}};

/* Appends the name as people read it; returns the unit that its end stood for, or "". */
static const char *add_name(buf *out, scan_text key)
{
    const char *unit = "";
    buf name = BUF_INIT;
    scan_unquote(&name, key);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = strlen(units[i].suffix);
        if (name.len > n && memcmp(name.data + name.len - n, units[i].suffix, n) == 0) {
            unit = units[i].unit;
            name.len -= n;
            break;
        }
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '_')
            name.data[i] = ' ';
    }
    if (name.len > 0)
        text_printable(out, name.data, name.len);
    buf_free(&name);
    return unit;
}

static bool nested(scan_text v)
{
    scan_kind kind = scan_kind_of(v);
    return kind == SCAN_OBJECT || kind == SCAN_ARRAY;
}

static bool skipped(scan_text key, const char *const *skip)
{
    for (; skip && *skip; skip++) {
        if (scan_is(key, *skip))
            return true;
    }
    return false;
}

static int widest_name(scan_text object, const char *const *skip)
{
    scan_items it;
    scan_text key, v;
    int widest = 0;
    scan_enter(&it, object);
    while (scan_next(&it, &key, &v)) {
        buf name = BUF_INIT;
        add_name(&name, key);
        int width = text_width(name.data, name.len);
        if (!nested(v) && !skipped(key, skip) && width > widest)
            widest = width;
        buf_free(&name);
    }
    return widest;
}

static void add_value(buf *out, scan_text v)
{
    buf text = BUF_INIT;
    cell c = cell_of(v);
    if (c.kind == CELL_NULL)
        buf_adds(&text, "-");
    else
        cell_text(&c, &text);
    text_printable(out, text.data, text.len);
    buf_free(&text);
}

static void add_items(buf *out, scan_text array, int indent)
{
    scan_items it;
    scan_text v;
    scan_enter(&it, array);
    while (scan_next(&it, NULL, &v)) {
        text_repeat(out, " ", indent);
        if (nested(v))
            text_printable(out, v.p, v.n);
        else
            add_value(out, v);
        buf_addc(out, '\n');
    }
}

static void describe(buf *out, scan_text object, int indent, const char *const *skip, int depth)
{
    scan_items it;
    scan_text key, v;
    int widest = widest_name(object, skip);
    scan_enter(&it, object);
    while (scan_next(&it, &key, &v)) {
        if (nested(v) || skipped(key, skip))
            continue;
        text_repeat(out, " ", indent);
        size_t from = out->len;
        const char *unit = add_name(out, key);
        text_repeat(out, " ", widest + 2 - text_width(out->data + from, out->len - from));
        add_value(out, v);
        buf_adds(out, scan_kind_of(v) == SCAN_NUMBER ? unit : "");
        buf_addc(out, '\n');
    }
    scan_enter(&it, object);
    while (depth < MAX_DEPTH && scan_next(&it, &key, &v)) {
        if (!nested(v) || v.n == 2 || skipped(key, skip))
            continue;
        text_repeat(out, " ", indent);
        add_name(out, key);
        buf_addc(out, '\n');
        if (scan_kind_of(v) == SCAN_OBJECT)
            describe(out, v, indent + INDENT, skip, depth + 1);
        else
            add_items(out, v, indent + INDENT);
    }
}

void describe_object(buf *out, scan_text object, int indent, const char *const *skip)
{
    describe(out, object, indent, skip, 0);
}
