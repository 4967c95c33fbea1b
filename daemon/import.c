#include "daemon/import.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/problem.h"
#include "daemon/rows.h"
#include "engine/sink.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_HIGH = 1 << 20,   /* bytes waiting at which the socket is no longer read */
    INPUT_LOW = 256 * 1024, /* and at which it is again */
};

typedef struct piece {
    list link;
    refbuf *data;
} piece;

/* How the present chunk stands with the engine. */
typedef enum chunk_state { CHUNK_NONE, CHUNK_COMMITTING, CHUNK_DONE } chunk_state;

struct import {
    task task;
    reactor *home;
    conn *c;             /* held by n_runs */
    const identity *who; /* held */
    char *table;
    bool create, atomic;
    int64_t started_us;
    int64_t timeout_us;
    int64_t max_atomic;

    pthread_mutex_t lock; /* guards the five below; held by sink_done until it is through */
    list input;
    size_t queued;
    bool input_done;
    bool paused; /* the socket is not read; resume is owed when queued falls */
    bool resume_posted;
    atomic_bool gone;

    /* the worker's */
    piece *at; /* the piece that is being read */
    row_source source;
    rows rows;
    int64_t rows_kept;
    bool all_read; /* the last chunk has been formed */
    bool failed;
    error err;

    /* the engine's while CHUNK_COMMITTING */
    atomic_int chunk; /* chunk_state */
    job job;
    job_sink sink;
    error chunk_error;
    int64_t lsn;
    bool created;

    reactor_msg resume_msg, done_msg;
};

/* ---- the engine's side -------------------------------------------------------------------------
 */

static import *of_sink(job_sink *s)
{
    return list_entry(s, import, sink);
}

static void sink_end(job_sink *s, int index, const engine_summary *sum)
{
    (void)index;
    of_sink(s)->lsn = sum->lsn;
}

static void sink_done(job_sink *s, int index, const error *e)
{
    import *im = of_sink(s);
    (void)index;
    if (e)
        im->chunk_error = *e;
    else
        error_clear(&im->chunk_error);
    /* Under the lock: a worker that runs already may see CHUNK_DONE and end the import, which must
     * not be freed before task_wake has returned. */
    pthread_mutex_lock(&im->lock);
    atomic_store(&im->chunk, CHUNK_DONE);
    task_wake(&im->home->d->workers, &im->task);
    pthread_mutex_unlock(&im->lock);
}

static const job_sink_ops sink_ops = {
    sink_ignore_begin, sink_ignore_restart, sink_ignore_columns, sink_ignore_row,
    sink_end,          sink_ignore_failed,  sink_done,
};

/* ---- the worker's side -------------------------------------------------------------------------
 */

static void resume_reading(reactor *r, reactor_msg *m)
{
    import *im = list_entry(m, import, resume_msg);
    conn *c = im->c;
    (void)r;
    pthread_mutex_lock(&im->lock);
    im->paused = im->resume_posted = false;
    pthread_mutex_unlock(&im->lock);
    if (c->state == CONN_HTTP && c->rx_paused) {
        c->last_activity_us = clock_mono_us();
        conn_resume(c);
    }
}

static void free_piece(piece *p)
{
    if (!p)
        return;
    refbuf_unref(p->data);
    mem_free(p);
}

/* The next piece of input into im->at. False: there is none now; *done: and never will be. */
static bool next_piece(import *im, bool *done)
{
    bool resume = false;
    free_piece(im->at);
    im->at = NULL;
    pthread_mutex_lock(&im->lock);
    list *it = list_pop(&im->input);
    *done = !it && im->input_done;
    if (it) {
        im->at = list_entry(it, piece, link);
        size_t before = im->queued;
        im->queued -= im->at->data->len;
        resume = im->paused && !im->resume_posted && before > INPUT_LOW && im->queued <= INPUT_LOW;
        im->resume_posted = im->resume_posted || resume;
    }
    pthread_mutex_unlock(&im->lock);
    if (resume) {
        im->resume_msg.handle = resume_reading;
        reactor_post(im->home, &im->resume_msg);
    }
    return im->at != NULL;
}

static bool fail(import *im, const error *e)
{
    im->failed = true;
    im->err = *e;
    return false;
}

static bool small_enough(import *im)
{
    error e;
    if (!im->atomic || im->source.bytes <= im->max_atomic)
        return true;
    error_set(&e, ERR_MESSAGE_TOO_BIG, "an atomic import may have up to %lld bytes",
              (long long)im->max_atomic);
    error_hint(&e, "Raise max_atomic_import, or import without atomic=true.");
    return fail(im, &e);
}

/* Reads rows until a chunk is full, the input is used up (false), or everything is read. */
static bool fill_chunk(import *im)
{
    error e;
    while (!im->failed && !im->all_read && (im->atomic || !rows_full(&im->rows))) {
        bool done;
        switch (row_source_next(&im->source, &im->rows, &e)) {
        case SOURCE_ROW:
            small_enough(im);
            break;
        case SOURCE_MORE:
            if (next_piece(im, &done))
                row_source_feed(&im->source, im->at->data->data, im->at->data->len);
            else if (done)
                row_source_finish(&im->source);
            else
                return false;
            break;
        case SOURCE_END:
            im->all_read = true;
            break;
        case SOURCE_ERROR:
            fail(im, &e);
            break;
        }
    }
    return true;
}

