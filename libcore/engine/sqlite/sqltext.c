#include "engine/sqlite/sqltext.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Past blanks and comments. */
static const char *skip_blank(const char *s)
{
    for (;;) {
        if (isspace((unsigned char)*s)) {
            s++;
        } else if (s[0] == '-' && s[1] == '-') {
            s += strcspn(s, "\n");
        } else if (s[0] == '/' && s[1] == '*') {
            const char *end = strstr(s + 2, "*/");
            s = end ? end + 2 : s + strlen(s);
        } else {
            return s;
        }
    }
}

const char *sql_skip_empty(const char *sql)
{
    for (sql = skip_blank(sql); *sql == ';'; sql = skip_blank(sql))
        sql++;
    return sql;
}

/* Past one token; the text does not start with a blank or a comment. */
static const char *skip_token(const char *s)
{
    char quote = *s == '[' ? ']' : *s;
    if (quote == '\'' || quote == '"' || quote == '`' || quote == ']') {
        for (s++; *s && *s != quote; s++)
            ;
        return *s ? s + 1 : s;
    }
    if (!is_word(*s))
        return s + 1;
    while (is_word(*s))
        s++;
    return s;
}

static bool same_word(const char *s, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - s) == n && strncasecmp(s, word, n) == 0;
}

bool sql_has_word(const char *sql, const char *word)
{
    for (const char *s = skip_blank(sql); *s; s = skip_blank(s)) {
        const char *end = skip_token(s);
        if (same_word(s, end, word))
            return true;
        s = end;
    }
    return false;
}

bool sql_starts_with(const char *sql, const char *word)
{
    const char *s = sql_skip_empty(sql);
    return *s && same_word(s, skip_token(s), word);
}

sql_route sql_guess_route(const char *sql)
{
    static const char *const reading[] = {"SELECT", "VALUES", "WITH", "EXPLAIN"};
    const char *s = sql_skip_empty(sql);
    if (!*s)
        return ROUTE_READ; /* the reader says that it is empty */
    const char *end = skip_token(s);
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
        if (same_word(s, end, reading[i]))
            return ROUTE_READ;
    }
    if (same_word(s, end, "PRAGMA"))
        return sql_has_word(s, "wal_checkpoint") ? ROUTE_ALONE : ROUTE_READ;
    return same_word(s, end, "VACUUM") ? ROUTE_ALONE : ROUTE_WRITE;
}

bool sql_check_vacuum(const char *sql, error *e)
{
    if (!sql_starts_with(sql, "VACUUM") || !sql_has_word(sql, "INTO"))
        return true;
    error_clear(e);
    error_set(e, ERR_PERMISSION_DENIED, "VACUUM INTO is not allowed");
    return error_hint(e, "Plain VACUUM compacts the database in place.");
}

bool sql_is_internal_name(const char *name)
{
    return name && strncasecmp(name, "_rustydb", 8) == 0;
}
