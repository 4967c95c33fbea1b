#include "daemon/encode.h"
#include "wire/ws_frame.h"

void encode_columns(json_writer *w, const engine_column *cols, int n)
{
    jw_key(w, "columns");
    jw_begin_array(w);
    for (int i = 0; i < n; i++) {
        jw_begin_object(w);
        jw_key(w, "name");
        jw_str(w, cols[i].name);
        jw_key(w, "type");
        jw_str(w, cols[i].type);
        jw_end_object(w);
    }
    jw_end_array(w);
}

void encode_row(json_writer *w, const value *row, int n)
{
    jw_begin_array(w);
    for (int i = 0; i < n; i++)
        value_write_json(w, &row[i]);
    jw_end_array(w);
}

void encode_summary(json_writer *w, const engine_summary *sum)
{
    jw_key(w, "changes");
    jw_int(w, sum->changes);
    jw_key(w, "last_insert_rowid");
    jw_int(w, sum->last_insert_rowid);
    jw_key(w, "lsn");
    jw_int(w, sum->lsn);
    jw_key(w, "elapsed_ms");
    jw_real(w, (double)sum->elapsed_us / 1000.0);
    if (sum->truncated) {
        jw_key(w, "truncated");
        jw_bool(w, true);
    }
}

void encode_frame(run *r)
{
    if (r->out.failed)
        r->wire.failed = true;
    else
        ws_frame_add_message(&r->wire, WS_TEXT, r->out.data, r->out.len, r->deflate_bits);
    buf_clear(&r->out);
}

const run_encoder encode_none = {0};
