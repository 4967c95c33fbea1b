#include "engine/sqlite/sqltext.h"

#include "base/sqlscan.h"

#include <strings.h>

const char *sql_skip_empty(const char *sql)
{
    for (sql = sqlscan_blank(sql); *sql == ';'; sql = sqlscan_blank(sql))
        sql++;
    return sql;
}

bool sql_has_word(const char *sql, const char *word)
{
    for (const char *s = sqlscan_blank(sql); *s; s = sqlscan_blank(s)) {
        const char *end = sqlscan_token(s);
        if (sqlscan_is(s, end, word))
            return true;
        s = end;
    }
    return false;
}

bool sql_starts_with(const char *sql, const char *word)
{
    const char *s = sql_skip_empty(sql);
    return *s && sqlscan_is(s, sqlscan_token(s), word);
}

sql_route sql_guess_route(const char *sql)
{
    static const char *const reading[] = {"SELECT", "VALUES", "WITH", "EXPLAIN"};
    const char *s = sql_skip_empty(sql);
    if (!*s)
        return ROUTE_READ; /* the reader says that it is empty */
    const char *end = sqlscan_token(s);
    for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
        if (sqlscan_is(s, end, reading[i]))
            return ROUTE_READ;
    }
    if (sqlscan_is(s, end, "PRAGMA"))
        return sql_has_word(s, "wal_checkpoint") ? ROUTE_ALONE : ROUTE_READ;
    return sqlscan_is(s, end, "VACUUM") ? ROUTE_ALONE : ROUTE_WRITE;
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
