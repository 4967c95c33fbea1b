#include "engine/fingerprint.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/sqlscan.h"

/* How far a list of values is: after the first, further ones are not written. */
typedef enum list_state {
    LIST_NONE,
    LIST_VALUE, /* "?" */
    LIST_COMMA, /* "?," */
    LIST_MORE,  /* "?, ..." */
    LIST_HELD   /* "?, ..." and a comma that is not written yet */
} list_state;

typedef struct maker {
    fingerprint *f;
    list_state list;
    bool blank; /* there was one in the SQL before this token */
    char last;  /* last byte written; 0: none */
    bool dot;   /* the token before was a dot between names */
    bool whole; /* nothing was cut so far */
} maker;

static bool is_operator(char c)
{
    return c && strchr("=<>!|&~+-*/%", c);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put(maker *m, char c)
{
    fingerprint *f = m->f;
    f->id = (f->id ^ (unsigned char)c) * UINT64_C(1099511628211);
    m->last = c;
    if (f->len < FINGERPRINT_MAX && m->whole)
        f->text[f->len++] = c;
    else
        m->whole = false;
}

static bool wants_blank(const maker *m, char first)
{
    if (!m->last || strchr(",)", first) || m->last == '(' || m->dot)
        return false;
    if (first == '(')
        return m->blank || is_operator(m->last) || m->last == ',';
    return true;
}

static void put_token(maker *m, const char *p, size_t n, bool lower)
{
    bool dot = n == 1 && *p == '.';
    if (!dot && wants_blank(m, *p))
        put(m, ' ');
    m->dot = dot;
    for (size_t i = 0; i < n; i++)
        put(m, lower ? (char)tolower((unsigned char)p[i]) : p[i]);
}

/* A literal or a parameter. */
static void put_value(maker *m)
{
    switch (m->list) {
    case LIST_COMMA:
        put_token(m, "...", 3, false);
        m->list = LIST_MORE;
        break;
    case LIST_HELD:
        m->list = LIST_MORE;
        break;
    default:
        put_token(m, "?", 1, false);
        m->list = LIST_VALUE;
    }
}

static void put_other(maker *m, const char *p, size_t n, bool lower)
{
    if (*p == ',' && (m->list == LIST_VALUE || m->list == LIST_MORE)) {
        if (m->list == LIST_VALUE)
            put_token(m, ",", 1, false);
        m->list = m->list == LIST_VALUE ? LIST_COMMA : LIST_HELD;
        return;
    }
    if (m->list == LIST_HELD)
        put_token(m, ",", 1, false);
    m->list = LIST_NONE;
    put_token(m, p, n, lower);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static const char *next_token(maker *m, const char *s)
{
    const char *at = sqlscan_blank(s);
    m->blank = at != s;
    return at;
}

static const char *skip_word(const char *s)
{
    while (sqlscan_in_word(*s))
        s++;
    return s;
}

/* Behind a number: 0x1F, 1.5e-3, .5 */
static const char *skip_number(const char *s)
{
    for (;; s++) {
        bool sign = (*s == '+' || *s == '-') && (s[-1] == 'e' || s[-1] == 'E');
        if (!sqlscan_in_word(*s) && *s != '.' && !sign)
            return s;
        if (sign && !isdigit((unsigned char)s[1]))
            return s;
    }
}

static bool starts_number(const char *s)
{
    return isdigit((unsigned char)*s) || (*s == '.' && isdigit((unsigned char)s[1]));
}

static bool starts_parameter(const char *s)
{
    return *s == '?' || ((*s == ':' || *s == '@' || *s == '$') && sqlscan_in_word(s[1]));
}

static const char *one_token(maker *m, const char *s)
{
    const char *end = s + 1;
    bool blob = (*s == 'x' || *s == 'X') && s[1] == '\'';
    if (*s == '\'' || blob) {
        put_value(m);
        return sqlscan_quoted(s + blob);
    }
    if (starts_number(s) && !m->dot) {
        put_value(m);
        return skip_number(s + 1);
    }
    if (starts_parameter(s)) {
        put_value(m);
        return skip_word(s + 1);
    }
    if (*s == '"' || *s == '`' || *s == '[') {
        end = sqlscan_quoted(s);
        put_other(m, s, (size_t)(end - s), false);
        return end;
    }
    if (sqlscan_in_word(*s)) {
        end = skip_word(s);
    } else if (is_operator(*s)) {
        while (is_operator(*end) && !(end[0] == '-' && end[1] == '-') &&
               !(end[0] == '/' && end[1] == '*'))
            end++;
    }
    if (*s != ';')
        put_other(m, s, (size_t)(end - s), true);
    return end;
}

void fingerprint_make(fingerprint *f, const char *sql)
{
    maker m = {.f = f, .whole = true};
    f->id = UINT64_C(14695981039346656037);
    f->len = 0;
    for (const char *s = next_token(&m, sql); *s; s = next_token(&m, s))
        s = one_token(&m, s);
    while (!m.whole && f->len && ((unsigned char)f->text[f->len - 1] & 0xC0) == 0x80)
        f->len--; /* no half of a character */
    if (!m.whole && f->len && (unsigned char)f->text[f->len - 1] >= 0xC0)
        f->len--;
    f->text[f->len] = '\0';
}
