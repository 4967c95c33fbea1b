#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "live/state.h"

enum { PAUSE_US = 10000, PAUSE_MAX_US = 1000000, MAX_FAILURES = 8 };

/* ---- the heap of those with something to do ---------------------------------------------------
 */

static void put(queries *f, int place, lq_query *q)
{
    f->heap[place] = q;
    q->place = place;
}

static void sift_up(queries *f, lq_query *q)
{
    int at = q->place;
    for (int up = (at - 1) / 2; at > 0 && f->heap[up]->due > q->due; up = (at - 1) / 2) {
        put(f, at, f->heap[up]);
        at = up;
    }
    put(f, at, q);
}

static void sift_down(queries *f, lq_query *q)
{
    int at = q->place;
    for (int down; (down = 2 * at + 1) < f->n_heap; at = down) {
        if (down + 1 < f->n_heap && f->heap[down + 1]->due < f->heap[down]->due)
            down++;
        if (f->heap[down]->due >= q->due)
            break;
        put(f, at, f->heap[down]);
    }
    put(f, at, q);
}

static void set_due(queries *f, lq_query *q, int64_t due)
{
    int64_t was = q->due;
    if (due == was)
        return;
    q->due = due;
    if (was == LQ_NEVER) {
        put(f, f->n_heap++, q);
        sift_up(f, q);
    } else if (due == LQ_NEVER) {
        lq_query *last = f->heap[--f->n_heap];
        if (last == q)
            return;
        put(f, q->place, last);
        sift_up(f, last);
        sift_down(f, last);
    } else {
        sift_up(f, q);
        sift_down(f, q);
    }
}

/* So that a query always finds its place. */
static bool make_room(queries *f, int n)
{
    if (n <= f->heap_room)
        return true;
    int room = f->heap_room ? f->heap_room * 2 : 16;
    lq_query **heap = mem_realloc(f->heap, (size_t)room * sizeof(lq_query *));
    if (!heap)
        return false;
    f->heap = heap;
    f->heap_room = room;
    return true;
}

/* ---- made and freed ---------------------------------------------------------------------------
 */

static void forget_digest(queries *f, lq_query *q)
{
    if (q->known)
        map_take(&f->by_digest, (const char *)q->ask->digest, LQ_DIGEST);
    q->known = false;
}

static bool refuse_more(const queries *f, error *e)
{
    if (atomic_load(&f->n_queries) >= atomic_load(&f->max_queries)) {
        error_set(e, ERR_BUSY, "there are %lld different live queries already",
                  (long long)atomic_load(&f->n_queries));
        return error_hint(e, "max_live_queries is the limit.");
    }
    if (atomic_load(&f->memory) >= atomic_load(&f->max_memory)) {
        error_set(e, ERR_BUSY, "the results of live queries fill their memory");
        return error_hint(e, "live_memory is the limit.");
    }
    return true;
}

