/* Results as REST answers them: one object, a line per row, or the list of a batch. */
#include "daemon/encode.h"
#include "daemon/problem.h"

static void close_rows(run *r)
{
    if (r->in_rows)
        jw_end_array(&r->w);
    r->in_rows = false;
}

static void open_rows(run *r)
{
    jw_key(&r->w, "rows");
    jw_begin_array(&r->w);
    r->in_rows = true;
}

static void add_row(run *r, const value *row, int n)
{
    encode_row(&r->w, row, n);
}

static void close_result(run *r, const engine_summary *sum)
{
    close_rows(r);
    encode_summary(&r->w, sum);
    jw_end_object(&r->w);
    r->statements++;
}

/* The error joins the object that has begun. */
static void error_member(run *r, const error *e)
{
    close_rows(r);
    r->w.need_comma = true;
    jw_key(&r->w, "error");
    problem_write(&r->w, e, NULL);
    jw_end_object(&r->w);
}

static void begin(run *r)
{
    jw_init(&r->w, &r->out);
}

/* ---- one object -------------------------------------------------------------------------------
 */

static void begin_object(run *r)
{
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    jw_key(&r->w, "id");
    jw_str(&r->w, r->job.id);
}

static void object_columns(run *r, const engine_column *cols, int n)
{
    begin_object(r);
    encode_columns(&r->w, cols, n);
    open_rows(r);
}

const run_encoder encode_object = {
    .begin = begin,
    .columns = object_columns,
    .row = add_row,
    .end = close_result,
    .late_error = error_member,
};

/* ---- a line per row ---------------------------------------------------------------------------
 */

static void line_columns(run *r, const engine_column *cols, int n)
{
    begin_object(r);
    encode_columns(&r->w, cols, n);
    jw_end_object(&r->w);
    buf_addc(&r->out, '\n');
}

static void line_row(run *r, const value *row, int n)
{
    jw_init(&r->w, &r->out);
    encode_row(&r->w, row, n);
    buf_addc(&r->out, '\n');
}

static void line_end(run *r, const engine_summary *sum)
{
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    jw_key(&r->w, "end");
    jw_begin_object(&r->w);
    encode_summary(&r->w, sum);
    jw_end_object(&r->w);
    jw_end_object(&r->w);
    buf_addc(&r->out, '\n');
}

static void line_error(run *r, const error *e)
{
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    jw_key(&r->w, "error");
    problem_write(&r->w, e, NULL);
    jw_end_object(&r->w);
    buf_addc(&r->out, '\n');
}

const run_encoder encode_ndjson = {
    .begin = begin,
    .columns = line_columns,
    .row = line_row,
    .end = line_end,
    .late_error = line_error,
    .lines = true,
};

/* ---- a batch ----------------------------------------------------------------------------------
 */

static void batch_begin(run *r)
{
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    jw_key(&r->w, "results");
    jw_begin_array(&r->w);
}

static void batch_columns(run *r, const engine_column *cols, int n)
{
    jw_begin_object(&r->w);
    encode_columns(&r->w, cols, n);
    open_rows(r);
}

static void batch_failed(run *r, int index, const error *e)
{
    if (r->in_rows)
        close_rows(r); /* columns were written: the error joins the same object */
    else
        jw_begin_object(&r->w);
    jw_key(&r->w, "error");
    problem_write(&r->w, e, &(problem_extra){.statement = index, .rows_kept = -1});
    jw_end_object(&r->w);
    r->statements++;
}

static void batch_finish(run *r)
{
    jw_end_array(&r->w);
    jw_end_object(&r->w);
}

const run_encoder encode_batch = {
    .begin = batch_begin,
    .columns = batch_columns,
    .row = add_row,
    .end = close_result,
    .failed = batch_failed,
    .finish = batch_finish,
    .late_error = error_member,
};
