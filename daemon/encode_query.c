/* Results as messages of the endpoint /api/v1/ws/query: "columns", "rows" in batches, "end". */
#include "daemon/encode.h"
#include "daemon/ws_query.h"

static void finish_batch(run *r)
{
    ws_query *q = r->arg;
    if (!q->in_batch)
        return;
    q->in_batch = 0;
    jw_end_array(&r->w);
    jw_end_object(&r->w);
    encode_frame(r);
}

static void begin(run *r)
{
    ((ws_query *)r->arg)->in_batch = 0;
}

static void columns(run *r, const engine_column *cols, int n)
{
    ws_query_begin(&r->w, &r->out, r->arg, "columns");
    encode_columns(&r->w, cols, n);
    jw_end_object(&r->w);
    encode_frame(r);
}

static void row(run *r, const value *values, int n)
{
    ws_query *q = r->arg;
    if (!q->in_batch) {
        ws_query_begin(&r->w, &r->out, q, "rows");
        jw_key(&r->w, "rows");
        jw_begin_array(&r->w);
    }
    encode_row(&r->w, values, n);
    if (++q->in_batch == q->batch_size || r->out.len >= BATCH_BYTES)
        finish_batch(r);
}

static void end(run *r, const engine_summary *sum)
{
    finish_batch(r);
    ws_query_begin(&r->w, &r->out, r->arg, "end");
    jw_key(&r->w, "rows");
    jw_int(&r->w, sum->rows);
    encode_summary(&r->w, sum);
    jw_end_object(&r->w);
    encode_frame(r);
}

const run_encoder encode_query = {
    .begin = begin,
    .columns = columns,
    .row = row,
    .end = end,
    .frames = true,
    .prompt = true,
};
