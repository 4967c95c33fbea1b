#include "daemon/run.h"
#include "base/log.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/idempotency.h"
#include "daemon/query_events.h"
#include "daemon/slow_queries.h"
#include "daemon/system_events.h"

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
        int flush = last ? Z_FINISH : r->encoder->lines ? Z_SYNC_FLUSH : Z_NO_FLUSH;
        if (!gzip_out(r, flush)) {
            r->out.failed = true;
            return NULL;
        }
        r->last_gzip = true;
    }
    buf *from = r->encoder->frames ? &r->wire : &r->out;
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

/* ---- engine threads: the sink -------------------------------------------------------------------
 */

static sink_state check(run *r)
{
    if (atomic_load_explicit(&r->gone, memory_order_relaxed) || r->refusal.code != ERR_NONE)
        return SINK_GONE;
    if (r->out.failed || r->wire.failed)
        return SINK_TOO_BIG;
    size_t have = r->out.len + r->wire.len;
    if (r->held || r->encoder->whole)
        return have > r->max_held ? SINK_TOO_BIG : SINK_OK;
    if (have < RUN_CHUNK && !(r->encoder->prompt && r->wire.len))
        return SINK_OK;
    if (r->encoder->cut)
        r->encoder->cut(r);
    return ship(r);
}

static void sink_begin(job_sink *s, bool held)
{
    run *r = of_sink(s);
    r->held = held;
    if (!atomic_load(&r->started_us)) {
        atomic_store(&r->started_us, clock_mono_us());
        query_started(r);
    }
    if (r->encoder->begin)
        r->encoder->begin(r);
}

static void sink_restart(job_sink *s)
{
    run *r = of_sink(s);
    buf_clear(&r->out);
    buf_clear(&r->wire);
    r->in_rows = false;
    r->statements = 0;
    r->changes = 0;
    r->elapsed_us = 0;
    error_clear(&r->refusal);
    atomic_store(&r->rows, 0);
    sink_begin(s, r->held);
}

static sink_state sink_columns(job_sink *s, int index, const engine_column *cols, int n)
{
    run *r = of_sink(s);
    (void)index;
    if (!r->encoder->columns)
        return SINK_OK;
    r->encoder->columns(r, cols, n);
    return check(r);
}

/* There is one engine thread at a time, so that no read-modify-write is needed. */
static void count_row(run *r)
{
    long long rows = atomic_load_explicit(&r->rows, memory_order_relaxed);
    atomic_store_explicit(&r->rows, rows + 1, memory_order_relaxed);
}

static sink_state sink_row(job_sink *s, const value *row, int n)
{
    run *r = of_sink(s);
    count_row(r);
    if (!r->encoder->row)
        return SINK_OK;
    r->encoder->row(r, row, n);
    return check(r);
}

static void sink_end(job_sink *s, int index, const engine_summary *sum)
{
    run *r = of_sink(s);
    (void)index;
    r->sum = *sum;
    r->changes += sum->changes;
    r->elapsed_us += sum->elapsed_us;
    if (r->encoder->end)
        r->encoder->end(r, sum);
}

static void sink_failed(job_sink *s, int index, const error *e)
{
    run *r = of_sink(s);
    if (r->encoder->failed)
        r->encoder->failed(r, index, e);
}

static void done_arrived(reactor *home, reactor_msg *m)
{
    run *r = list_entry(m, run, done_msg);
    conn *c = r->c;
    slow_queries_note(home->d->slow, r);
    if (c) {
        list_unlink(&r->conn_link);
        c->n_runs--;
        conn_forget_run(c, r);
    }
    if (!c || c->state != CONN_DEAD) {
        if (c)
            c->asked_us = r->asked_us;
        r->on_done(r); /* frees it */
        if (c)
            c->asked_us = 0;
        return;
    }
    idempotency_run_ended(r);
    run_free(r);
    conn_reap(c);
}

/* The engine's queue was full. */
static bool was_turned_away(const run *r, const error *e)
{
    return e && e->code == ERR_BUSY && !atomic_load(&r->started_us);
}

static void sink_done(job_sink *s, int index, const error *e)
{
    run *r = of_sink(s);
    error no_memory;
    if (!e && r->encoder->finish)
        r->encoder->finish(r);
    if (!e && (r->out.failed || r->wire.failed)) {
        error_set(&no_memory, ERR_INTERNAL_ERROR, "out of memory while writing the result");
        e = &no_memory;
    }
    if (r->refusal.code != ERR_NONE)
        e = &r->refusal;
    if (e) {
        r->failed = true;
        r->err = *e;
        r->err_index = index;
        if (r->shipped && r->encoder->late_error) {
            r->encoder->late_error(r, e);
        } else if (r->shipped) {
            buf_clear(&r->out);
        } else {
            buf_clear(&r->out);
            buf_clear(&r->wire);
            r->gzip = r->last_gzip = false;
        }
    }
    if (e && atomic_load(&r->started_us))
        r->elapsed_us = clock_mono_us() - atomic_load(&r->started_us);
    query_ended(r, e);
    if (was_turned_away(r, e))
        system_limit_hit(r->home->d, NULL, e);
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

void run_bound_rows(run *r)
{
    int64_t most = daemon_config(r->c->r->d)->max_rows;
    if (most > 0 && (r->job.max_rows <= 0 || r->job.max_rows > most))
        r->job.max_rows = most;
}

run *run_new(conn *c, const run_encoder *encoder, job_kind kind)
{
    run *r = xalloc(sizeof *r);
    const config *cfg = daemon_config(c->r->d);
    r->sink.ops = &sink_ops;
    r->job.kind = kind;
    r->job.sink = &r->sink;
    r->job.timeout_us = cfg->statement_timeout * 1000;
    r->home = c->r;
    r->c = c;
    r->asked_us = c->asked_us;
    r->who = identity_hold(conn_who(c));
    r->job.as = identity_eyes(r->who);
    r->encoder = encoder;
    r->max_held = (size_t)cfg->max_result;
    r->gzip_min = (size_t)cfg->gzip_min;
    error_clear(&r->err);
    error_clear(&r->refusal);
    list_init(&r->conn_link);
    return r;
}

/* A transaction is its owner's alone; those who may end what others do can roll it back. */
static void set_owner(run *r)
{
    job *j = &r->job;
    bool of_tx = j->kind >= JOB_TX_BEGIN && j->kind <= JOB_TX_ROLLBACK;
    if (!of_tx || !r->who ||
        (j->kind == JOB_TX_ROLLBACK && identity_may(r->who, SCOPE_connections)))
        return;
    identity_owner(r->who, r->owner);
    j->whose = r->owner;
}

void run_submit(run *r)
{
    set_owner(r);
    list_append(&r->c->runs, &r->conn_link);
    r->c->n_runs++;
    r->number = ++r->home->runs * MAX_REACTORS + (uint64_t)r->home->index;
    query_submitted(r);
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
    query_watch_free(r->watch);
    identity_release(r->who);
    refbuf_unref(r->last);
    buf_free(&r->out);
    buf_free(&r->wire);
    buf_free(&r->job.text);
    buf_free(&r->job.origin.tables);
    arena_free(&r->job.mem);
    mem_free(r);
}
