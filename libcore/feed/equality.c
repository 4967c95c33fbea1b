#include "feed/equality.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/columns.h"
#include "feed/tokens.h"
#include "feed/where.h"

/* ---- keys -------------------------------------------------------------------------------------
 */

/* Numbers are equal by their worth: an integral real has the key of the integer. */
static void add_number(buf *key, const value *v)
{
    const double two63 = 9223372036854775808.0;
    int64_t i = v->i;
    if (v->type == VALUE_REAL) {
        if (!(v->d >= -two63 && v->d < two63) || v->d != (double)(int64_t)v->d) {
            buf_addc(key, 'r');
            buf_add(key, &v->d, sizeof v->d);
            return;
        }
        i = (int64_t)v->d;
    }
    buf_addc(key, 'i');
    buf_add(key, &i, sizeof i);
}

static void add_text(buf *key, const char *collation, const char *p, size_t len)
{
    buf_addc(key, 't');
    if (strcasecmp(collation, "RTRIM") == 0) {
        while (len && p[len - 1] == ' ')
            len--;
    }
    size_t from = key->len;
    buf_add(key, p, len);
    if (strcasecmp(collation, "NOCASE") == 0) {
        for (size_t i = from; i < key->len; i++) {
            if (key->data[i] >= 'A' && key->data[i] <= 'Z')
                key->data[i] |= 0x20;
        }
    }
}

bool equality_key(const table_shape *shape, int column, const value *v, buf *key)
{
    switch (v->type) {
    case VALUE_NULL:
        return false;
    case VALUE_INT:
    case VALUE_REAL:
        add_number(key, v);
        return true;
    case VALUE_TEXT:
        add_text(key, shape->collations[column], v->p, v->len);
        return true;
    case VALUE_BLOB:
        buf_addc(key, 'b');
        buf_add(key, v->p, v->len);
        return true;
    }
    return false;
}

/* ---- terms ------------------------------------------------------------------------------------
 */

/* A run of the expression's text. */
typedef struct part {
    const char *p;
    size_t len;
} part;

static part trimmed(const char *from, const char *to)
{
    while (from < to && *from == ' ')
        from++;
    while (to > from && to[-1] == ' ')
        to--;
    return (part){from, (size_t)(to - from)};
}

static bool is_one_token(part s, token_kind kind)
{
    if (!s.len)
        return false;
    token t = token_next(s.p);
    return t.kind == kind && t.len == s.len;
}

/* What stands between the quotes, with doubled ones made single. */
static void add_unquoted(buf *out, part s)
{
    char end = *s.p == '[' ? ']' : *s.p;
    for (size_t i = 1; i + 1 < s.len; i++) {
        buf_addc(out, s.p[i]);
        if (s.p[i] == end && end != ']')
            i++;
    }
}

/* x, "x" or new.x; -1: something else. */
static int read_column(const table_shape *shape, part s)
{
    if (s.len > 4 && strncasecmp(s.p, "new.", 4) == 0)
        s = trimmed(s.p + 4, s.p + s.len);
    buf name = BUF_INIT;
    int column = -1;
    if (is_one_token(s, TOKEN_WORD))
        buf_add(&name, s.p, s.len);
    else if (is_one_token(s, TOKEN_QUOTED) && *s.p != '\'')
        add_unquoted(&name, s);
    if (name.len)
        column = column_find(shape, buf_cstr(&name));
    buf_free(&name);
    return column;
}

/* A decimal number without anything around it. */
static bool read_number(part s, value *v)
{
    char text[64], *end;
    const char *digits = s.len && (*s.p == '-' || *s.p == '+') ? s.p + 1 : s.p;
    if (!s.len || s.len >= sizeof text ||
        strspn(digits, "0123456789.eE+-") != s.len - (size_t)(digits - s.p) ||
        !((*digits >= '0' && *digits <= '9') || *digits == '.'))
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    errno = 0;
    v->type = VALUE_INT;
    v->i = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0)
        return true;
    v->type = VALUE_REAL;
    v->d = strtod(text, &end);
    return *end == '\0';
}

