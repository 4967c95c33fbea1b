#include "daemon/ddl_view.h"
#include "daemon/ddl_sql.h"
#include "base/sqlname.h"
#include "base/sqlscan.h"

/* ---- views ------------------------------------------------------------------------------------
 */

static bool begins_as_select(const char *sql)
{
    const char *s = sqlscan_blank(sql), *end = sqlscan_token(s);
    return sqlscan_is(s, end, "SELECT") || sqlscan_is(s, end, "WITH") ||
           sqlscan_is(s, end, "VALUES");
}

static bool put_columns(const json_t *columns, buf *out, error *e)
{
    size_t i;
    const json_t *one;
    json_array_foreach(columns, i, one)
    {
        buf_adds(out, i ? ", " : " (");
        if (!ddl_put_name(one, "columns", out, e))
            return false;
    }
    if (columns)
        buf_addc(out, ')');
    return true;
}

bool ddl_create_view(const char *name, const json_t *doc, buf *out, error *e)
{
    const char *sql;
    if (!ddl_text(doc, "sql", "", &sql, e))
        return false;
    if (!begins_as_select(sql)) {
        error_set(e, ERR_INVALID_MESSAGE, "sql is not a SELECT");
        return error_hint(e, "Give what follows AS in CREATE VIEW: SELECT, VALUES or WITH.");
    }
    buf_adds(out, "CREATE VIEW main.");
    sqlname_add(out, name);
    if (!put_columns(json_object_get(doc, "columns"), out, e))
        return false;
    buf_addf(out, " AS %s", sql);
    return true;
}

/* CREATE VIEW, the name, names in parentheses perhaps, AS. The first word AS behind the name is it,
 * since the names between are apart: SQLite takes no keyword for one without quotes. */
const char *ddl_view_select(const char *create)
{
    const char *s = create;
    for (int i = 0; *s; i++) {
        s = sqlscan_blank(s);
        const char *end = sqlscan_token(s);
        if (i > 2 && sqlscan_is(s, end, "AS"))
            return sqlscan_blank(end);
        s = end;
    }
    return create;
}
