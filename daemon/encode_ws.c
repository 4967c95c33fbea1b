/* Results as query_result messages of rustydb.json.v1. */
#include "daemon/encode.h"

#include <string.h>

/* Opens a message; its payload object stays open. */
static void open_part(run *r, const char *part)
{
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    if (r->request_id) {
        jw_key(&r->w, "id");
        jw_raw(&r->w, r->request_id, strlen(r->request_id));
    }
    jw_key(&r->w, "type");
    jw_str(&r->w, "query_result");
    jw_key(&r->w, "payload");
    jw_begin_object(&r->w);
    jw_key(&r->w, "part");
    jw_str(&r->w, part);
}

static void close_part(run *r)
{
    jw_end_object(&r->w);
    jw_end_object(&r->w);
    encode_frame(r);
}

static void columns(run *r, const engine_column *cols, int n)
{
    open_part(r, "columns");
    encode_columns(&r->w, cols, n);
    close_part(r);
    r->in_rows = false;
}

static void row(run *r, const value *values, int n)
{
    if (!r->in_rows) {
        open_part(r, "rows");
        jw_key(&r->w, "rows");
        jw_begin_array(&r->w);
        r->in_rows = true;
    }
    encode_row(&r->w, values, n);
}

static void cut(run *r)
{
    if (!r->in_rows)
        return;
    jw_end_array(&r->w);
    close_part(r);
    r->in_rows = false;
}

static void end(run *r, const engine_summary *sum)
{
    cut(r);
    open_part(r, "end");
    encode_summary(&r->w, sum);
    close_part(r);
}

const run_encoder encode_ws = {
    .columns = columns,
    .row = row,
    .cut = cut,
    .end = end,
    .frames = true,
};
