#include "feed/where.h"

#include <string.h>
#include <strings.h>

#include "feed/feed.h"
#include "feed/tokens.h"

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
    for (token t; (t = token_next(where + at)).kind != TOKEN_END; at += t.len) {
        const char *s = where + at;
        if (!is_allowed(s, t, at, e))
            return false;
        if (t.kind == TOKEN_CLOSE && depth-- == 0)
            return refuse(e, at, "this ')' has no '('");
        if (t.kind == TOKEN_OPEN && depth++ == 0)
            opened = at;
        /* SQLite has a limit of its own, or not, depending on its version. */
        if (depth > FEED_MAX_NESTING)
            return refuse(e, at, "the parentheses are nested too deep");
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