static void commit_chunk(import *im)
{
    error e;
    arena_free(&im->job.mem);
    im->job = (job){
        .kind = JOB_INSERT_ROWS,
        .sink = &im->sink,
        .timeout_us = im->timeout_us,
        .as = identity_eyes(im->who),
    };
    if (!rows_finish(&im->rows, im->table, im->create, &im->job.rows, &e)) {
        fail(im, &e);
        return;
    }
    atomic_store(&im->chunk, CHUNK_COMMITTING);
    engine_submit(im->home->d->engine, &im->job);
}

static void chunk_done(import *im)
{
    atomic_store(&im->chunk, CHUNK_NONE);
    if (im->chunk_error.code != ERR_NONE) {
        fail(im, &im->chunk_error);
    } else {
        im->rows_kept += im->rows.n_rows;
        im->created = im->created || im->job.rows.created;
        im->create = false; /* it is there now */
    }
    rows_clear(&im->rows);
}

static void finished(reactor *r, reactor_msg *m);

static task_result work(task *t)
{
    import *im = list_entry(t, import, task);
    for (;;) {
        if (atomic_load(&im->chunk) == CHUNK_COMMITTING)
            return TASK_WAIT;
        if (atomic_load(&im->chunk) == CHUNK_DONE)
            chunk_done(im);
        bool over = im->failed || atomic_load(&im->gone) || (im->all_read && !im->rows.n_rows);
        if (over) {
            pthread_mutex_lock(&im->lock); /* until sink_done is through */
            pthread_mutex_unlock(&im->lock);
            im->done_msg.handle = finished;
            reactor_post(im->home, &im->done_msg);
            return TASK_DONE;
        }
        if (!fill_chunk(im))
            return TASK_WAIT;
        if (!im->failed && im->rows.n_rows)
            commit_chunk(im);
    }
}

/* ---- the reactor's side ------------------------------------------------------------------------
 */

static void answer(import *im, request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "table");
    jw_str(&w, im->table);
    jw_key(&w, "rows");
    jw_int(&w, im->rows_kept);
    jw_key(&w, "created");
    jw_bool(&w, im->created);
    jw_key(&w, "lsn");
    jw_int(&w, im->lsn);
    jw_key(&w, "elapsed_ms");
    jw_real(&w, (double)(clock_mono_us() - im->started_us) / 1000.0);
    http_end_json(q, 200, &w);
}

static void free_import(import *im)
{
    free_piece(im->at);
    list_each_safe(it, &im->input) free_piece(list_entry(it, piece, link));
    row_source_free(&im->source);
    rows_clear(&im->rows);
    pthread_mutex_destroy(&im->lock);
    identity_release(im->who);
    mem_free(im->table);
    mem_free(im);
}

static void finished(reactor *r, reactor_msg *m)
{
    import *im = list_entry(m, import, done_msg);
    conn *c = im->c;
    atomic_fetch_sub(&r->d->imports, 1);
    c->n_runs--;
    if (c->state != CONN_DEAD && c->req) {
        request *q = c->req;
        q->free_arg = NULL;
        if (im->failed) {
            if (!q->complete)
                http_discard_rest(q);
            http_reply_problem(q, &im->err,
                               &(problem_extra){.statement = -1, .rows_kept = im->rows_kept});
        } else {
            answer(im, q);
        }
    }
    free_import(im);
    conn_reap(c);
}

static bool on_body(request *q, const char *p, size_t n, bool last)
{
    import *im = q->arg;
    piece *item = NULL;
    if (n) {
        item = xalloc(sizeof *item);
        item->data = refbuf_new(p, n);
        if (!item->data) {
            mem_free(item);
            return false;
        }
    }
    pthread_mutex_lock(&im->lock);
    if (item) {
        list_append(&im->input, &item->link);
        im->queued += n;
    }
    im->input_done = last;
    bool pause = im->queued > INPUT_HIGH && !im->paused && !last;
    im->paused = im->paused || pause;
    pthread_mutex_unlock(&im->lock);
    if (pause) {
        conn_unlimit(q->c); /* it is we who keep the client waiting */
        conn_pause(q->c);
    }
    task_wake(&im->home->d->workers, &im->task);
    return true;
}

/* The connection is gone: the worker ends and `finished` frees. */
static void abandon(request *q)
{
    import *im = q->arg;
    atomic_store(&im->gone, true);
    if (atomic_load(&im->chunk) == CHUNK_COMMITTING)
        engine_cancel(im->home->d->engine, &im->job, ERR_CANCELLED);
    task_wake(&im->home->d->workers, &im->task);
}

void import_start(request *q, const import_options *o)
{
    server *d = q->c->r->d;
    const config *cfg = daemon_config(d);
    error e;
    import *im = xalloc(sizeof *im);
    if (!row_source_init(&im->source, o->format, o->pointer, &e)) {
        mem_free(im);
        if (!q->complete)
            http_discard_rest(q);
        http_reply_error(q, &e);
        return;
    }
    task_init(&im->task, work);
    pthread_mutex_init(&im->lock, NULL);
    list_init(&im->input);
    im->home = q->c->r;
    im->c = q->c;
    im->who = identity_hold(q->who);
    im->table = xstrdup(o->table);
    im->create = o->create;
    im->atomic = o->atomic;
    im->started_us = clock_mono_us();
    im->timeout_us = cfg->statement_timeout * 1000;
    im->max_atomic = cfg->max_atomic_import;
    im->sink.ops = &sink_ops;
    im->input_done = q->complete;
    q->arg = im;
    q->free_arg = abandon;
    q->read_body = on_body;
    q->c->n_runs++;
    atomic_fetch_add(&d->imports, 1);
    task_wake(&d->workers, &im->task);
}
