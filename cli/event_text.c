#include "cli/event_text.h"

#include <string.h>

#include "cli/text.h"

static void add_raw(buf *out, scan_text v)
{
    if (v.n > 0)
        text_printable(out, v.p, v.n);
}

static void add_decoded(buf *out, scan_text v)
{
    buf text = BUF_INIT;
    if (scan_unquote(&text, v))
        text_printable(out, text.data ? text.data : "", text.len);
    buf_free(&text);
}

static bool contains(scan_text names, scan_text name)
{
    scan_items it;
    scan_text v;
    if (scan_kind_of(names) != SCAN_ARRAY || !scan_enter(&it, names))
        return false;
    while (scan_next(&it, NULL, &v)) {
        if (v.n == name.n && memcmp(v.p, name.p, v.n) == 0)
            return true;
    }
    return false;
}

/* The member of an object whose name is written as `key` is. */
static bool same_member(scan_text object, scan_text key, scan_text *value)
{
    scan_items it;
    scan_text k;
    if (scan_kind_of(object) != SCAN_OBJECT || !scan_enter(&it, object))
        return false;
    while (scan_next(&it, &k, value)) {
        if (k.n == key.n && memcmp(k.p, key.p, k.n) == 0)
            return true;
    }
    return false;
}

static void add_columns(buf *out, scan_text row, scan_text old, scan_text changed, bool color)
{
    scan_items it;
    scan_text key, v, before;
    if (scan_kind_of(row) != SCAN_OBJECT || !scan_enter(&it, row))
        return;
    while (scan_next(&it, &key, &v)) {
        bool differs = contains(changed, key) && same_member(old, key, &before);
        buf_adds(out, differs && color ? " \033[33m" : " ");
        add_decoded(out, key);
        buf_addc(out, '=');
        if (differs) {
            add_raw(out, before);
            buf_adds(out, "->");
        }
        add_raw(out, v);
        buf_adds(out, differs && color ? "\033[0m" : "");
    }
}

static const char *color_of(scan_text op)
{
    return scan_is(op, "insert") ? "\033[32m" : scan_is(op, "delete") ? "\033[31m" : "\033[36m";
}

static void add_change(buf *out, scan_text payload, scan_text op, bool color)
{
    scan_text topic = {0}, lsn = {0}, time = {0}, row = {0}, old = {0}, changed = {0};
    scan_member(payload, "topic", &topic);
    scan_member(payload, "lsn", &lsn);
    scan_member(payload, "committed_at", &time);
    scan_member(payload, "row", &row);
    scan_member(payload, "old_row", &old);
    scan_member(payload, "changed_columns", &changed);
    add_raw(out, lsn);
    buf_addc(out, ' ');
    add_decoded(out, time);
    buf_addc(out, ' ');
    buf_adds(out, color ? color_of(op) : "");
    add_decoded(out, op);
    buf_adds(out, color ? "\033[0m " : " ");
    size_t from = out->len;
    add_decoded(out, topic);
    if (out->len - from > 6 && memcmp(out->data + from, "table:", 6) == 0) {
        memmove(out->data + from, out->data + from + 6, out->len - from - 6);
        out->len -= 6;
    }
    add_columns(out, scan_kind_of(row) == SCAN_OBJECT ? row : old, old, changed, color);
}

static void add_message(buf *out, scan_text payload)
{
    scan_text v;
    if (scan_member(payload, "sent_at", &v)) {
        add_decoded(out, v);
        buf_addc(out, ' ');
    }
    if (scan_member(payload, "topic", &v))
        add_decoded(out, v);
    if (scan_member(payload, "event", &v) && scan_kind_of(v) == SCAN_STRING) {
        buf_adds(out, " [");
        add_decoded(out, v);
        buf_addc(out, ']');
    }
    if (scan_member(payload, "message", &v)) {
        buf_addc(out, ' ');
        if (scan_kind_of(v) == SCAN_STRING)
            add_decoded(out, v);
        else
            add_raw(out, v);
    }
}

/* ---- live queries -----------------------------------------------------------------------------
 */

