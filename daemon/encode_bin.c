/* Results as messages of rustydb.bin.v1. Rows go straight from the engine's values into the message
 * under way; what stands before them (how many there are) is known at its end alone, so room for it
 * is kept. */
#include "base/mem.h"
#include "daemon/bin_event.h"
#include "daemon/encode.h"
#include "wire/bin_message.h"
#include "wire/bincode.h"
#include "wire/ws_frame.h"

#include <string.h>

enum {
    /* version, type, id, payload's length, form, number of values */
    HEAD_ROOM = 2 + BC_UINT_MAX + BIN_MAX_ID + BC_UINT_MAX + 1 + BC_UINT_MAX,
};

static bin_text id_of(const run *r)
{
    return bin_str(r->request_id ? r->request_id : "");
}

/* The bytes of `out` from here on are a whole message. */
static void ship(run *r, size_t from)
{
    if (r->out.failed)
        r->wire.failed = true;
    else
        ws_frame_add_message(&r->wire, WS_BINARY, r->out.data + from, r->out.len - from,
                             r->deflate_bits);
    buf_clear(&r->out);
}

static void put(run *r, const bin_message *m)
{
    bin_message_put(&r->out, m);
    ship(r, 0);
}

static bin_summary summary_of(const engine_summary *sum)
{
    return (bin_summary){
        .rows = (uint64_t)sum->rows,
        .changes = (uint64_t)sum->changes,
        .last_insert_rowid = sum->last_insert_rowid,
        .lsn = (uint64_t)sum->lsn,
        .elapsed_us = (uint64_t)sum->elapsed_us,
        .truncated = sum->truncated,
    };
}

static void columns(run *r, const engine_column *cols, int n)
{
    bin_column *all = n ? mem_alloc((size_t)n * sizeof *all) : NULL;
    if (n && !all) {
        r->wire.failed = true;
        return;
    }
    for (int i = 0; i < n; i++)
        all[i] = (bin_column){bin_str(cols[i].name), bin_opt_str(cols[i].type)};
    const bin_message m = {
        .type = BIN_QUERY_RESULT,
        .id = id_of(r),
        .form = BIN_RESULT_COLUMNS,
        .columns = {{(size_t)n, all}},
    };
    put(r, &m);
    mem_free(all);
    r->in_rows = false;
}

/* Writes what stands before the values, up against them, and ships the message. */
static void cut(run *r)
{
    buf head = BUF_INIT;
    char count[BC_UINT_MAX];
    if (!r->in_rows)
        return;
    size_t values = r->out.len - HEAD_ROOM, n = bc_uint(r->values, count);
    bin_envelope_put(&head, BIN_QUERY_RESULT, id_of(r));
    bc_put_uint(&head, 1 + n + values);
    bc_put_uint(&head, BIN_RESULT_ROWS);
    buf_add(&head, count, n);
    if (head.failed)
        r->out.failed = true;
    if (!r->out.failed)
        memcpy(r->out.data + HEAD_ROOM - head.len, head.data, head.len);
    ship(r, HEAD_ROOM - head.len);
    buf_free(&head);
    r->in_rows = false;
}

static void row(run *r, const value *values, int n)
{
    if (!r->in_rows) {
        if (buf_reserve(&r->out, HEAD_ROOM))
            r->out.len += HEAD_ROOM;
        r->values = 0;
        r->in_rows = true;
    }
    for (int i = 0; i < n; i++) {
        const bin_value v = bin_value_of(&values[i]);
        bin_put_value(&r->out, &v);
    }
    r->values += (size_t)n;
    if (r->out.len >= RUN_CHUNK) /* held results too come in messages of a reasonable size */
        cut(r);
}

static void end(run *r, const engine_summary *sum)
{
    cut(r);
    const bin_message m = {
        .type = BIN_QUERY_RESULT,
        .id = id_of(r),
        .form = BIN_RESULT_END,
        .summary = summary_of(sum),
    };
    put(r, &m);
}

const run_encoder encode_bin = {
    .columns = columns,
    .row = row,
    .cut = cut,
    .end = end,
    .frames = true,
};

static void end_only(run *r, const engine_summary *sum)
{
    const bin_message m = {
        .type = BIN_EXECUTE_RESULT,
        .id = id_of(r),
        .form = BIN_DONE_STATEMENT,
        .summary = summary_of(sum),
    };
    put(r, &m);
}

const run_encoder encode_bin_end = {.end = end_only, .frames = true};
