/* A result as one JSON-RPC answer: {"jsonrpc","id","result":{"columns","rows",...}}. It is never
 * sent in parts, since an error would have to come in its place. */
#include "daemon/encode.h"
#include "daemon/rpc.h"
#include "wire/jsonrpc.h"

static void columns(run *r, const engine_column *cols, int n)
{
    rpc_begin_answer(&r->w, &r->out, rpc_id(r->request_id));
    jw_key(&r->w, "result");
    jw_begin_object(&r->w);
    encode_columns(&r->w, cols, n);
    jw_key(&r->w, "rows");
    jw_begin_array(&r->w);
}

static void row(run *r, const value *values, int n)
{
    encode_row(&r->w, values, n);
}

static void end(run *r, const engine_summary *sum)
{
    jw_end_array(&r->w);
    encode_summary(&r->w, sum);
    jw_end_object(&r->w);
    jw_end_object(&r->w);
}

static void frame(run *r)
{
    encode_frame(r);
    buf_free(&r->out); /* it may have been large */
}

const run_encoder encode_rpc = {
    .columns = columns,
    .row = row,
    .end = end,
    .finish = frame,
    .frames = true,
    .whole = true,
};

const run_encoder encode_rpc_item = {
    .columns = columns,
    .row = row,
    .end = end,
    .whole = true,
};
