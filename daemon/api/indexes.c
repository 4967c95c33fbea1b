/* GET and POST /tables/{name}/indexes, GET and DELETE /tables/{name}/indexes/{index}. */
#include "daemon/api/api.h"
#include "daemon/api/schema_steps.h"
#include "daemon/ddl_sql.h"
#include "base/sqlname.h"

#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

/* The table's index of this name, in whatever case its letters are; borrowed, NULL when there is
 * none. */
static json_t *index_of(const json_t *table, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(table, "indexes"), i, one)
    {
        if (strcasecmp(text_of(one, "name"), name) == 0)
            return one;
    }
    return NULL;
}

static void no_index(request *q, const json_t *table, const char *name)
{
    error e;
    error_set(&e, ERR_NOT_FOUND, "\"%s\" has no index named \"%s\"", text_of(table, "name"), name);
    http_reply_error(q, &e);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static void show_all(request *q, const json_t *table)
{
    const json_t *all = json_object_get(table, "indexes");
    int64_t total = (int64_t)json_array_size(all);
    int64_t offset = http_int(q, "offset"), limit = http_int(q, "limit");
    json_t *page = json_array();
    for (int64_t i = offset; i < total && i - offset < limit; i++)
        json_array_append(page, json_array_get(all, (size_t)i));
    schema_answer(q, 200,
                  json_pack("{s:I, s:I, s:I, s:o}", "total", (json_int_t)total, "offset",
                            (json_int_t)offset, "limit", (json_int_t)limit, "indexes", page));
}

void api_list_indexes(request *q)
{
    schema_find(q, q->params[0], show_all);
}

static void show(request *q, const json_t *table)
{
    json_t *one = index_of(table, q->params[1]);
    if (one)
        schema_answer(q, 200, json_incref(one));
    else
        no_index(q, table, q->params[1]);
}

void api_get_index(request *q)
{
    schema_find(q, q->params[0], show);
}

/* ---- making -----------------------------------------------------------------------------------
 */

/* It is committed; that it is not there any more is somebody else's doing. */
static void answer_made(request *q, const json_t *table)
{
    const char *name = text_of(q->doc, "name");
    json_t *one = index_of(table, name);
    buf path = BUF_INIT;
    error e;
    if (!one) {
        error_set(&e, ERR_CONFLICT, "the index \"%s\" was made, and is already gone again", name);
        http_reply_error(q, &e);
        return;
    }
    buf_adds(&path, "/api/v1/tables/");
    http_put_segment(&path, text_of(table, "name"));
    buf_adds(&path, "/indexes/");
    schema_answer_created(q, json_incref(one), buf_cstr(&path), name);
    buf_free(&path);
}

static void made(request *q, run *r)
{
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_find(q, q->params[0], answer_made);
}

static void make(request *q, const json_t *table)
{
    error e;
    buf sql = BUF_INIT;
    run *r = schema_change(q, 1, made);
    if (!r)
        return;
    bool ok = ddl_create_index(text_of(table, "name"), json_object_get(table, "columns"), q->doc,
                               &sql, &e);
    if (schema_add(r, ok, &sql, &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

void api_create_index(request *q)
{
    schema_find(q, q->params[0], make);
}

/* ---- dropping ---------------------------------------------------------------------------------
 */

static void dropped(request *q, run *r)
{
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_answer_dropped(q, q->params[1], r->sum.lsn);
}

static void drop(request *q, const json_t *table)
{
    error e;
    buf sql = BUF_INIT;
    const json_t *one = index_of(table, q->params[1]);
    if (!one) {
        no_index(q, table, q->params[1]);
        return;
    }
    if (strcmp(text_of(one, "origin"), "create_index") != 0) {
        error_set(&e, ERR_CONFLICT, "\"%s\" belongs to a constraint of the table",
                  text_of(one, "name"));
        error_hint(&e, "It goes with the constraint, which takes a new table.");
        http_reply_error(q, &e);
        return;
    }
    run *r = schema_change(q, 1, dropped);
    if (!r)
        return;
    buf_adds(&sql, "DROP INDEX main.");
    sqlname_add(&sql, text_of(one, "name"));
    if (schema_add(r, true, &sql, &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

void api_drop_index(request *q)
{
    schema_find(q, q->params[0], drop);
}
