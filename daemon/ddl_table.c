#include "daemon/ddl_sql.h"
#include "base/sqlname.h"

#include <stdio.h>
#include <string.h>

enum { WHERE_ROOM = 80 };

/* Names in parentheses. */
static bool put_names(const json_t *names, const char *where, buf *out, error *e)
{
    size_t i;
    const json_t *one;
    buf_addc(out, '(');
    json_array_foreach(names, i, one)
    {
        if (i)
            buf_adds(out, ", ");
        if (!ddl_put_name(one, where, out, e))
            return false;
    }
    buf_addc(out, ')');
    return true;
}

static void put_table(const char *table, buf *out)
{
    buf_adds(out, "main.");
    sqlname_add(out, table);
}

/* In quotes SQLite would take what is no column for a text in some places. */
static bool are_columns(const json_t *columns, const json_t *names, const char *where, error *e)
{
    size_t i;
    const json_t *one;
    json_array_foreach(names, i, one)
    {
        if (!ddl_has_column(columns, json_string_value(one)))
            return error_set(e, ERR_INVALID_MESSAGE, "%s names '%s', which is not a column", where,
                             json_string_value(one));
    }
    return true;
}

static bool put_columns(const json_t *columns, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(columns, i, one)
    {
        if (i)
            buf_adds(out, ", ");
        snprintf(where, sizeof where, "columns[%zu].", i);
        if (!ddl_put_column(one, where, out, e))
            return false;
    }
    return true;
}

/* From `primary_key`, else from the columns that say so. */
static bool put_primary_key(const json_t *doc, buf *out, error *e)
{
    const json_t *columns = json_object_get(doc, "columns"), *one;
    const json_t *key = json_object_get(doc, "primary_key");
    size_t i, n = 0;
    json_array_foreach(columns, i, one)
    {
        if (!json_is_true(json_object_get(one, "primary_key")))
            continue;
        if (key)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "the primary key is given by the table and by columns[%zu]", i);
        buf_adds(out, n++ ? ", " : ", PRIMARY KEY (");
        sqlname_add(out, json_string_value(json_object_get(one, "name")));
    }
    if (n)
        buf_addc(out, ')');
    if (!key)
        return true;
    buf_adds(out, ", PRIMARY KEY ");
    return are_columns(columns, key, "primary_key", e) && put_names(key, "primary_key", out, e);
}

static bool put_unique(const json_t *doc, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(doc, "unique"), i, one)
    {
        snprintf(where, sizeof where, "unique[%zu]", i);
        buf_adds(out, ", UNIQUE ");
        if (!are_columns(json_object_get(doc, "columns"), one, where, e) ||
            !put_names(one, where, out, e))
            return false;
    }
    return true;
}

static bool put_checks(const json_t *doc, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(doc, "checks"), i, one)
    {
        snprintf(where, sizeof where, "checks[%zu]", i);
        buf_adds(out, ", CHECK ");
        if (!ddl_put_expression(one, where, out, e))
            return false;
    }
    return true;
}

/* The other table's columns, where all pairs name one; its primary key where none does. */
static bool put_targets(const json_t *pairs, const char *where, buf *out, error *e)
{
    size_t i, named = 0;
    const json_t *one;
    json_array_foreach(pairs, i, one) named += json_object_get(one, "to") != NULL;
    if (named == 0)
        return true;
    if (named < json_array_size(pairs))
        return error_set(e, ERR_INVALID_MESSAGE, "%s.columns has `to` for some columns only",
                         where);
    json_array_foreach(pairs, i, one)
    {
        buf_adds(out, i ? ", " : " (");
        if (!ddl_put_name(json_object_get(one, "to"), where, out, e))
            return false;
    }
    buf_addc(out, ')');
    return true;
}

static bool put_foreign_key(const json_t *columns, const json_t *key, const char *where, buf *out,
                            error *e)
{
    const json_t *pairs = json_object_get(key, "columns"), *one;
    size_t i;
    buf_adds(out, ", FOREIGN KEY (");
    json_array_foreach(pairs, i, one)
    {
        const json_t *from = json_object_get(one, "from");
        buf_adds(out, i ? ", " : "");
        if (!ddl_has_column(columns, json_string_value(from)))
            return error_set(e, ERR_INVALID_MESSAGE, "%s names '%s', which is not a column", where,
                             json_string_value(from));
        if (!ddl_put_name(from, where, out, e))
            return false;
    }
    buf_adds(out, ") REFERENCES ");
    if (!ddl_put_name(json_object_get(key, "table"), where, out, e) ||
        !put_targets(pairs, where, out, e))
        return false;
    ddl_put_actions(key, out);
    return true;
}

static bool put_foreign_keys(const json_t *doc, buf *out, error *e)
{
    char where[WHERE_ROOM];
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(doc, "foreign_keys"), i, one)
    {
        snprintf(where, sizeof where, "foreign_keys[%zu]", i);
        if (!put_foreign_key(json_object_get(doc, "columns"), one, where, out, e))
            return false;
    }
    return true;
}

static void put_options(const json_t *doc, buf *out)
{
    bool strict = json_is_true(json_object_get(doc, "strict"));
    if (strict)
        buf_adds(out, " STRICT");
    if (json_is_true(json_object_get(doc, "without_rowid")))
        buf_adds(out, strict ? ", WITHOUT ROWID" : " WITHOUT ROWID");
}

bool ddl_create_table(const json_t *doc, buf *out, error *e)
{
    buf_adds(out, "CREATE TABLE main.");
    if (!ddl_put_name(json_object_get(doc, "name"), "name", out, e))
        return false;
    buf_adds(out, " (");
    if (!put_columns(json_object_get(doc, "columns"), out, e) || !put_primary_key(doc, out, e) ||
        !put_unique(doc, out, e) || !put_checks(doc, out, e) || !put_foreign_keys(doc, out, e))
        return false;
    buf_addc(out, ')');
    put_options(doc, out);
    return true;
}

static void alter(const char *table, const char *what, buf *out)
{
    buf_adds(out, "ALTER TABLE ");
    put_table(table, out);
    buf_addf(out, " %s ", what);
}

bool ddl_add_column(const char *table, const json_t *column, size_t at, buf *out, error *e)
{
    char where[WHERE_ROOM];
    snprintf(where, sizeof where, "add_columns[%zu].", at);
    alter(table, "ADD COLUMN", out);
    if (!ddl_put_column(column, where, out, e))
        return false;
    if (json_is_true(json_object_get(column, "primary_key")))
        buf_adds(out, " PRIMARY KEY"); /* SQLite says why it cannot be */
    return true;
}

bool ddl_drop_column(const char *table, const json_t *name, buf *out, error *e)
{
    alter(table, "DROP COLUMN", out);
    return ddl_put_name(name, "drop_columns", out, e);
}

bool ddl_rename_column(const char *table, const char *from, const json_t *to, buf *out, error *e)
{
    alter(table, "RENAME COLUMN", out);
    sqlname_add(out, from);
    buf_adds(out, " TO ");
    return ddl_put_name(to, "rename_columns", out, e);
}

bool ddl_rename_table(const char *table, const json_t *to, buf *out, error *e)
{
    alter(table, "RENAME TO", out);
    return ddl_put_name(to, "rename_to", out, e);
}
