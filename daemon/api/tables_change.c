/* Tables made, changed, dropped and emptied: POST /tables, PATCH and DELETE /tables/{name}, POST
 * /tables/{name}/truncate. */
#include "daemon/api/api.h"
#include "daemon/api/schema_steps.h"
#include "daemon/ddl_sql.h"
#include "base/sqlname.h"

#include <string.h>

static const char *text_of(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

/* ---- making -----------------------------------------------------------------------------------
 */

/* if_not_exists: what is there is as good, when it is a table. */
static void there_already(request *q, const json_t *table)
{
    error e;
    if (!schema_is_view(table)) {
        schema_answer_table(q, text_of(table, "name"), 200);
        return;
    }
    error_set(&e, ERR_CONFLICT, "\"%s\" is a view", text_of(table, "name"));
    http_reply_error(q, &e);
}

static void created(request *q, run *r)
{
    const char *name = text_of(q->doc, "name");
    bool exists = r->failed && r->err.code == ERR_QUERY_ERROR &&
                  strstr(r->err.message, "already exists") != NULL;
    if (!r->failed)
        schema_answer_table(q, name, 201);
    else if (exists && json_is_true(json_object_get(q->doc, "if_not_exists")))
        schema_find(q, name, there_already);
    else
        schema_reply_failure(r);
}

void api_create_table(request *q)
{
    error e;
    buf sql = BUF_INIT;
    run *r = schema_change(q, 1, created);
    if (!r)
        return;
    if (schema_add(r, ddl_create_table(q->doc, &sql, &e), &sql, &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

static bool refuse_view(request *q, const json_t *table)
{
    error e;
    if (!schema_is_view(table))
        return false;
    error_set(&e, ERR_CONFLICT, "\"%s\" is a view", text_of(table, "name"));
    error_hint(&e, "Views are changed and dropped at /api/v1/views.");
    http_reply_error(q, &e);
    return true;
}

static void altered(request *q, run *r)
{
    const char *now = text_of(q->doc, "rename_to");
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_answer_table(q, now ? now : q->params[0], 200);
}

static bool add_changes(run *r, const char *table, json_t *doc, error *e)
{
    buf sql = BUF_INIT;
    const char *from;
    json_t *one;
    size_t i;
    json_object_foreach(json_object_get(doc, "rename_columns"), from, one)
    {
        if (!schema_add(r, ddl_rename_column(table, from, one, &sql, e), &sql, e))
            return false;
    }
    json_array_foreach(json_object_get(doc, "drop_columns"), i, one)
    {
        if (!schema_add(r, ddl_drop_column(table, one, &sql, e), &sql, e))
            return false;
    }
    json_array_foreach(json_object_get(doc, "add_columns"), i, one)
    {
        if (!schema_add(r, ddl_add_column(table, one, i, &sql, e), &sql, e))
            return false;
    }
    one = json_object_get(doc, "rename_to");
    return !one || schema_add(r, ddl_rename_table(table, one, &sql, e), &sql, e);
}

static void alter(request *q, const json_t *table)
{
    error e;
    size_t n = json_object_size(json_object_get(q->doc, "rename_columns")) +
               json_array_size(json_object_get(q->doc, "drop_columns")) +
               json_array_size(json_object_get(q->doc, "add_columns")) +
               (json_object_get(q->doc, "rename_to") != NULL);
    if (refuse_view(q, table))
        return;
    if (n == 0) {
        error_set(&e, ERR_INVALID_MESSAGE, "the body names no change");
        error_hint(&e, "Give rename_to, add_columns, drop_columns or rename_columns.");
        http_reply_error(q, &e);
        return;
    }
    run *r = schema_change(q, n, altered);
    if (!r)
        return;
    if (add_changes(r, text_of(table, "name"), q->doc, &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

void api_alter_table(request *q)
{
    schema_find(q, q->params[0], alter);
}

/* ---- dropping and emptying --------------------------------------------------------------------
 */

/* `begin` and the table's name are the whole statement. */
static void change_whole(request *q, const json_t *table, const char *begin, schema_done then)
{
    error e;
    buf sql = BUF_INIT;
    if (refuse_view(q, table))
        return;
    run *r = schema_change(q, 1, then);
    if (!r)
        return;
    buf_addf(&sql, "%s main.", begin);
    sqlname_add(&sql, text_of(table, "name"));
    if (schema_add(r, true, &sql, &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

static void dropped(request *q, run *r)
{
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_answer_dropped(q, q->params[0], r->sum.lsn);
}

static void drop(request *q, const json_t *table)
{
    change_whole(q, table, "DROP TABLE", dropped);
}

void api_drop_table(request *q)
{
    schema_find(q, q->params[0], drop);
}

static void emptied(request *q, run *r)
{
    buf out;
    json_writer w;
    if (r->failed) {
        schema_reply_failure(r);
        return;
    }
    http_begin_json(&w, &out);
    jw_key(&w, "name");
    jw_str(&w, q->params[0]);
    jw_key(&w, "rows_removed");
    jw_int(&w, r->changes);
    jw_key(&w, "lsn");
    jw_int(&w, r->sum.lsn);
    http_end_json(q, 200, &w);
}

static void empty(request *q, const json_t *table)
{
    change_whole(q, table, "DELETE FROM", emptied);
}

void api_truncate_table(request *q)
{
    schema_find(q, q->params[0], empty);
}
