#include "daemon/ddl_sql.h"
#include "base/sqlname.h"

#include <stdio.h>
#include <string.h>

enum { WHERE_ROOM = 48 };

/* What an index is ordered by: {"column"} or {"expression"}, with its order. */
static bool put_term(const json_t *columns, const json_t *term, size_t at, buf *out, error *e)
{
    const json_t *column = json_object_get(term, "column");
    const json_t *expression = json_object_get(term, "expression");
    const char *collation = json_string_value(json_object_get(term, "collation"));
    char where[WHERE_ROOM];
    if (!column == !expression)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "columns[%zu] has %s; it names a column or an expression", at,
                         column ? "both" : "neither");
    snprintf(where, sizeof where, "columns[%zu].%s", at, column ? "column" : "expression");
    /* In quotes SQLite would take what is no column for a text. */
    if (column && !ddl_has_column(columns, json_string_value(column)))
        return error_set(e, ERR_QUERY_ERROR, "no such column: %s", json_string_value(column));
    if (!(column ? ddl_put_name(column, where, out, e)
                 : ddl_put_expression(expression, where, out, e)))
        return false;
    if (collation) /* one of a list */
        buf_addf(out, " COLLATE %s", collation);
    if (json_is_true(json_object_get(term, "descending")))
        buf_adds(out, " DESC");
    return true;
}

bool ddl_create_index(const char *table, const json_t *columns, const json_t *doc, buf *out,
                      error *e)
{
    const json_t *filter = json_object_get(doc, "where"), *one;
    bool unique = json_is_true(json_object_get(doc, "unique"));
    size_t i;
    buf_addf(out, "CREATE %sINDEX main.", unique ? "UNIQUE " : "");
    if (!ddl_put_name(json_object_get(doc, "name"), "name", out, e))
        return false;
    buf_adds(out, " ON ");
    sqlname_add(out, table);
    buf_adds(out, " (");
    json_array_foreach(json_object_get(doc, "columns"), i, one)
    {
        if (i)
            buf_adds(out, ", ");
        if (!put_term(columns, one, i, out, e))
            return false;
    }
    buf_addc(out, ')');
    if (!filter)
        return true;
    buf_adds(out, " WHERE ");
    return ddl_put_expression(filter, "where", out, e);
}
