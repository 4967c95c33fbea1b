#include "json/scan_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* ---- the pointer ------------------------------------------------------------------------------
 */

/* Takes one token at p, unescapes it to *out, and returns where it ends; NULL: malformed. */
static const char *take_token(const char *p, char **out)
{
    for (; *p && *p != '/'; p++) {
        if (*p != '~')
            *(*out)++ = *p;
        else if (*++p == '0' || *p == '1')
            *(*out)++ = *p == '0' ? '~' : '/';
        else
            return NULL;
    }
    *(*out)++ = '\0';
    return p;
}

bool scan_path_parse(json_scan *s, const char *pointer, error *e)
{
    s->path = mem_alloc(strlen(pointer) + 1);
    if (!s->path)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    char *out = s->path;
    for (const char *p = pointer; p && *p;) {
        if (*p != '/' || s->n_tokens == JSON_MAX_DEPTH) {
            p = NULL;
        } else {
            s->at[s->n_tokens++] = (size_t)(out - s->path);
            p = take_token(p + 1, &out);
        }
        if (!p) {
            error_set(e, ERR_INVALID_MESSAGE, "\"%.100s\" is not a JSON pointer", pointer);
            return error_hint(e, "as in /data/rows; ~1 stands for / and ~0 for ~");
        }
    }
    return true;
}

static const char *token(const json_scan *s, int i)
{
    return s->path + s->at[i];
}

/* Whether a token is this index: digits without leading zeros. */
static bool token_is_index(const char *t, int64_t index)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, index);
    return strcmp(t, digits) == 0;
}

void scan_path_describe(const json_scan *s, char *out, size_t room)
{
    size_t n = (size_t)snprintf(out, room, "%s", s->n_tokens ? "" : "the top");
    for (int i = 0; i < s->n_tokens && n < room; i++)
        n += (size_t)snprintf(out + n, room - n, "/%s", token(s, i));
}

/* ---- names of members -------------------------------------------------------------------------
 */

static bool watches_keys(const json_scan *s)
{
    return s->on_path == s->depth && s->depth <= s->n_tokens && !s->array_depth;
}

static void add_byte(json_scan *s, char c)
{
    if (!s->key_same)
        return;
    const char *t = token(s, s->depth - 1) + s->key_at++;
    s->key_same = *t && *t == c;
}

static void key_code_point(json_scan *s, unsigned c)
{
    if (c < 0x80) {
        add_byte(s, (char)c);
    } else if (c < 0x800) {
        add_byte(s, (char)(0xC0 | c >> 6));
        add_byte(s, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        add_byte(s, (char)(0xE0 | c >> 12));
        add_byte(s, (char)(0x80 | (c >> 6 & 0x3F)));
        add_byte(s, (char)(0x80 | (c & 0x3F)));
    } else {
        add_byte(s, (char)(0xF0 | c >> 18));
        add_byte(s, (char)(0x80 | (c >> 12 & 0x3F)));
        add_byte(s, (char)(0x80 | (c >> 6 & 0x3F)));
        add_byte(s, (char)(0x80 | (c & 0x3F)));
    }
}

/* A surrogate must be followed by its other half. */
void scan_key_byte(json_scan *s, char c)
{
    if (s->high)
        s->key_same = false;
    add_byte(s, c);
}

/* A complete \uXXXX; surrogates come in pairs, a lone one is no name anybody asks for. */
void scan_key_unit(json_scan *s, unsigned c)
{
    if (s->high && c >= 0xDC00 && c < 0xE000) {
        key_code_point(s, 0x10000 + ((s->high - 0xD800) << 10) + (c - 0xDC00));
        s->high = 0;
    } else if (!s->high && c >= 0xD800 && c < 0xDC00) {
        s->high = c;
    } else if (s->high || (c >= 0xDC00 && c < 0xE000)) {
        s->key_same = false;
    } else {
        key_code_point(s, c);
    }
}

void scan_key_begin(json_scan *s)
{
    s->key_at = 0;
    s->high = 0;
    s->key_same = watches_keys(s);
}

void scan_key_end(json_scan *s)
{
    if (s->key_same && (s->high || token(s, s->depth - 1)[s->key_at] != '\0'))
        s->key_same = false;
}

bool scan_path_here(const json_scan *s)
{
    if (s->array_depth || s->on_path != s->depth || s->depth > s->n_tokens)
        return false;
    if (s->depth == 0)
        return true;
    int last = s->depth - 1;
    return s->is_object[last] ? s->key_same : token_is_index(token(s, last), s->index[last]);
}
