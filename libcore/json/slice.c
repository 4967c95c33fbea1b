#include "json/slice.h"
#include "base/utf8.h"

#include <string.h>

/* A walk over a text. `fault` says what is wrong at `p`, once something is. */
typedef struct walk {
    const char *p, *end;
    int depth;
    const char *fault;
} walk;

static bool wrong(walk *w, const char *what)
{
    if (!w->fault)
        w->fault = what;
    return false;
}

static void skip_space(walk *w)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\n' || *w->p == '\r'))
        w->p++;
}

static bool at(const walk *w, char c)
{
    return w->p < w->end && *w->p == c;
}

static bool take(walk *w, char c)
{
    if (!at(w, c))
        return false;
    w->p++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- values ------------------------------------------------------------------------------------
 */

static bool skip_escape(walk *w)
{
    if (w->p == w->end || !*w->p || !strchr("\"\\/bfnrtu", *w->p))
        return wrong(w, "a wrong escape");
    if (*w->p++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, w->p++) {
        if (w->p == w->end || hex_digit(*w->p) < 0)
            return wrong(w, "\\u without four digits");
    }
    return true;
}

static bool skip_string(walk *w)
{
    if (!take(w, '"'))
        return wrong(w, "a string was expected");
    while (w->p < w->end) {
        unsigned char c = (unsigned char)*w->p;
        if (c < 0x20)
            return wrong(w, "a control character in a string");
        w->p++;
        if (c == '"')
            return true;
        if (c == '\\' && !skip_escape(w))
            return false;
    }
    return wrong(w, "a string without end");
}

static bool skip_digits(walk *w)
{
    const char *from = w->p;
    while (w->p < w->end && *w->p >= '0' && *w->p <= '9')
        w->p++;
    return w->p > from || wrong(w, "a digit was expected");
}

static bool skip_number(walk *w)
{
    take(w, '-');
    if (!take(w, '0') && !skip_digits(w))
        return false;
    if (take(w, '.') && !skip_digits(w))
        return false;
    if (!take(w, 'e') && !take(w, 'E'))
        return true;
    if (!take(w, '+'))
        take(w, '-');
    return skip_digits(w);
}

static bool skip_literal(walk *w, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(w->end - w->p) < n || memcmp(w->p, word, n) != 0)
        return wrong(w, "a value was expected");
    w->p += n;
    return true;
}

static bool skip_value(walk *w);

static bool skip_member(walk *w)
{
    skip_space(w);
    if (!skip_string(w))
        return false;
    skip_space(w);
    if (!take(w, ':'))
        return wrong(w, "':' was expected");
    return skip_value(w);
}

static bool skip_container(walk *w, char close, bool (*item)(walk *))
{
    if (++w->depth > JSON_SLICE_DEPTH)
        return wrong(w, "it is nested too deeply");
    w->p++;
    skip_space(w);
    if (!at(w, close)) {
        do {
            if (!item(w))
                return false;
            skip_space(w);
        } while (take(w, ','));
    }
    if (!take(w, close))
        return wrong(w, close == ']' ? "',' or ']' was expected" : "',' or '}' was expected");
    w->depth--;
    return true;
}

/* A value with the space before it. */
static bool skip_value(walk *w)
{
    skip_space(w);
    switch (w->p < w->end ? *w->p : '\0') {
    case '{':
        return skip_container(w, '}', skip_member);
    case '[':
        return skip_container(w, ']', skip_value);
    case '"':
        return skip_string(w);
    case 't':
        return skip_literal(w, "true");
    case 'f':
        return skip_literal(w, "false");
    case 'n':
        return skip_literal(w, "null");
    case '-':
    case '0' ... '9':
        return skip_number(w);
    default:
        return wrong(w, "a value was expected");
    }
}

/* ---- slices ------------------------------------------------------------------------------------
 */

bool json_slice_text(const char *p, size_t n, json_slice *value, error *e)
{
    walk w = {.p = n ? p : "", .end = n ? p + n : w.p};
    size_t valid = n ? utf8_valid(p, n) : 0;
    if (valid < n) {
        error_set(e, ERR_INVALID_MESSAGE, "the JSON is not valid UTF-8 at byte %zu", valid);
        e->position = (int64_t)valid;
        return false;
    }
    const char *start = w.p;
    skip_space(&w);
    value->p = w.p;
    bool ok = skip_value(&w);
    value->n = (size_t)(w.p - value->p);
    skip_space(&w);
    if (ok && w.p < w.end)
        ok = wrong(&w, "there is more behind the value");
    if (!ok) {
        error_set(e, ERR_INVALID_MESSAGE, "malformed JSON at byte %td: %s", w.p - start, w.fault);
        e->position = w.p - start;
    }
    return ok;
}

json_items json_items_of(json_slice container)
{
    bool object = container.n && *container.p == '{';
    if (!object && !(container.n && *container.p == '['))
        return (json_items){0};
    return (json_items){container.p + 1, container.p + container.n - 1, object};
}

bool json_items_next(json_items *at_item, json_slice *name, json_slice *value)
{
    walk w = {.p = at_item->p, .end = at_item->end};
    json_slice key = {0};
    skip_space(&w);
    if (w.p == w.end)
        return false;
    if (at_item->object) {
        key.p = w.p;
        skip_string(&w);
        key.n = (size_t)(w.p - key.p);
        skip_space(&w);
        take(&w, ':');
    }
    skip_space(&w);
    value->p = w.p;
    skip_value(&w);
    value->n = (size_t)(w.p - value->p);
    skip_space(&w);
    take(&w, ',');
    at_item->p = w.p;
    if (name)
        *name = key;
    return true;
}

/* One character of a string's inside, unescaped; -1 for what is not ASCII. */
static int next_char(walk *w)
{
    static const char escapes[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    char c = *w->p++;
    if (c != '\\')
        return (unsigned char)c < 0x80 ? c : -1;
    c = *w->p++;
    if (c != 'u')
        return means[strchr(escapes, c) - escapes];
    int code = 0;
    for (int i = 0; i < 4; i++)
        code = code * 16 + hex_digit(*w->p++);
    return code < 0x80 ? code : -1;
}

bool json_slice_is(json_slice string, const char *text)
{
    if (string.n < 2 || *string.p != '"')
        return false;
    walk w = {.p = string.p + 1, .end = string.p + string.n - 1};
    while (w.p < w.end) {
        if (!*text || next_char(&w) != *text++)
            return false;
    }
    return !*text;
}
