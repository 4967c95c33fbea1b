/* PATCH and DELETE /tables/{name}/rows, and what else writes many rows at once. */
#include "daemon/api/rows_many.h"

/* ---- engine threads ---------------------------------------------------------------------------
 */

static void begin(run *r)
{
    const many_rows *m = r->state;
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    if (!m->returns)
        return;
    jw_key(&r->w, "rows");
    jw_begin_array(&r->w);
}

static void row(run *r, const value *v, int n)
{
    const many_rows *m = r->state;
    (void)n;
    row_write(&r->w, &m->op.table, v);
}

static void finish(run *r)
{
    const many_rows *m = r->state;
    if (m->returns)
        jw_end_array(&r->w);
    jw_key(&r->w, "changes");
    jw_int(&r->w, r->changes);
    jw_key(&r->w, "lsn");
    jw_int(&r->w, r->sum.lsn);
    jw_end_object(&r->w);
}

const run_encoder encode_many_rows = {
    .begin = begin,
    .row = row,
    .finish = finish,
    .whole = true,
};

/* ---- the reactor ------------------------------------------------------------------------------
 */

static void done(run *r)
{
    const many_rows *m = r->state;
    const problem_extra x = {.statement = r->err_index, .rows_kept = -1};
    if (r->failed)
        http_reply_problem(r->c->req, &r->err, r->job.n_stmts > 1 ? &x : NULL);
    else
        http_reply(r->c->req, m->status, r->last->data, r->last->len);
    run_free(r);
}

void many_rows_begin(many_rows *m, const request *q, int status)
{
    m->returns = rows_prefers(q, "return", "representation");
    m->status = status;
    m->op.r->on_done = done;
}

void many_rows_returning(const many_rows *m, row_sql *s)
{
    if (!m->returns)
        return;
    row_sql_add(s, " RETURNING");
    row_sql_all_columns(s);
}

/* ---- by a filter ------------------------------------------------------------------------------
 */

/* Ends a statement that changes what the query's conditions hold for. */
static bool end_filtered(many_rows *m, row_sql *s, const request *q, error *e)
{
    bool any = false, all = http_flag(q, "all");
    bool ok = row_filter_add(s, q, &any, e);
    many_rows_returning(m, s);
    if (ok && any == all) {
        ok = error_set(e, ERR_INVALID_MESSAGE,
                       any ? "all=true does not go with conditions"
                           : "no condition says which rows are meant");
        error_hint(e, "Add COLUMN=OP.VALUE, or all=true for every row.");
    }
    return row_sql_end(s, ok, e);
}

static bool prepare_update(request *q, rows_op *op, error *e)
{
    many_rows *m = (many_rows *)op;
    row_values v;
    row_sql s;
    many_rows_begin(m, q, 200);
    if (!row_table_writable(&op->table, e) || !row_values_read(op, q->doc, false, "", &v, e) ||
        !rows_room(op, 1, e))
        return false;
    if (!v.n)
        return error_set(e, ERR_INVALID_MESSAGE, "the body has no column to change");
    row_sql_init(&s, op);
    row_sql_add(&s, "UPDATE ");
    row_sql_name(&s, op->table.name);
    row_sql_set(&s, &v);
    return end_filtered(m, &s, q, e);
}

void api_update_rows(request *q)
{
    rows_start(q, &encode_many_rows, JOB_ATOMIC, sizeof(many_rows), prepare_update);
}

static bool prepare_delete(request *q, rows_op *op, error *e)
{
    many_rows *m = (many_rows *)op;
    row_sql s;
    many_rows_begin(m, q, 200);
    if (!row_table_writable(&op->table, e) || !rows_room(op, 1, e))
        return false;
    row_sql_init(&s, op);
    row_sql_add(&s, "DELETE FROM ");
    row_sql_name(&s, op->table.name);
    return end_filtered(m, &s, q, e);
}

void api_delete_rows(request *q)
{
    rows_start(q, &encode_many_rows, JOB_ATOMIC, sizeof(many_rows), prepare_delete);
}