/* A literal whose comparison with this column needs no conversion. */
static bool add_literal(const table_shape *shape, int column, part s, buf *key)
{
    column_affinity affinity = affinity_of(shape->types[column]);
    value v = {.type = VALUE_NULL};
    if (is_one_token(s, TOKEN_QUOTED) && *s.p == '\'') {
        if (affinity != AFFINITY_TEXT && affinity != AFFINITY_BLOB)
            return false;
        buf text = BUF_INIT;
        add_unquoted(&text, s);
        add_text(key, shape->collations[column], text.data ? text.data : "", text.len);
        key->failed |= text.failed;
        buf_free(&text);
        return true;
    }
    return affinity != AFFINITY_TEXT && read_number(s, &v) && equality_key(shape, column, &v, key);
}

/* One term, from `from` to `to`, with one `=` at `at` of n characters. */
static bool read_term(const table_shape *shape, const char *from, const char *at, size_t n,
                      const char *to, int *column, buf *key)
{
    part left = trimmed(from, at), right = trimmed(at + n, to);
    for (int turn = 0; turn < 2; turn++) {
        *column = read_column(shape, left);
        if (*column >= 0 && add_literal(shape, *column, right, key))
            return true;
        part swap = left;
        left = right;
        right = swap;
    }
    return false;
}

/* ---- the expression ---------------------------------------------------------------------------
 */

static bool is_word(const char *s, token t, const char *word)
{
    return t.kind == TOKEN_WORD && t.len == strlen(word) && strncasecmp(s, word, t.len) == 0;
}

/* Words that make a term more than its neighbours show. */
static bool breaks(const char *s, token t)
{
    return is_word(s, t, "or") || is_word(s, t, "between") || is_word(s, t, "case");
}

static bool has_breaks(const char *s)
{
    int depth = 0;
    for (token t; (t = token_next(s)).kind != TOKEN_END; s += t.len) {
        depth += t.kind == TOKEN_OPEN ? 1 : t.kind == TOKEN_CLOSE ? -1 : 0;
        if (depth == 0 && breaks(s, t))
            return true;
    }
    return false;
}

static bool find_in(const char *text, const table_shape *shape, int *column, buf *key)
{
    const char *from = text, *equals = NULL, *s = text;
    size_t n_equals = 0;
    bool plain = true;
    if (has_breaks(text))
        return false;
    for (int depth = 0;;) {
        token t = token_next(s);
        bool ends = t.kind == TOKEN_END || (depth == 0 && is_word(s, t, "and"));
        if (ends) {
            if (plain && equals && read_term(shape, from, equals, n_equals, s, column, key))
                return true;
            if (t.kind == TOKEN_END || key->failed)
                return false;
            from = s + t.len;
            equals = NULL;
            plain = true;
        } else if (t.kind == TOKEN_OPEN || t.kind == TOKEN_CLOSE) {
            depth += t.kind == TOKEN_OPEN ? 1 : -1;
            plain = false;
        } else if (t.kind == TOKEN_OTHER && *s == '=') {
            bool doubled = s[1] == '=';
            plain = plain && !equals && (s == text || !strchr("<>!", s[-1]));
            equals = s;
            n_equals = doubled ? 2 : 1;
            t.len = n_equals;
        }
        s += t.len;
    }
}

bool equality_find(const char *where, const table_shape *shape, int *column, buf *key)
{
    buf normal = BUF_INIT;
    error e;
    size_t before = key->len;
    bool found = where_normalise(where, &normal, &e) &&
                 find_in(buf_cstr(&normal), shape, column, key) && !key->failed;
    key->failed |= normal.failed;
    buf_free(&normal);
    if (!found)
        key->len = before;
    return found;
}
