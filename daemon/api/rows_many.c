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
    if (rows_judge(r, &m->op, v + (m->returns ? m->op.table.n_columns : 0)) && m->returns &&
        m->op.extras[r->statements] != ROW_EXTRA_CHANGES)
        row_write(&r->w, &m->op.table, v);
}

static void end(run *r, const engine_summary *sum)
{
    (void)sum;
    r->statements++;
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
    .end = end,
    .finish = finish,
    .whole = true,
};

/* ---- the reactor ------------------------------------------------------------------------------
 */

static void done(run *r)
{
    const many_rows *m = r->state;
    const problem_extra x = {.statement = r->err_index / m->per_row, .rows_kept = -1};
    if (r->failed)
        http_reply_problem(r->c->req, &r->err, r->job.n_stmts > m->per_row ? &x : NULL);
    else
        http_reply(r->c->req, m->status, r->last->data, r->last->len);
    run_free(r);
}

void many_rows_begin(many_rows *m, const request *q, int status)
{
    m->returns = rows_prefers(q, "return", "representation");
    m->status = status;
    m->per_row = 1;
    m->op.r->on_done = done;
}

void many_rows_returning(const many_rows *m, row_sql *s, const row_values *inserted,
                         const row_values *updated)
{
    bool checks = (inserted || updated) && s->op->table.grants;
    if (!m->returns && !checks)
        return;
    row_sql_add(s, " RETURNING ");
    if (m->returns)
        row_sql_all_columns(s);
    if (!checks)
        return;
    row_sql_add(s, m->returns ? ", " : "");
    row_sql_written(s, inserted, updated);
}

/* ---- by a filter ------------------------------------------------------------------------------
 */

/* Ends a statement that changes what the query's conditions hold for; v: what it sets, NULL: it
 * deletes. Rows that may not be seen take part only where nothing is asked or told of them. */
static bool end_filtered(many_rows *m, row_sql *s, const request *q, const row_values *v, error *e)
{
    bool any = false, all = http_flag(q, "all");
    bool ok = !m->returns || rows_may(&m->op, m->op.table.name, ACCESS_SELECT, e);
    if (s->op->table.grants) {
        row_sql_and(s);
        row_sql_writable(s, v ? ACCESS_UPDATE : ACCESS_DELETE, v);
    }
    if (!all || m->returns)
        row_sql_seen(s);
    ok = ok && row_filter_add(s, q, &any, e);
    many_rows_returning(m, s, NULL, v);
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
        !rows_may_write(&op->table, ACCESS_UPDATE, &v, e) || !rows_room(op, 1, e))
        return false;
    if (!v.n)
        return error_set(e, ERR_INVALID_MESSAGE, "the body has no column to change");
    row_sql_init(&s, op);
    row_sql_add(&s, row_sql_update(op));
    row_sql_table(&s);
    row_sql_set(&s, &v);
    return end_filtered(m, &s, q, &v, e);
}

void api_update_rows(request *q)
{
    rows_start(q, &encode_many_rows, JOB_ATOMIC, sizeof(many_rows), ACCESS_UPDATE, prepare_update);
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
    row_sql_table(&s);
    return end_filtered(m, &s, q, NULL, e);
}

void api_delete_rows(request *q)
{
    rows_start(q, &encode_many_rows, JOB_ATOMIC, sizeof(many_rows), ACCESS_DELETE, prepare_delete);
}
