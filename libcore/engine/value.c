#include "engine/value.h"

#include <string.h>

void value_write_json(json_writer *w, const value *v)
{
    switch (v->type) {
    case VALUE_NULL:
        jw_null(w);
        return;
    case VALUE_INT:
        jw_int(w, v->i);
        return;
    case VALUE_REAL:
        jw_real(w, v->d);
        return;
    case VALUE_TEXT:
        jw_strn(w, v->p, v->len);
        return;
    case VALUE_BLOB:
        jw_base64(w, v->p, v->len);
        return;
    }
}

/* ---- from JSON --------------------------------------------------------------------------------
 */

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict base64 (RFC 4648, section 4): padded, nothing but the alphabet, unused bits zero, so that
 * each blob has one spelling. The bytes written, or -1. */
static long base64_decode(const char *s, size_t n, char *out)
{
    if (n % 4)
        return -1;
    long made = 0;
    for (size_t at = 0; at < n; at += 4) {
        int pad = 0;
        if (at + 4 == n)
            pad = s[n - 1] != '=' ? 0 : s[n - 2] != '=' ? 1 : 2;
        uint32_t bits = 0;
        for (int i = 0; i < 4; i++) {
            int digit = i >= 4 - pad ? 0 : base64_digit((unsigned char)s[at + (size_t)i]);
            if (digit < 0)
                return -1;
            bits = bits << 6 | (uint32_t)digit;
        }
        if ((pad == 1 && bits & 0xFF) || (pad == 2 && bits & 0xFFFF))
            return -1;
        for (int i = 0; i < 3 - pad; i++)
            out[made++] = (char)(bits >> (16 - 8 * i));
    }
    return made;
}

static bool blob_from_json(value *v, json_t *j, arena *mem, const char *what, error *e)
{
    if (!json_is_string(j))
        return error_set(e, ERR_INVALID_MESSAGE, "%s: $base64 must be a string", what);
    size_t n = json_string_length(j);
    char *p = arena_alloc(mem, n / 4 * 3 + 1);
    if (!p)
        return no_memory(e);
    long len = base64_decode(json_string_value(j), n, p);
    if (len < 0)
        return error_set(e, ERR_INVALID_MESSAGE, "%s: $base64 is not valid base64 with padding",
                         what);
    *v = (value){.type = VALUE_BLOB, .len = (size_t)len, .p = p};
    return true;
}

static bool infinity_from_json(value *v, json_t *j, const char *what, error *e)
{
    const char *s = json_string_value(j);
    if (!s || (strcmp(s, "Infinity") != 0 && strcmp(s, "-Infinity") != 0))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s: $real must be \"Infinity\" or \"-Infinity\"; other reals are numbers",
                         what);
    *v = (value){.type = VALUE_REAL, .d = *s == '-' ? -__builtin_inf() : __builtin_inf()};
    return true;
}

static bool object_from_json(value *v, json_t *j, arena *mem, const char *what, error *e)
{
    json_t *inner;
    if (json_object_size(j) == 1 && (inner = json_object_get(j, "$base64")))
        return blob_from_json(v, inner, mem, what, e);
    if (json_object_size(j) == 1 && (inner = json_object_get(j, "$real")))
        return infinity_from_json(v, inner, what, e);
    error_set(e, ERR_INVALID_MESSAGE, "%s: an object is not a value", what);
    return error_hint(e, "a blob is written {\"$base64\":\"...\"}; store JSON as a string");
}

static bool text_from_json(value *v, json_t *j, arena *mem, error *e)
{
    size_t n = json_string_length(j);
    char *p = arena_strndup(mem, json_string_value(j), n);
    if (!p)
        return no_memory(e);
    *v = (value){.type = VALUE_TEXT, .len = n, .p = p};
    return true;
}

bool value_from_json(value *v, json_t *j, arena *mem, const char *what, error *e)
{
    switch (json_typeof(j)) {
    case JSON_NULL:
        *v = (value){.type = VALUE_NULL};
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *v = (value){.type = VALUE_INT, .i = json_is_true(j)};
        return true;
    case JSON_INTEGER:
        *v = (value){.type = VALUE_INT, .i = json_integer_value(j)};
        return true;
    case JSON_REAL:
        *v = (value){.type = VALUE_REAL, .d = json_real_value(j)};
        return true;
    case JSON_STRING:
        return text_from_json(v, j, mem, e);
    case JSON_OBJECT:
        return object_from_json(v, j, mem, what, e);
    case JSON_ARRAY:
        break;
    }
    error_set(e, ERR_INVALID_MESSAGE, "%s: an array is not a value", what);
    return error_hint(e, "store JSON as a string");
}

/* ---- comparing --------------------------------------------------------------------------------
 */

bool value_equal(const value *a, const value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_NULL:
        return true;
    case VALUE_INT:
        return a->i == b->i;
    case VALUE_REAL:
        return a->d == b->d;
    case VALUE_TEXT:
    case VALUE_BLOB:
        break;
    }
    return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

/* ---- packed records ---------------------------------------------------------------------------
 */

static void put_le(char *to, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (char)(x >> (8 * i));
}

static uint64_t get_le(const char *from, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++)
        x |= (uint64_t)(unsigned char)from[i] << (8 * i);
    return x;
}

static void pack_one(buf *out, const value *v)
{
    char head[9] = {(char)v->type};
    switch (v->type) {
    case VALUE_NULL:
        buf_addc(out, head[0]);
        return;
    case VALUE_INT:
    case VALUE_REAL: {
        uint64_t bits;
        if (v->type == VALUE_INT)
            bits = (uint64_t)v->i;
        else
            memcpy(&bits, &v->d, sizeof bits);
        put_le(head + 1, bits, 8);
        buf_add(out, head, 9);
        return;
    }
    case VALUE_TEXT:
    case VALUE_BLOB:
        if (v->len > UINT32_MAX) { /* cannot be told in four bytes */
            out->failed = true;
            return;
        }
        put_le(head + 1, v->len, 4);
        buf_add(out, head, 5);
        buf_add(out, v->p, v->len);
        return;
    }
}

void value_pack(buf *out, const value *v, int n)
{
    for (int i = 0; i < n; i++)
        pack_one(out, &v[i]);
}

/* One value from the record; the bytes it took, 0 when it is damaged. */
static size_t unpack_one(const char *p, size_t left, value *v)
{
    if (left < 1)
        return 0;
    *v = (value){.type = VALUE_NULL};
    switch ((unsigned char)*p) {
    case VALUE_NULL:
        return 1;
    case VALUE_INT:
    case VALUE_REAL: {
        if (left < 9)
            return 0;
        uint64_t bits = get_le(p + 1, 8);
        v->type = (value_type)*p;
        if (v->type == VALUE_INT)
            v->i = (int64_t)bits;
        else
            memcpy(&v->d, &bits, sizeof bits);
        return 9;
    }
    case VALUE_TEXT:
    case VALUE_BLOB: {
        if (left < 5)
            return 0;
        uint64_t len = get_le(p + 1, 4);
        if (len > left - 5)
            return 0;
        v->type = (value_type)*p;
        v->len = (size_t)len;
        v->p = p + 5;
        return 5 + (size_t)len;
    }
    default:
        return 0;
    }
}

long value_unpack(const char *p, size_t len, value *v, int n)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        size_t took = unpack_one(p + at, len - at, &v[i]);
        if (took == 0)
            return -1;
        at += took;
    }
    return (long)at;
}
