#include "base/mem.h"
#include "live/state.h"

static lq_run *own(job_sink *s)
{
    return list_entry(s, lq_run, sink);
}

/* ---- the sink: on engine threads --------------------------------------------------------------
 */

static void on_begin(job_sink *s, bool held)
{
    (void)s;
    (void)held;
}

static void on_restart(job_sink *s)
{
    (void)s; /* the writer's alone */
}

static sink_state gone(bool *why)
{
    *why = true;
    return SINK_GONE;
}

static sink_state on_columns(job_sink *s, int index, const engine_column *cols, int n)
{
    lq_run *r = own(s);
    (void)index;
    if (!lq_result_columns(r->result, cols, n, &r->job.origin))
        return gone(&r->no_memory);
    return SINK_OK;
}

static sink_state on_row(job_sink *s, const value *row, int n)
{
    lq_run *r = own(s);
    if (!lq_result_row(r->result, row, n))
        return gone(&r->no_memory);
    if ((int64_t)lq_result_bytes(r->result) > r->max_bytes)
        return gone(&r->too_big);
    return SINK_OK;
}

static void on_end(job_sink *s, int index, const engine_summary *sum)
{
    lq_run *r = own(s);
    (void)index;
    r->result->lsn = sum->lsn;
    r->too_many = sum->truncated;
    r->took_us = sum->elapsed_us;
}

static void on_failed(job_sink *s, int index, const error *e)
{
    (void)s; /* batches' alone */
    (void)index;
    (void)e;
}

static void on_done(job_sink *s, int index, const error *e)
{
    lq_run *r = own(s);
    (void)index;
    r->failed = e != NULL;
    if (e)
        r->err = *e;
    mailbox_post(&r->owner->box, &r->mail.link);
}

static const job_sink_ops sink_ops = {
    .begin = on_begin,
    .restart = on_restart,
    .columns = on_columns,
    .row = on_row,
    .end = on_end,
    .failed = on_failed,
    .done = on_done,
};

/* ---- starting ---------------------------------------------------------------------------------
 */

void lq_run_free(lq_run *r)
{
    lq_result_unref(r->result);
    buf_free(&r->job.origin.tables);
    arena_free(&r->job.mem);
    mem_free(r);
}

lq_run *lq_run_new(queries *f, lq_query *q)
{
    lq_run *r = mem_zalloc(sizeof *r);
    if (!r)
        return NULL;
    r->result = lq_result_new();
    if (!r->result) {
        lq_run_free(r);
        return NULL;
    }
    list_init(&r->mail.link);
    r->mail.kind = LQ_MAIL_RUN;
    r->sink.ops = &sink_ops;
    r->owner = f;
    r->query = q;
    r->max_rows = atomic_load(&f->max_rows);
    r->max_bytes = atomic_load(&f->max_result);
    r->job.kind = JOB_QUERY;
    r->job.sink = &r->sink;
    r->job.stmts = &q->ask->stmt;
    r->job.n_stmts = 1;
    r->job.as = q->ask->as;
    r->job.readonly = true;
    r->job.origin.wanted = true;
    r->job.max_rows = r->max_rows;
    return r;
}

bool lq_run_check(lq_run *r, error *e)
{
    if (r->no_memory)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (r->too_many) {
        error_set(e, ERR_MESSAGE_TOO_BIG, "the live query's result has more than %lld rows",
                  (long long)r->max_rows);
        return error_hint(e, "Ask for fewer (LIMIT), or raise live_max_rows.");
    }
    if (r->too_big) {
        error_set(e, ERR_MESSAGE_TOO_BIG, "the live query's result has more than %lld bytes",
                  (long long)r->max_bytes);
        return error_hint(e, "Ask for fewer rows or columns, or raise live_max_result.");
    }
    if (!r->failed)
        return true;
    *e = r->err;
    if (r->query->ask->moved)
        e->position = -1;
    return false;
}
