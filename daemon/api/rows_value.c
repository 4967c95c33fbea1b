/* Values and keys as the text of a path or a query. */
#include "daemon/api/rows.h"
#include "json/read.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- items ------------------------------------------------------------------------------------
 */

bool row_item_next(const char **at, char end, arena *mem, row_item *out, error *e)
{
    const char *p = *at;
    char *to = arena_alloc(mem, strlen(p) + 1);
    bool inside = false;
    if (!to)
        return rows_no_memory(e);
    *out = (row_item){.text = to, .quoted = *p == '"'};
    for (; *p && (inside || (*p != ',' && *p != end)); p++) {
        if (*p == '"')
            inside = !inside;
        else if (inside && *p == '\\' && p[1])
            to[out->n++] = *++p;
        else
            to[out->n++] = *p;
    }
    if (inside)
        return error_set(e, ERR_INVALID_MESSAGE, "a double quote is not closed: %.100s", *at);
    *at = p;
    return true;
}

bool row_item_of(const char *text, const row_column *c, arena *mem, row_item *out, error *e)
{
    size_t n = strlen(text);
    if (c->loose && n >= 2 && *text == '"' && text[n - 1] == '"')
        return row_item_next(&text, '\0', mem, out, e);
    *out = (row_item){.text = arena_strndup(mem, text, n), .n = n};
    return out->text || rows_no_memory(e);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

/* The bytes of x'HEX'; -1 when it is not that. */
static long read_hex(const char *p, size_t n, char *out)
{
    if (n < 3 || (*p | 32) != 'x' || p[1] != '\'' || p[n - 1] != '\'' || n % 2 == 0)
        return -1;
    for (size_t i = 2; i + 1 < n; i += 2) {
        int high = hex_digit(p[i]), low = hex_digit(p[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        if (out)
            out[i / 2 - 1] = (char)(high << 4 | low);
    }
    return (long)(n - 3) / 2;
}

static bool is_number(const char *p, size_t n, value *out)
{
    error e;
    if (!n || !strchr("-0123456789", *p))
        return false;
    json_t *j = json_read_text(p, n, &e);
    bool ok = json_is_number(j) && value_from_json(out, j, NULL, "", &e);
    json_decref(j);
    return ok;
}

bool row_item_value(const row_item *item, const row_column *c, arena *mem, value *out, error *e)
{
    *out = (value){.type = VALUE_TEXT, .len = item->n, .p = item->text};
    if (item->quoted)
        return true;
    if (read_hex(item->text, item->n, NULL) >= 0) {
        char *bytes = arena_alloc(mem, item->n);
        if (!bytes)
            return rows_no_memory(e);
        out->len = (size_t)read_hex(item->text, item->n, bytes);
        out->p = bytes;
        out->type = c->text ? VALUE_TEXT : VALUE_BLOB;
        return true;
    }
    if (c->loose)
        is_number(item->text, item->n, out);
    else if (!c->text && (strcmp(item->text, "true") == 0 || strcmp(item->text, "false") == 0))
        *out = (value){.type = VALUE_INT, .i = *item->text == 't'};
    return true;
}

void row_value_as_shown(const row_column *c, value *v)
{
    value number;
    if (v->type == VALUE_TEXT && !c->text && !c->loose && is_number(v->p, v->len, &number))
        *v = number;
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static bool no_such_key(const row_table *t, const char *text, error *e)
{
    char columns[sizeof e->hint];
    size_t used = 0;
    columns[0] = '\0';
    for (int i = 0; i < t->n_key && used < sizeof columns; i++)
        used += (size_t)snprintf(columns + used, sizeof columns - used, "%s%s", i ? "," : "",
                                 t->columns[t->key[i]].name);
    error_set(e, ERR_INVALID_MESSAGE,
              "the key '%.100s' does not have as many values as that of \"%s\"", text, t->name);
    return error_hint(e, "the key is %s", columns);
}

bool row_key_read(const row_table *t, const char *text, arena *mem, value **out, error *e)
{
    value *v = arena_alloc(mem, sizeof *v * (size_t)(t->n_key + 1));
    const char *at = text;
    if (!v)
        return rows_no_memory(e);
    if (!t->n_key) {
        error_set(e, ERR_NOT_FOUND, "the rows of \"%s\" have no key", t->name);
        return error_hint(e, "Name rows by a filter: /rows?COLUMN=eq.VALUE");
    }
    for (int i = 0; i < t->n_key; i++) {
        const row_column *c = &t->columns[t->key[i]];
        row_item item;
        if (t->n_key > 1 ? !row_item_next(&at, ',', mem, &item, e)
                         : !row_item_of(text, c, mem, &item, e))
            return false;
        if (t->n_key > 1 && *at != (i + 1 < t->n_key ? ',' : '\0'))
            return no_such_key(t, text, e);
        at += *at == ',';
        if (!row_item_value(&item, c, mem, &v[i], e))
            return false;
    }
    *out = v;
    return true;
}

/* What a path can carry without being taken apart: no slash (paths are decoded before they are
 * split), no dots alone, nothing that means something in a key. */
static bool is_plain(const value *v, bool alone)
{
    if (!v->len || (v->p[0] == '.' && (v->len == 1 || (v->len == 2 && v->p[1] == '.'))))
        return false;
    for (size_t i = 0; i < v->len; i++) {
        if ((unsigned char)v->p[i] < 0x20 || v->p[i] == '/' || (!alone && strchr(",\"\\", v->p[i])))
            return false;
    }
    return read_hex(v->p, v->len, NULL) < 0;
}

static void add_hex(buf *out, const value *v)
{
    buf_adds(out, "x'");
    for (size_t i = 0; i < v->len; i++)
        buf_addf(out, "%02x", (unsigned char)v->p[i]);
    buf_addc(out, '\'');
}

void row_path_add(buf *out, const char *text, size_t n)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~'";
    for (size_t i = 0; i < n; i++) {
        if (text[i] && strchr(plain, text[i]))
            buf_addc(out, text[i]);
        else
            buf_addf(out, "%%%02X", (unsigned char)text[i]);
    }
}

/* A text in a column that takes numbers for numbers: in quotes, which leaves no other way out. */
static bool add_loose_text(buf *out, const value *v)
{
    for (size_t i = 0; i < v->len; i++) {
        if ((unsigned char)v->p[i] < 0x20 || strchr("/\"\\", v->p[i]))
            return false;
    }
    buf_adds(out, "%22");
    row_path_add(out, v->p, v->len);
    buf_adds(out, "%22");
    return true;
}

static bool add_text(buf *out, const row_column *c, const value *v, bool alone)
{
    if (c->loose)
        return add_loose_text(out, v);
    if (is_plain(v, alone))
        row_path_add(out, v->p, v->len);
    else if (c->text)
        add_hex(out, v);
    else
        return false;
    return true;
}

static bool add_real(buf *out, double d)
{
    char text[32];
    if (!isfinite(d))
        return false;
    row_path_add(out, text, json_format_real(d, text));
    return true;
}

static bool add_value(buf *out, const row_column *c, const value *v, bool alone)
{
    switch (v->type) {
    case VALUE_NULL:
        return false;
    case VALUE_INT:
        buf_addf(out, "%" PRId64, v->i);
        return true;
    case VALUE_REAL:
        return add_real(out, v->d);
    case VALUE_TEXT:
        return add_text(out, c, v, alone);
    case VALUE_BLOB:
        add_hex(out, v);
        return !c->text; /* there it would be read as a text */
    }
    return false;
}

bool row_key_write(const row_table *t, const value *row, buf *out)
{
    for (int i = 0; i < t->n_key; i++) {
        if (i)
            buf_addc(out, ',');
        if (!add_value(out, &t->columns[t->key[i]], &row[t->key[i]], t->n_key == 1))
            return false;
    }
    return t->n_key > 0 && !out->failed;
}
