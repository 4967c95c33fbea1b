#include "engine/sqlite/unasked.h"

#include <string.h>
#include <strings.h>

#include "base/sqlscan.h"
#include "base/sqltables.h"

enum { NAME_ROOM = 256 };

/* Behind the word, NULL where there is none (any more). */
static const char *behind(const char *sql, const char *word)
{
    for (const char *s = sqlscan_blank(sql); *s;) {
        const char *end = sqlscan_token(s);
        if (sqlscan_is(s, end, word))
            return sqlscan_blank(end);
        s = sqlscan_blank(end);
    }
    return NULL;
}

bool unasked_word(const char *sql, const char *word)
{
    return behind(sql, word) != NULL;
}

bool unasked_source(const char *sql, char *name, size_t room)
{
    const char *s = behind(sql, "FROM");
    while (s && *s == '(')
        s = sqlscan_blank(s + 1);
    if (!s || !*s)
        return false;
    const char *end = sqlscan_token(s), *dot = sqlscan_blank(end);
    if (*dot == '.') {
        s = sqlscan_blank(dot + 1);
        end = sqlscan_token(s);
    }
    return sqltables_name(s, end, name, room);
}

bool unasked_joins(const char *sql)
{
    return unasked_word(sql, "NATURAL") || unasked_word(sql, "USING");
}

/* The columns in brackets. */
static bool may_read(const char *s, const access_table *t)
{
    char name[NAME_ROOM];
    for (s = *s == '(' ? sqlscan_blank(s + 1) : s; *s && *s != ')';) {
        const char *end = sqlscan_token(s);
        if (*s != ',' &&
            (!sqltables_name(s, end, name, sizeof name) || !access_column(t, ACCESS_SELECT, name)))
            return false;
        s = sqlscan_blank(end);
    }
    return true;
}

bool unasked_may_join(const char *sql, const access_table *t)
{
    if (access_is_plain(t, ACCESS_SELECT))
        return true;
    if (unasked_word(sql, "NATURAL"))
        return false;
    for (const char *s = sql; (s = behind(s, "USING"));) {
        if (!may_read(s, t))
            return false;
    }
    return true;
}

/* FTS5 takes the beginning of the option's name for it. */
bool unasked_content(const char *sql)
{
    static const char option[] = "content";
    char name[NAME_ROOM];
    for (const char *s = sqlscan_blank(sql); *s;) {
        const char *end = sqlscan_token(s), *next = sqlscan_blank(end);
        if (*next == '=' && sqltables_name(s, end, name, sizeof name) && *name) {
            size_t n = strlen(name);
            if (strncasecmp(name, option, n < sizeof option ? n : sizeof option - 1) == 0)
                return true;
        }
        s = next;
    }
    return false;
}
