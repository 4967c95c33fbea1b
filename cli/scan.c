#include "cli/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

/* p at the opening quote; behind the closing one, or NULL. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '\\') {
            if (++p == end)
                return NULL;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return NULL;
}

static const char *skip_nested(const char *p, const char *end)
{
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            if (!p)
                return NULL;
            continue;
        }
        if (*p == '[' || *p == '{')
            depth++;
        else if ((*p == ']' || *p == '}') && --depth == 0)
            return p + 1;
        p++;
    }
    return NULL;
}

static bool delimiter(char c)
{
    return c == ',' || c == ']' || c == '}' || c == ':' || c == ' ' || c == '\t' || c == '\n' ||
           c == '\r';
}

/* p at the first character of a value; behind its last, or NULL. */
static const char *skip_value(const char *p, const char *end)
{
    if (p >= end)
        return NULL;
    if (*p == '"')
        return skip_string(p, end);
    if (*p == '[' || *p == '{')
        return skip_nested(p, end);
    const char *from = p;
    while (p < end && !delimiter(*p))
        p++;
    return p > from ? p : NULL;
}

scan_kind scan_kind_of(scan_text t)
{
    if (t.n == 0)
        return SCAN_NOTHING;
    switch (t.p[0]) {
    case '"':
        return SCAN_STRING;
    case '[':
        return SCAN_ARRAY;
    case '{':
        return SCAN_OBJECT;
    case 'n':
        return SCAN_NULL;
    case 't':
    case 'f':
        return SCAN_BOOL;
    default:
        return SCAN_NUMBER;
    }
}

scan_text scan_value(const char *p, size_t n)
{
    const char *end = p + n;
    p = skip_space(p, end);
    const char *to = skip_value(p, end);
    if (!to || skip_space(to, end) != end)
        return (scan_text){p, 0};
    return (scan_text){p, (size_t)(to - p)};
}

bool scan_enter(scan_items *it, scan_text t)
{
    scan_kind kind = scan_kind_of(t);
    *it = (scan_items){.p = t.p + 1, .end = t.p + t.n, .object = kind == SCAN_OBJECT};
    it->first = true;
    it->failed = kind != SCAN_OBJECT && kind != SCAN_ARRAY;
    if (it->failed)
        it->p = it->end;
    return !it->failed;
}

static bool scan_fail(scan_items *it)
{
    it->failed = true;
    return false;
}

static bool take(scan_items *it, scan_text *out)
{
    const char *to = skip_value(it->p, it->end);
    if (!to)
        return false;
    *out = (scan_text){it->p, (size_t)(to - it->p)};
    it->p = skip_space(to, it->end);
    return true;
}

bool scan_next(scan_items *it, scan_text *key, scan_text *value)
{
    if (it->failed)
        return false;
    it->p = skip_space(it->p, it->end);
    if (it->p >= it->end)
        return scan_fail(it);
    if (*it->p == (it->object ? '}' : ']'))
        return false;
    if (!it->first) {
        if (*it->p != ',')
            return scan_fail(it);
        it->p = skip_space(it->p + 1, it->end);
    }
    it->first = false;
    if (it->object) {
        scan_text name;
        if (!take(it, &name) || name.p[0] != '"' || it->p >= it->end || *it->p != ':')
            return scan_fail(it);
        it->p = skip_space(it->p + 1, it->end);
        if (key)
            *key = name;
    }
    return take(it, value) || scan_fail(it);
}

bool scan_member(scan_text object, const char *name, scan_text *value)
{
    scan_items it;
    scan_text key;
    if (scan_kind_of(object) != SCAN_OBJECT || !scan_enter(&it, object))
        return false;
    while (scan_next(&it, &key, value)) {
        if (scan_is(key, name))
            return true;
    }
    return false;
}

bool scan_is(scan_text t, const char *s)
{
    size_t n = strlen(s);
    return t.n == n + 2 && t.p[0] == '"' && memcmp(t.p + 1, s, n) == 0;
}

static void add_utf8(buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xC0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xE0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_addc(out, (char)(0xF0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    }
}

/* The four hex digits at p, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20;
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

/* p behind "\u"; behind the escape, a surrogate pair included. */
static const char *unquote_unicode(buf *out, const char *p, const char *end)
{
    int32_t c = hex4(p, end);
    if (c < 0)
        return NULL;
    p += 4;
    if (c >= 0xD800 && c <= 0xDBFF && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        int32_t low = hex4(p + 2, end);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        }
    }
    add_utf8(out, c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : (uint32_t)c);
    return p;
}

bool scan_unquote(buf *out, scan_text t)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (t.n < 2 || t.p[0] != '"')
        return false;
    const char *p = t.p + 1, *end = t.p + t.n - 1;
    while (p < end) {
        const char *stop = memchr(p, '\\', (size_t)(end - p));
        if (!stop) {
            buf_add(out, p, (size_t)(end - p));
            break;
        }
        buf_add(out, p, (size_t)(stop - p));
        p = stop + 1;
        if (p >= end)
            return false;
        const char *known = *p ? strchr(from, *p) : NULL;
        if (known) {
            buf_addc(out, to[known - from]);
            p++;
        } else if (*p != 'u' || !(p = unquote_unicode(out, p + 1, end))) {
            return false;
        }
    }
    return true;
}

bool scan_int(scan_text t, int64_t *out)
{
    char digits[32], *end;
    if (t.n == 0 || t.n >= sizeof digits)
        return false;
    memcpy(digits, t.p, t.n);
    digits[t.n] = '\0';
    if (digits[0] != '-' && (digits[0] < '0' || digits[0] > '9'))
        return false;
    errno = 0;
    long long v = strtoll(digits, &end, 10);
    if (*end || errno)
        return false;
    *out = v;
    return true;
}

static size_t digits_at(const char *p, size_t n, size_t i)
{
    size_t from = i;
    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    return i - from;
}

bool scan_is_number(const char *p, size_t n)
{
    size_t i = n > 0 && p[0] == '-' ? 1 : 0;
    size_t whole = digits_at(p, n, i);
    if (whole == 0 || (whole > 1 && p[i] == '0'))
        return false;
    i += whole;
    if (i < n && p[i] == '.') {
        size_t part = digits_at(p, n, i + 1);
        if (part == 0)
            return false;
        i += 1 + part;
    }
    if (i < n && (p[i] == 'e' || p[i] == 'E')) {
        i++;
        if (i < n && (p[i] == '+' || p[i] == '-'))
            i++;
        size_t part = digits_at(p, n, i);
        if (part == 0)
            return false;
        i += part;
    }
    return i == n;
}
