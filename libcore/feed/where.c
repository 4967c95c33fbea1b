#include "feed/where.h"

#include <string.h>
#include <strings.h>

#include "feed/feed.h"

typedef enum token_kind {
    TOKEN_END,
    TOKEN_SPACE, /* comments too */
    TOKEN_WORD,  /* unquoted: a keyword, a name, a number */
    TOKEN_QUOTED,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_PARAMETER,
    TOKEN_SEMICOLON,
    TOKEN_UNTERMINATED,
    TOKEN_OTHER,
} token_kind;

typedef struct token {
    token_kind kind;
    size_t len;
} token;

/* The characters SQLite takes inside a name or a number. */
static bool is_word(unsigned char c)
{
    return c >= 0x80 || c == '_' || c == '$' || (c >= '0' && c <= '9') ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* 'text', "name", `name`, where a doubled quote stands for itself, and [name]. */
static token quoted(const char *s)
{
    char end = *s == '[' ? ']' : *s;
    for (size_t i = 1; s[i]; i++) {
        if (s[i] != end)
            continue;
        if (end == ']' || s[i + 1] != end)
            return (token){TOKEN_QUOTED, i + 1};
        i++;
    }
    return (token){TOKEN_UNTERMINATED, strlen(s)};
}

static token comment(const char *s)
{
    if (*s == '-') /* up to the end of the line */
        return (token){TOKEN_SPACE, strcspn(s, "\n")};
    const char *end = strstr(s + 2, "*/");
    return end ? (token){TOKEN_SPACE, (size_t)(end - s) + 2}
               : (token){TOKEN_UNTERMINATED, strlen(s)};
}

static token next_token(const char *s)
{
    size_t n = 0;
    switch (*s) {
    case '\0':
        return (token){TOKEN_END, 0};
    case '\'':
    case '"':
    case '`':
    case '[':
        return quoted(s);
    case '(':
        return (token){TOKEN_OPEN, 1};
    case ')':
        return (token){TOKEN_CLOSE, 1};
    case ';':
        return (token){TOKEN_SEMICOLON, 1};
    case '?':
    case ':':
    case '@':
    case '#':
    case '$':
        return (token){TOKEN_PARAMETER, 1};
    default:
        break;
    }
    if ((s[0] == '-' && s[1] == '-') || (s[0] == '/' && s[1] == '*'))
        return comment(s);
    while (is_space(s[n]))
        n++;
    if (n)
        return (token){TOKEN_SPACE, n};
    while (is_word((unsigned char)s[n]))
        n++;
    return n ? (token){TOKEN_WORD, n} : (token){TOKEN_OTHER, 1};
}

static bool refuse(error *e, size_t at, const char *what)
{
    error_set(e, ERR_INVALID_MESSAGE, "where: %s", what);
    if (e)
        e->position = (int64_t)at;
    return false;
}

static bool is_subquery(const char *word, size_t n)
{
    static const char *const words[] = {"select", "values", "exists"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == n && strncasecmp(word, words[i], n) == 0)
            return true;
    }
    return false;
}

/* What a single token rules out. */
static bool is_allowed(const char *s, token t, size_t at, error *e)
{
    switch (t.kind) {
    case TOKEN_UNTERMINATED:
        return refuse(e, at,
                      *s == '/'    ? "this comment has no end"
                      : *s == '\'' ? "this text has no closing quote"
                                   : "this name has no closing quote");
    case TOKEN_SEMICOLON:
        return refuse(e, at, "one expression is wanted, without ';'");
    case TOKEN_PARAMETER:
        return refuse(e, at, "parameters have no value here; write the value itself");
    case TOKEN_WORD:
        return !is_subquery(s, t.len) || refuse(e, at, "subqueries are not allowed");
    default:
        return true;
    }
}

bool where_normalise(const char *where, buf *out, error *e)
{
    if (strlen(where) > FEED_MAX_WHERE)
        return error_set(e, ERR_INVALID_MESSAGE, "where: the expression is longer than %d bytes",
                         FEED_MAX_WHERE);
    size_t at = 0, depth = 0, start = out->len, opened = 0;
    bool space = false;
    for (token t; (t = next_token(where + at)).kind != TOKEN_END; at += t.len) {
        const char *s = where + at;
        if (!is_allowed(s, t, at, e))
            return false;
        if (t.kind == TOKEN_CLOSE && depth-- == 0)
            return refuse(e, at, "this ')' has no '('");
        if (t.kind == TOKEN_OPEN && depth++ == 0)
            opened = at;
        if (t.kind == TOKEN_SPACE) {
            space = true;
            continue;
        }
        if (space && out->len > start)
            buf_addc(out, ' ');
        space = false;
        buf_add(out, s, t.len);
    }
    if (depth)
        return refuse(e, opened, "this '(' has no ')'");
    if (out->failed)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return out->len > start || refuse(e, 0, "the expression is empty");
}