lq_query *lq_query_get(queries *f, lq_ask **ask, error *e)
{
    lq_query *q = map_get(&f->by_digest, (const char *)(*ask)->digest, LQ_DIGEST);
    if (q || !refuse_more(f, e))
        return q;
    q = mem_zalloc(sizeof *q);
    int n = (int)atomic_load(&f->n_queries) + 1;
    if (!q || !make_room(f, n) ||
        !map_put(&f->by_digest, (const char *)(*ask)->digest, LQ_DIGEST, q, NULL)) {
        mem_free(q);
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    q->ask = *ask;
    *ask = NULL;
    q->known = true;
    q->due = LQ_NEVER;
    list_init(&q->waiting);
    list_init(&q->streams);
    list_init(&q->ready);
    list_append(&f->all, &q->link);
    lq_count(&f->n_queries, 1);
    return q;
}

/* Nobody listens any more. */
void lq_query_release(queries *f, lq_query *q)
{
    if (q->subs)
        return;
    forget_digest(f, q);
    set_due(f, q, LQ_NEVER);
    list_unlink(&q->ready);
    if (q->run) { /* freed when it comes back */
        engine_cancel(f->engine, &q->run->job, ERR_CANCELLED);
        return;
    }
    lq_unwatch(f, q);
    lq_drop_texts(f, q);
    lq_result_unref(q->now);
    list_unlink(&q->link);
    lq_ask_free(q->ask);
    mem_free(q);
    lq_count(&f->n_queries, -1);
    atomic_store(&f->active, !list_empty(&f->all));
}

/* ---- when it is due ---------------------------------------------------------------------------
 */

static int64_t due_of(const lq_query *q)
{
    if (q->ends || q->to_send)
        return 0;
    if (!q->subs || q->run || !list_empty(&q->ready))
        return LQ_NEVER;
    if (!lq_query_is_stale(q))
        return lq_streams_due(q, false);
    int64_t due = list_empty(&q->waiting) ? lq_streams_due(q, true) : 0;
    return due < q->rest_until ? q->rest_until : due;
}

void lq_query_update(queries *f, lq_query *q)
{
    set_due(f, q, due_of(q));
}

int64_t lq_query_next(const queries *f)
{
    if (!list_empty(&f->ready) && f->running < f->config.parallel)
        return 0;
    return f->n_heap ? f->heap[0]->due : LQ_NEVER;
}

/* ---- what a run came to -----------------------------------------------------------------------
 */

static void end(queries *f, lq_query *q, const error *why)
{
    q->ends = true;
    q->why = *why;
    forget_digest(f, q);
}

/* What may be otherwise in a moment is tried again for a while. */
static void on_failure(queries *f, lq_query *q, const error *e, int64_t now)
{
    bool passing = e->code == ERR_BUSY || e->code == ERR_INTERNAL_ERROR;
    if (!passing || ++q->failures > MAX_FAILURES) {
        end(f, q, e);
        return;
    }
    int64_t pause = (int64_t)PAUSE_US << (q->failures - 1);
    q->rest_until = now + (pause < PAUSE_MAX_US ? pause : PAUSE_MAX_US);
    q->rerun = true;
}

static bool check_tables(const buf *tables, error *e)
{
    if (tables->len)
        return true;
    error_set(e, ERR_INVALID_MESSAGE, "the query reads no table, so no change would ever come");
    return error_hint(e, "Send it as a query.");
}

static bool check_memory(const queries *f, const lq_query *q, const lq_result *r, error *e)
{
    int64_t had = q->now ? (int64_t)lq_result_bytes(q->now) : 0, has = (int64_t)lq_result_bytes(r);
    if (has <= had || atomic_load(&f->memory) + has <= atomic_load(&f->max_memory))
        return true;
    error_set(e, ERR_BUSY, "the results of live queries fill their memory");
    return error_hint(e, "live_memory is the limit.");
}

static void take_result(queries *f, lq_query *q, lq_result *r)
{
    if (q->now && lq_result_equal(q->now, r)) {
        lq_count(&f->n_unchanged, 1);
        return;
    }
    lq_drop_texts(f, q);
    lq_result_unref(q->now);
    q->now = lq_result_ref(r);
    lq_result_count(r, &f->memory);
    r->serial = ++f->last_serial;
}

static bool on_success(queries *f, lq_run *r, error *e)
{
    lq_query *q = r->query;
    const buf *tables = &r->job.origin.tables;
    int64_t lsn = r->result->lsn;
    if (!check_tables(tables, e) || !lq_result_seal(r->result, e) ||
        !lq_watch(f, q, tables, lsn, e))
        return false;
    if (!check_memory(f, q, r->result, e)) {
        q->failures = MAX_FAILURES; /* a growing result does not get smaller by waiting */
        return false;
    }
    take_result(f, q, r->result);
    lq_count(&f->n_runs, 1);
    q->run_lsn = lsn;
    q->done = r->number;
    q->failures = 0;
    q->to_send = q->ran = true;
    return true;
}

void lq_query_on_run(queries *f, lq_run *r)
{
    error e;
    lq_query *q = r->query;
    int64_t now = clock_mono_us();
    error_clear(&e);
    q->run = NULL;
    f->running--;
    /* It rests as long as it ran, so that a slow query takes half of one reader at most. */
    q->rest_until = now + r->took_us;
    if (q->subs && (!lq_run_check(r, &e) || !on_success(f, r, &e)))
        on_failure(f, q, &e, now);
    lq_run_free(r);
    if (q->subs)
        lq_query_update(f, q);
    else
        lq_query_release(f, q);
}

/* ---- doing what is due ------------------------------------------------------------------------
 */

static bool act(queries *f, lq_query *q, int64_t now)
{
    if (q->ends)
        return lq_send_end(f, q); /* the query goes with its last subscription */
    if (q->to_send || !lq_query_is_stale(q)) {
        if (!lq_send(f, q, now))
            return false;
        q->to_send = q->ran = false;
    } else {
        list_append(&f->ready, &q->ready);
    }
    lq_query_update(f, q);
    return true;
}

static bool start(queries *f, lq_query *q)
{
    lq_run *r = lq_run_new(f, q);
    if (!r)
        return false;
    list_unlink(&q->ready);
    q->run = r;
    r->number = ++q->runs;
    q->rerun = false;
    f->running++;
    engine_submit(f->engine, &r->job);
    return true;
}

void lq_query_work(queries *f)
{
    int64_t now = clock_mono_us();
    while (f->n_heap && f->heap[0]->due <= now) {
        lq_query *q = f->heap[0];
        if (!act(f, q, now)) {
            q->to_send = true;
            lq_query_update(f, q);
            lq_back_off(f, "sending results", NULL);
            return;
        }
    }
    while (!list_empty(&f->ready) && f->running < f->config.parallel) {
        if (!start(f, list_entry(f->ready.next, lq_query, ready))) {
            lq_back_off(f, "running a query", NULL);
            return;
        }
    }
}