static int count_items(scan_text array)
{
    scan_items it;
    scan_text v;
    int n = 0;
    if (!scan_enter(&it, array))
        return 0;
    while (scan_next(&it, NULL, &v))
        n++;
    return n;
}

static void add_row(buf *out, const char *mark, const char *paint, scan_text row)
{
    scan_items it;
    scan_text v;
    buf_addf(out, "\n%s%s", paint, mark);
    if (scan_enter(&it, row)) {
        while (scan_next(&it, NULL, &v)) {
            buf_addc(out, ' ');
            add_raw(out, v);
        }
    }
    buf_adds(out, *paint ? "\033[0m" : "");
}

/* The rows of one part of a difference. */
static void add_part(buf *out, scan_text payload, const char *part, const char *mark,
                     const char *paint)
{
    scan_items it;
    scan_text items, item, row;
    if (!scan_member(payload, part, &items) || !scan_enter(&it, items))
        return;
    while (scan_next(&it, NULL, &item)) {
        if (scan_member(item, "row", &row) || scan_member(item, "key", &row))
            add_row(out, mark, paint, row);
    }
}

static void add_live(buf *out, scan_text payload, scan_text kind, bool color)
{
    scan_text lsn = {0}, rows = {0}, count = {0}, row;
    scan_items it;
    scan_member(payload, "lsn", &lsn);
    add_raw(out, lsn);
    buf_addc(out, ' ');
    add_decoded(out, kind);
    buf_addc(out, ' ');
    if (scan_member(payload, "count", &count))
        add_raw(out, count);
    else if (scan_member(payload, "rows", &rows))
        buf_addf(out, "%d", count_items(rows));
    buf_adds(out, " rows");
    if (scan_kind_of(rows) == SCAN_ARRAY && scan_enter(&it, rows)) {
        while (scan_next(&it, NULL, &row))
            add_row(out, "=", "", row);
    }
    add_part(out, payload, "removed", "-", color ? "\033[31m" : "");
    add_part(out, payload, "changed", "~", color ? "\033[36m" : "");
    add_part(out, payload, "added", "+", color ? "\033[32m" : "");
}

/* ---- what the daemon tells of itself ------------------------------------------------------------
 */

static bool is_one_of(scan_text key, const char *const *names)
{
    while (*names && !scan_is(key, *names))
        names++;
    return *names != NULL;
}

static void add_members(buf *out, scan_text object, const char *const *skip)
{
    scan_items it;
    scan_text key, v;
    if (scan_kind_of(object) != SCAN_OBJECT || !scan_enter(&it, object))
        return;
    while (scan_next(&it, &key, &v)) {
        if (is_one_of(key, skip))
            continue;
        buf_addc(out, ' ');
        add_decoded(out, key);
        buf_addc(out, '=');
        add_raw(out, v);
    }
}

static void add_own(buf *out, scan_text payload, scan_text at, scan_text topic, bool color)
{
    static const char *const shown[] = {"at", "topic", "event", NULL}, *const none[] = {NULL};
    scan_text v;
    add_decoded(out, at);
    buf_addc(out, ' ');
    add_decoded(out, topic);
    if (scan_member(payload, "metrics", &v)) {
        add_members(out, v, none);
        return;
    }
    if (scan_member(payload, "event", &v)) {
        buf_adds(out, color ? " \033[36m" : " ");
        add_decoded(out, v);
        buf_adds(out, color ? "\033[0m" : "");
    }
    add_members(out, payload, shown);
}

void event_text(buf *out, scan_text payload, bool color)
{
    scan_text op, topic, kind, at;
    if (scan_member(payload, "kind", &kind) && scan_member(payload, "topic", &topic) &&
        topic.n > 7 && memcmp(topic.p, "\"query:", 7) == 0)
        add_live(out, payload, kind, color);
    else if (scan_member(payload, "at", &at) && scan_member(payload, "topic", &topic))
        add_own(out, payload, at, topic, color);
    else if (scan_member(payload, "op", &op))
        add_change(out, payload, op, color);
    else
        add_message(out, payload);
}
