#include "daemon/run.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/problem.h"
#include "wire/ws_frame.h"

#include <string.h>

typedef struct chunk_msg {
    reactor_msg m;
    run *r;
    refbuf *data;
} chunk_msg;

static run *of_sink(job_sink *s)
{
    return list_entry(s, run, sink);
}

/* ---- engine threads: shipping ------------------------------------------------------------------
 */

static void chunk_arrived(reactor *home, reactor_msg *m)
{
    (void)home;
    chunk_msg *cm = (chunk_msg *)m;
    run *r = cm->r;
    if (r->c && r->c->state != CONN_DEAD && !atomic_load(&r->gone)) {
        r->streamed = true;
        r->on_chunk(r, cm->data);
    } else {
        run_credit(r, cm->data->len);
        refbuf_unref(cm->data);
    }
    mem_free(cm);
}

/* Compresses `out` (all of it) behind what was compressed before; the result replaces it. */
static bool gzip_out(run *r, int flush)
{
    if (!r->gzip_open) {
        memset(&r->z, 0, sizeof r->z);
        if (deflateInit2(&r->z, 4, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return false;
        r->gzip_open = true;
    }
    buf packed = BUF_INIT;
    r->z.next_in = (unsigned char *)r->out.data;
    r->z.avail_in = (unsigned)r->out.len;
    int rc;
    do {
        char *to = buf_reserve(&packed, 16384);
        if (!to) {
            buf_free(&packed);
            return false;
        }
        r->z.next_out = (unsigned char *)to;
        r->z.avail_out = 16384;
        rc = deflate(&r->z, flush);
        packed.len += 16384 - r->z.avail_out;
    } while (rc == Z_OK && (r->z.avail_in || r->z.avail_out == 0));
    buf_free(&r->out);
    r->out = packed;
    return true;
}

/* Moves what is ready into a refbuf. NULL: nothing to send, or no memory (then out.failed). */
static refbuf *take_ready(run *r, bool last)
{
    if (r->gzip && (r->shipped || r->gzip_open || !last || r->out.len >= r->gzip_min)) {
        int flush = last ? Z_FINISH : r->format == RUN_NDJSON ? Z_SYNC_FLUSH : Z_NO_FLUSH;
        if (!gzip_out(r, flush)) {
            r->out.failed = true;
            return NULL;
        }
        r->last_gzip = true;
    }
    buf *from = r->format == RUN_WS ? &r->wire : &r->out;
    if (!from->len)
        return NULL;
    refbuf *data = refbuf_new(from->data, from->len);
    if (!data) {
        from->failed = true;
        return NULL;
    }
    buf_clear(from);
    return data;
}

static sink_state ship(run *r)
{
    refbuf *data = take_ready(r, false);
    if (!data)
        return r->out.failed || r->wire.failed ? SINK_TOO_BIG : SINK_OK;
    chunk_msg *cm = mem_alloc(sizeof *cm);
    if (!cm) {
        refbuf_unref(data);
        r->out.failed = true;
        return SINK_TOO_BIG;
    }
    *cm = (chunk_msg){.m = {.handle = chunk_arrived}, .r = r, .data = data};
    r->shipped = true;
    size_t under_way = atomic_fetch_add(&r->in_flight, data->len) + data->len;
    reactor_post(r->home, &cm->m);
    return under_way > RUN_IN_FLIGHT_HIGH ? SINK_FULL : SINK_OK;
}

/* ---- engine threads: text ----------------------------------------------------------------------
 */

static void put_columns(json_writer *w, const engine_column *cols, int n)
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

static void put_summary(json_writer *w, const engine_summary *sum)
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

/* Opens a query_result message; its payload object stays open. */
static void ws_open(run *r, const char *part)
{
    jw_init(&r->w, &r->out);
    jw_begin_object(&r->w);
    if (r->ws_id) {
        jw_key(&r->w, "id");
        jw_raw(&r->w, r->ws_id, strlen(r->ws_id));
    }
    jw_key(&r->w, "type");
    jw_str(&r->w, "query_result");
    jw_key(&r->w, "payload");
    jw_begin_object(&r->w);
    jw_key(&r->w, "part");
    jw_str(&r->w, part);
}

static void ws_close(run *r)
{
    jw_end_object(&r->w);
    jw_end_object(&r->w);
    if (r->out.failed)
        r->wire.failed = true;
    else if (r->deflate_bits && r->out.len >= 1024)
        ws_frame_add_deflated(&r->wire, WS_TEXT, r->out.data, r->out.len, r->deflate_bits);
    else
        ws_frame_add(&r->wire, WS_TEXT, r->out.data, r->out.len);
    buf_clear(&r->out);
}

static sink_state check(run *r)
{
    if (atomic_load_explicit(&r->gone, memory_order_relaxed))
        return SINK_GONE;
    if (r->out.failed || r->wire.failed)
        return SINK_TOO_BIG;
    size_t have = r->out.len + r->wire.len;
    if (r->held)
        return have > r->max_held ? SINK_TOO_BIG : SINK_OK;
    if (have < RUN_CHUNK)
        return SINK_OK;
    if (r->format == RUN_WS && r->in_rows) {
        jw_end_array(&r->w);
        ws_close(r);
        r->in_rows = false;
    }
    return ship(r);
}

static void sink_begin(job_sink *s, bool held)
{
    run *r = of_sink(s);
    r->held = held;
    jw_init(&r->w, &r->out);
    if (r->format == RUN_BATCH) {
        jw_begin_object(&r->w);
        jw_key(&r->w, "results");
        jw_begin_array(&r->w);
    }
}

static void sink_restart(job_sink *s)
{
    run *r = of_sink(s);
    buf_clear(&r->out);
    buf_clear(&r->wire);
    r->in_rows = false;
    r->statements = 0;
    sink_begin(s, r->held);
}

static sink_state sink_columns(job_sink *s, int index, const engine_column *cols, int n)
{
    run *r = of_sink(s);
    (void)index;
    switch (r->format) {
    case RUN_NONE:
        return SINK_OK;
    case RUN_WS:
        ws_open(r, "columns");
        put_columns(&r->w, cols, n);
        ws_close(r);
        r->in_rows = false;
        return check(r);
    case RUN_OBJECT:
    case RUN_NDJSON:
        jw_init(&r->w, &r->out);
        jw_begin_object(&r->w);
        jw_key(&r->w, "id");
        jw_str(&r->w, r->job.id);
        break;
    case RUN_BATCH:
        jw_begin_object(&r->w);
        break;
    }
    put_columns(&r->w, cols, n);
    if (r->format == RUN_NDJSON) {
        jw_end_object(&r->w);
        buf_addc(&r->out, '\n');
    } else {
        jw_key(&r->w, "rows");
        jw_begin_array(&r->w);
        r->in_rows = true;
    }
    return check(r);
}

static sink_state sink_row(job_sink *s, const value *row, int n)
{
    run *r = of_sink(s);
    if (r->format == RUN_NONE)
        return SINK_OK;
    if (r->format == RUN_WS && !r->in_rows) {
        ws_open(r, "rows");
        jw_key(&r->w, "rows");
        jw_begin_array(&r->w);
        r->in_rows = true;
    }
    if (r->format == RUN_NDJSON)
        jw_init(&r->w, &r->out);
    jw_begin_array(&r->w);
    for (int i = 0; i < n; i++)
        value_write_json(&r->w, &row[i]);
    jw_end_array(&r->w);
    if (r->format == RUN_NDJSON)
        buf_addc(&r->out, '\n');
    return check(r);
}

static void close_rows(run *r)
{
    if (r->in_rows)
        jw_end_array(&r->w);
    r->in_rows = false;
}

static void sink_end(job_sink *s, int index, const engine_summary *sum)
{
    run *r = of_sink(s);
    (void)index;
    r->sum = *sum;
    switch (r->format) {
    case RUN_NONE:
        break;
    case RUN_OBJECT:
    case RUN_BATCH:
        close_rows(r);
        put_summary(&r->w, sum);
        jw_end_object(&r->w);
        r->statements++;
        break;
    case RUN_NDJSON:
        jw_init(&r->w, &r->out);
        jw_begin_object(&r->w);
        jw_key(&r->w, "end");
        jw_begin_object(&r->w);
        put_summary(&r->w, sum);
        jw_end_object(&r->w);
        jw_end_object(&r->w);
        buf_addc(&r->out, '\n');
        break;
    case RUN_WS:
        if (r->in_rows) {
            close_rows(r);
            ws_close(r);
        }
        ws_open(r, "end");
        put_summary(&r->w, sum);
        ws_close(r);
        break;
    }
}

static void sink_failed(job_sink *s, int index, const error *e)
{
    run *r = of_sink(s);
    if (r->format != RUN_BATCH)
        return;
    if (r->in_rows)
        close_rows(r); /* columns were written: the error joins the same object */
    else
        jw_begin_object(&r->w);
    jw_key(&r->w, "error");
    problem_write(&r->w, e, &(problem_extra){.statement = index, .rows_kept = -1});
    jw_end_object(&r->w);
    r->statements++;
}

/* After rows have gone out, an error can only be said at the end of what was begun. */
static void append_error(run *r, const error *e)
{
    switch (r->format) {
    case RUN_NONE:
    case RUN_WS:
        buf_clear(&r->out);
        break;
    case RUN_NDJSON:
        jw_init(&r->w, &r->out);
        jw_begin_object(&r->w);
        jw_key(&r->w, "error");
        problem_write(&r->w, e, NULL);
        jw_end_object(&r->w);
        buf_addc(&r->out, '\n');
        break;
    case RUN_OBJECT:
    case RUN_BATCH:
        close_rows(r);
        r->w.need_comma = true;
        jw_key(&r->w, "error");
        problem_write(&r->w, e, NULL);
        jw_end_object(&r->w);
        break;
    }
}

static void done_arrived(reactor *home, reactor_msg *m)
{
    (void)home;
    run *r = list_entry(m, run, done_msg);
    conn *c = r->c;
    if (c) {
        list_unlink(&r->conn_link);
        c->n_runs--;
        conn_forget_run(c, r);
    }
    if (!c || c->state != CONN_DEAD) {
        r->on_done(r); /* frees it */
        return;
    }
    run_free(r);
    conn_reap(c);
}

static void sink_done(job_sink *s, int index, const error *e)
{
    run *r = of_sink(s);
    error no_memory;
    if (!e && r->format == RUN_BATCH) {
        jw_end_array(&r->w);
        jw_end_object(&r->w);
    }
    if (!e && (r->out.failed || r->wire.failed)) {
        error_set(&no_memory, ERR_INTERNAL_ERROR, "out of memory while writing the result");
        e = &no_memory;
    }
    if (e) {
        r->failed = true;
        r->err = *e;
        r->err_index = index;
        if (r->shipped) {
            append_error(r, e);
        } else {
            buf_clear(&r->out);
            buf_clear(&r->wire);
            r->gzip = r->last_gzip = false;
        }
    }
    r->last = take_ready(r, true);
    r->done_msg.handle = done_arrived;
    reactor_post(r->home, &r->done_msg);
}

static const job_sink_ops sink_ops = {
    .begin = sink_begin,
    .restart = sink_restart,
    .columns = sink_columns,
    .row = sink_row,
    .end = sink_end,
    .failed = sink_failed,
    .done = sink_done,
};

/* ---- reactor thread ----------------------------------------------------------------------------
 */

run *run_new(conn *c, run_format format, job_kind kind)
{
    run *r = xalloc(sizeof *r);
    const config *cfg = daemon_config(c->r->d);
    r->sink.ops = &sink_ops;
    r->job.kind = kind;
    r->job.sink = &r->sink;
    r->job.timeout_us = cfg->statement_timeout * 1000;
    r->home = c->r;
    r->c = c;
    r->format = format;
    r->max_held = (size_t)cfg->max_result;
    r->gzip_min = (size_t)cfg->gzip_min;
    error_clear(&r->err);
    list_init(&r->conn_link);
    return r;
}

void run_submit(run *r)
{
    list_append(&r->c->runs, &r->conn_link);
    r->c->n_runs++;
    engine_submit(r->home->d->engine, &r->job);
}

void run_credit(run *r, size_t bytes)
{
    size_t before = atomic_fetch_sub(&r->in_flight, bytes);
    if (before > RUN_IN_FLIGHT_LOW && before - bytes <= RUN_IN_FLIGHT_LOW)
        engine_resume(r->home->d->engine, &r->job);
}

void run_abandon(run *r)
{
    atomic_store(&r->gone, true);
    engine_cancel(r->home->d->engine, &r->job, ERR_CANCELLED);
}

void run_free(run *r)
{
    if (r->gzip_open)
        deflateEnd(&r->z);
    refbuf_unref(r->last);
    buf_free(&r->out);
    buf_free(&r->wire);
    buf_free(&r->job.text);
    arena_free(&r->job.mem);
    mem_free(r);
}
