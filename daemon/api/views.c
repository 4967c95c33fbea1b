/* GET and POST /views, GET, PUT and DELETE /views/{name}. */
#include "daemon/api/api.h"
#include "daemon/api/schema_steps.h"
#include "daemon/ddl_sql.h"
#include "daemon/ddl_view.h"
#include "base/sqlname.h"

#include <string.h>

static const char *text_of(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

/* ---- the list ---------------------------------------------------------------------------------
 */

typedef struct page {
    int64_t total, offset, limit;
    const access_set *access; /* of whoever asks: what he has no grant on is passed by */
} page;

static void list_begin(run *r)
{
    page *p = r->state;
    p->total = 0;
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    jw_key(&r->w, "views");
    jw_begin_array(&r->w);
}

/* The SELECT tells of other tables: it is for those who may see everything. */
static void put_select(run *r, const value *create)
{
    const page *p = r->state;
    buf text = BUF_INIT;
    buf_add(&text, create->p, create->len);
    r->out.failed = r->out.failed || text.failed;
    jw_key(&r->w, "sql");
    jw_str(&r->w, p->access || text.failed ? NULL : ddl_view_select(buf_cstr(&text)));
    buf_free(&text);
}

static bool is_listed(run *r, const value *name)
{
    const page *p = r->state;
    const char *text = arena_strndup(&r->job.mem, name->p, name->len);
    r->out.failed = r->out.failed || !text;
    return text && (!p->access || access_find(p->access, text)->ops);
}

static void list_row(run *r, const value *row, int n)
{
    page *p = r->state;
    (void)n;
    if (row[0].type != VALUE_TEXT || row[1].type != VALUE_TEXT || !is_listed(r, &row[0]))
        return;
    int64_t at = p->total++;
    if (at < p->offset || at - p->offset >= p->limit)
        return;
    jw_begin_object(&r->w);
    jw_key(&r->w, "name");
    jw_strn(&r->w, row[0].p, row[0].len);
    put_select(r, &row[1]);
    jw_end_object(&r->w);
}

static void list_end(run *r, const engine_summary *sum)
{
    const page *p = r->state;
    (void)sum;
    jw_end_array(&r->w);
    jw_key(&r->w, "total");
    jw_int(&r->w, p->total);
    jw_key(&r->w, "offset");
    jw_int(&r->w, p->offset);
    jw_key(&r->w, "limit");
    jw_int(&r->w, p->limit);
    jw_end_object(&r->w);
}

static const run_encoder encode_list = {
    .begin = list_begin,
    .row = list_row,
    .end = list_end,
    .whole = true,
};

static const char list_sql[] =
    "SELECT name, sql FROM main.sqlite_schema WHERE type = 'view' "
    "AND name NOT LIKE '\\_rustydb\\_%' ESCAPE '\\' ORDER BY name COLLATE NOCASE, name";

void api_list_views(request *q)
{
    error e;
    run *r = run_new(q->c, &encode_list, JOB_QUERY);
    page *p = arena_alloc(&r->job.mem, sizeof *p);
    engine_stmt *stmt = arena_alloc(&r->job.mem, sizeof *stmt);
    if (!p || !stmt) {
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        schema_give_up(r, &e);
        return;
    }
    *p = (page){
        .offset = http_int(q, "offset"),
        .limit = http_int(q, "limit"),
        .access = r->job.as->access,
    };
    *stmt = (engine_stmt){.sql = list_sql};
    r->state = p;
    r->job.as = NULL; /* the schema is closed to clients; list_row looks at each view */
    r->job.stmts = stmt;
    r->job.n_stmts = 1;
    http_answer_with(q, r);
    run_submit(r);
}

/* ---- one view ---------------------------------------------------------------------------------
 */

static void no_view(request *q, const char *name)
{
    error e;
    error_set(&e, ERR_TABLE_NOT_FOUND, "there is no view named \"%s\"", name);
    http_reply_error(q, &e);
}

/* A table's description, as far as it is a view's. */
static json_t *describe(const json_t *table)
{
    json_t *columns = json_array(), *one;
    size_t i;
    json_array_foreach(json_object_get(table, "columns"), i, one)
    {
        json_array_append_new(columns, json_pack("{s:O, s:O}", "name", json_object_get(one, "name"),
                                                 "type", json_object_get(one, "type")));
    }
    const char *sql = text_of(table, "sql"); /* NULL: not for this viewer */
    json_t *doc = json_pack("{s:O, s:s?, s:o, s:O}", "name", json_object_get(table, "name"), "sql",
                            sql ? ddl_view_select(sql) : NULL, "columns", columns, "triggers",
                            json_object_get(table, "triggers"));
    if (json_object_get(table, "error"))
        json_object_set(doc, "error", json_object_get(table, "error"));
    return doc;
}

static void show(request *q, const json_t *table)
{
    if (schema_is_view(table))
        schema_answer(q, 200, describe(table));
    else
        no_view(q, q->params[0]);
}

void api_get_view(request *q)
{
    schema_find(q, q->params[0], show);
}

/* ---- making and replacing ---------------------------------------------------------------------
 */

static bool add_view(run *r, const char *name, const json_t *doc, error *e)
{
    buf sql = BUF_INIT;
    return schema_add(r, ddl_create_view(name, doc, &sql, e), &sql, e);
}

static bool add_about(run *r, const char *begin, const char *name, const char *end, error *e)
{
    buf sql = BUF_INIT;
    buf_addf(&sql, "%s main.", begin);
    sqlname_add(&sql, name);
    buf_adds(&sql, end);
    return schema_add(r, true, &sql, e);
}

static void answer_made(request *q, const json_t *view)
{
    schema_answer_created(q, describe(view), "/api/v1/views/", text_of(view, "name"));
}

static void made(request *q, run *r)
{
    const char *name = text_of(q->doc, "name");
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_find(q, name ? name : q->params[0], answer_made);
}

/* Whether it can be read is seen before it is committed. */
static void make(request *q, const char *name)
{
    error e;
    run *r = schema_change(q, 2, made);
    if (!r)
        return;
    if (add_view(r, name, q->doc, &e) && add_about(r, "SELECT * FROM", name, " LIMIT 0", &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

void api_create_view(request *q)
{
    error e;
    const char *name;
    if (ddl_text(q->doc, "name", "", &name, &e))
        make(q, name);
    else
        http_reply_error(q, &e);
}

static void answer_replaced(request *q, const json_t *view)
{
    schema_answer(q, 200, describe(view));
}

static void replaced(request *q, run *r)
{
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_find(q, q->params[0], answer_replaced);
}

/* Triggers go with the view that they stand on: they are made again. */
static bool add_triggers(run *r, const json_t *triggers, error *e)
{
    buf sql = BUF_INIT;
    size_t i;
    const json_t *one;
    json_array_foreach(triggers, i, one)
    {
        const char *text = text_of(one, "sql");
        if (!text)
            return error_set(e, ERR_PERMISSION_DENIED,
                             "the view has triggers that you may not see, and would lose them");
        buf_adds(&sql, text);
        if (!schema_add(r, true, &sql, e))
            return false;
    }
    return true;
}

static void replace(request *q, const json_t *view)
{
    const char *name = view ? text_of(view, "name") : NULL;
    const json_t *triggers = json_object_get(view, "triggers");
    error e;
    if (!view) {
        make(q, q->params[0]);
        return;
    }
    if (!schema_is_view(view)) {
        error_set(&e, ERR_CONFLICT, "\"%s\" is a table", name);
        http_reply_error(q, &e);
        return;
    }
    run *r = schema_change(q, 3 + json_array_size(triggers), replaced);
    if (!r)
        return;
    if (add_about(r, "DROP VIEW", name, "", &e) && add_view(r, name, q->doc, &e) &&
        add_triggers(r, triggers, &e) && add_about(r, "SELECT * FROM", name, " LIMIT 0", &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

void api_replace_view(request *q)
{
    schema_find_or_not(q, q->params[0], replace);
}

/* ---- dropping ---------------------------------------------------------------------------------
 */

static void dropped(request *q, run *r)
{
    if (r->failed)
        schema_reply_failure(r);
    else
        schema_answer_dropped(q, q->params[0], r->sum.lsn);
}

static void drop(request *q, const json_t *view)
{
    error e;
    if (!schema_is_view(view)) {
        no_view(q, q->params[0]);
        return;
    }
    run *r = schema_change(q, 1, dropped);
    if (!r)
        return;
    if (add_about(r, "DROP VIEW", text_of(view, "name"), "", &e))
        schema_run(r);
    else
        schema_give_up(r, &e);
}

void api_drop_view(request *q)
{
    schema_find(q, q->params[0], drop);
}
