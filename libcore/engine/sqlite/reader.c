/* Reading jobs: tasks of the reader pool, each with a connection of its own while it runs.
 *
 * There may be more connections than threads, since a job whose sink is full keeps its connection
 * (the statement stands in the middle of its rows) but no thread. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/sqlite/analyze.h"
#include "engine/sqlite/inspect.h"
#include "engine/sqlite/reads.h"
#include "engine/sqlite/sizes.h"
#include "engine/sqlite/sqltext.h"
#include "engine/sqlite/store.h"

enum {
    SLICE_US = 10000, /* then others get a turn */
    SLICE_LOOK = 64,  /* rows between looks at the clock */
};

/* What running a statement further came to. */
typedef enum pump_result { PUMP_END, PUMP_FAILED, PUMP_FULL, PUMP_AGAIN } pump_result;

/* ---- connections ------------------------------------------------------------------------------
 */

void readers_init(readers *r, int most)
{
    pthread_mutex_init(&r->lock, NULL);
    list_init(&r->idle);
    list_init(&r->all);
    list_init(&r->waiting);
    r->opened = 0;
    r->most = most;
    task_init(&r->mend, readers_mend);
    atomic_init(&r->queued, 0);
}

/* One that is in no list any more. */
static void close_conn(reader_conn *rc)
{
    sqlite3_finalize(rc->head);
    sqlite3_finalize(rc->version);
    dbconn_close(&rc->c);
    mem_free(rc);
}

void readers_close(readers *r)
{
    for (list *it; (it = list_pop(&r->idle));)
        close_conn(list_entry(it, reader_conn, link));
    pthread_mutex_destroy(&r->lock);
}

static reader_conn *open_conn(store *g, error *e)
{
    reader_conn *rc = mem_zalloc(sizeof *rc);
    if (!rc) {
        error_clear(e);
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    list_init(&rc->link);
    list_init(&rc->all_link);
    if (dbconn_open(&rc->c, g->path, g->cfg.vfs, DBCONN_READER, &g->cfg, e) &&
        functions_install(&rc->c.functions, rc->c.db, g->mask_key, e)) {
        rc->c.forget = &g->forget;
        rc->c.forgot = atomic_load(&g->forget);
        return rc;
    }
    dbconn_close(&rc->c);
    mem_free(rc);
    return NULL;
}

static void use_locked(reader_conn *rc, job *j)
{
    rc->user = j;
    rc->jobs++;
    rc->since_us = clock_mono_us();
    j->run = rc;
}

static void take_in_locked(readers *r, reader_conn *rc)
{
    rc->number = ++r->numbered;
    rc->opened_us = clock_mono_us();
    list_append(&r->all, &rc->all_link);
}

/* An idle or unused one is about to be closed. */
static void take_out_locked(readers *r, reader_conn *rc)
{
    r->opened--;
    r->hits += atomic_load_explicit(&rc->c.figures.hits, memory_order_relaxed);
    r->misses += atomic_load_explicit(&rc->c.figures.misses, memory_order_relaxed);
    list_unlink(&rc->all_link);
    list_unlink(&rc->link);
}

/* Has the first job that waits for a connection try to get one. */
static void try_again_locked(store *g)
{
    list *first = list_pop(&g->readers.waiting);
    if (first)
        task_wake(&g->pool, &list_entry(first, job, link)->task);
}

task_result readers_mend(task *t)
{
    readers *r = list_entry(t, readers, mend);
    store *g = list_entry(r, store, readers);
    list surplus;
    list_init(&surplus);
    pthread_mutex_lock(&r->lock);
    while (r->opened > r->most && !list_empty(&r->idle)) {
        reader_conn *rc = list_entry(r->idle.prev, reader_conn, link);
        take_out_locked(r, rc);
        list_append(&surplus, &rc->link);
    }
    for (int room = r->most - r->opened; room > 0 && !list_empty(&r->waiting); room--)
        try_again_locked(g);
    pthread_mutex_unlock(&r->lock);
    for (list *it; (it = list_pop(&surplus));)
        close_conn(list_entry(it, reader_conn, link));
    return TASK_WAIT;
}

/* An idle connection; one with the shadows of this viewer's access where there is, else one without
 * any, so that others' need not be dropped and made again. */
static list *pop_idle_locked(readers *r, const job *j)
{
    uint64_t id = j->as ? access_id(j->as->access) : 0;
    list *other = list_empty(&r->idle) ? NULL : r->idle.next;
    bool none = false;
    list_each(it, &r->idle)
    {
        uint64_t owner = list_entry(it, reader_conn, link)->c.shadows.owner;
        if (owner == id) {
            other = it;
            break;
        }
        if (!owner && !none) {
            other = it;
            none = true;
        }
    }
    if (other)
        list_unlink(other);
    return other;
}

/* The job's connection: the one it has, an idle one, a new one; or NULL: with the code unset it
 * waits for one. */
static reader_conn *take_conn(store *g, job *j, error *e)
{
    readers *r = &g->readers;
    e->code = ERR_NONE;
    pthread_mutex_lock(&r->lock);
    reader_conn *rc = j->run;
    bool stopped = atomic_load(&j->cancel) != ERR_NONE;
    if (!rc && stopped) {
        list_unlink(&j->link);
        pthread_mutex_unlock(&r->lock);
        stop_error(j, (error_code)atomic_load(&j->cancel), e);
        return NULL;
    }
    list *idle = rc ? NULL : pop_idle_locked(r, j);
    if (idle) {
        rc = list_entry(idle, reader_conn, link);
        use_locked(rc, j);
    }
    bool open = !rc && r->opened < r->most;
    if (open)
        r->opened++;
    else if (!rc && list_empty(&j->link))
        list_append(&r->waiting, &j->link);
    pthread_mutex_unlock(&r->lock);
    if (!open)
        return rc;
    rc = open_conn(g, e);
    pthread_mutex_lock(&r->lock);
    if (rc) {
        take_in_locked(r, rc);
        use_locked(rc, j);
    } else { /* somebody who waits may have more luck */
        r->opened--;
        try_again_locked(g);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static void give_back(store *g, job *j, reader_conn *rc)
{
    readers *r = &g->readers;
    if (rc->s)
        dbconn_release(&rc->c, rc->s);
    rc->s = NULL;
    dbconn_serve(&rc->c, NULL);
    rc->stepped = rc->begun = rc->again = false;
    if (!sqlite3_get_autocommit(rc->c.db))
        dbconn_exec(&rc->c, "COMMIT", NULL);
    pthread_mutex_lock(&r->lock);
    j->run = NULL;
    rc->user = NULL;
    rc->since_us = clock_mono_us();
    bool surplus = r->opened > r->most;
    list *first = surplus ? NULL : list_pop(&r->waiting);
    if (surplus) {
        take_out_locked(r, rc);
    } else if (first) {
        job *next = list_entry(first, job, link);
        use_locked(rc, next);
        task_wake(&g->pool, &next->task);
    } else {
        list_prepend(&r->idle, &rc->link);
    }
    pthread_mutex_unlock(&r->lock);
    if (surplus)
        close_conn(rc);
}

static task_result end_job(store *g, job *j, reader_conn *rc, int index, const error *e)
{
    give_back(g, j, rc);
    job_finish(g, j, index, e);
    return TASK_DONE;
}

/* ---- one statement ----------------------------------------------------------------------------
 */

static bool sink_error(sink_state st, error *e)
{
    error_clear(e);
    if (st == SINK_TOO_BIG) {
        error_set(e, ERR_MESSAGE_TOO_BIG, "the result is larger than the limit");
        return error_hint(e, "Ask for fewer rows or columns, or use max_rows.");
    }
    return error_set(e, ERR_CANCELLED, "nobody takes the result any more");
}

static bool give_columns(job *j, reader_conn *rc, error *e)
{
    rc->stepped = true;
    rc->n_columns = sqlite3_column_count(rc->s->stmt);
    if (!dbconn_columns(&rc->c, rc->s, rc->n_columns, e))
        return false;
    sink_state st = j->sink->ops->columns(j->sink, j->at, rc->c.columns, rc->n_columns);
    return st == SINK_OK || st == SINK_FULL || sink_error(st, e);
}

/* Gives rows until the statement ends, the sink is full, or the slice is over. */
static pump_result pump(job *j, reader_conn *rc, int64_t slice_end, error *e)
{
    for (int n = 1;; n++) {
        int rcode = dbconn_step(&rc->c, rc->s);
        if (rcode != SQLITE_ROW && rcode != SQLITE_DONE) {
            dbconn_error(&rc->c, rcode, e);
            return PUMP_FAILED;
        }
        if (!rc->stepped && !give_columns(j, rc, e))
            return PUMP_FAILED;
        if (rcode == SQLITE_DONE)
            return PUMP_END;
        if (j->max_rows > 0 && rc->sum.rows >= j->max_rows) {
            rc->sum.truncated = true;
            return PUMP_END;
        }
        if (!dbconn_row(&rc->c, rc->s, rc->n_columns, e))
            return PUMP_FAILED;
        sink_state st = j->sink->ops->row(j->sink, rc->c.values, rc->n_columns);
        rc->sum.rows++;
        if (st == SINK_FULL)
            return PUMP_FULL;
        if (st != SINK_OK) {
            sink_error(st, e);
            return PUMP_FAILED;
        }
        if (n % SLICE_LOOK == 0 && clock_mono_us() >= slice_end)
            return PUMP_AGAIN;
    }
}

/* First column of a statement of our own, prepared when it is first needed. */
static bool own_int(dbconn *c, sqlite3_stmt **s, const char *sql, int64_t *out, error *e)
{
    if (!*s)
        *s = dbconn_prepare_own(c, sql, e);
    if (!*s)
        return false;
    int rc = sqlite3_step(*s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(*s, 0) : 0;
    bool ok = rc == SQLITE_ROW || dbconn_error(c, rc, e);
    sqlite3_reset(*s);
    return ok;
}

/* A statement whose origin is wanted: in a transaction, so that the log's head is that of its
 * snapshot and the schema cannot change between preparing and running it. */
static bool prepare_with_origin(job *j, reader_conn *rc, error *e)
{
    dbconn *c = &rc->c;
    int64_t version;
    rc->sum = (engine_summary){0};
    rc->stepped = false;
    error_clear(e);
    if (!dbconn_exec(c, "BEGIN", e) ||
        !own_int(c, &rc->head, "SELECT max(lsn) FROM _rustydb_log", &rc->sum.lsn, e) ||
        !own_int(c, &rc->version, "PRAGMA schema_version", &version, e))
        return false;
    rc->s = reads_prepare(c, j->stmts[0].sql, version, e);
    return rc->s && reads_tell(rc->s->reads, &j->origin, e);
}

static bool prepare(store *g, job *j, reader_conn *rc, error *e)
{
    if (j->origin.wanted)
        return prepare_with_origin(j, rc, e);
    bool atomic = j->kind == JOB_ATOMIC;
    if (atomic && j->at == 0 && !dbconn_exec(&rc->c, "BEGIN", e))
        return false;
    int64_t lsn = atomic && j->at > 0 ? rc->sum.lsn : atomic_load(&g->head);
    rc->sum = (engine_summary){.lsn = lsn};
    rc->stepped = false;
    rc->s = dbconn_prepare(&rc->c, j->stmts[j->at].sql, false, e);
    return rc->s != NULL;
}

static bool read_only(error *e)
{
    error_clear(e);
    return error_set(e, ERR_READ_ONLY, "the statement writes, and this request may only read");
}

/* What looked like reading writes: the writer gets the job as if it had come there at once. */
static task_result pass_on(store *g, job *j, reader_conn *rc)
{
    give_back(g, j, rc);
    registry_move(&g->registry, j, PLACE_WRITER);
    if (!writer_push(g, j)) {
        error e;
        stop_error(j, ERR_BUSY, &e);
        job_finish(g, j, 0, &e);
    }
    return TASK_DONE;
}

/* Ends statement j->at. True: the job goes on with the next one. */
static bool end_statement(store *g, job *j, reader_conn *rc, const error *e)
{
    if (rc->s) {
        store_count(g, rc->s, j->stmts[j->at].sql, !e, &rc->sum);
        dbconn_release(&rc->c, rc->s);
    }
    rc->s = NULL;
    rc->again = false;
    atomic_fetch_add_explicit(e ? &g->n_errors : &g->n_reads, 1, memory_order_relaxed);
    if (!e)
        j->sink->ops->end(j->sink, j->at, &rc->sum);
    else if (j->kind == JOB_BATCH && atomic_load(&j->cancel) == ERR_NONE)
        j->sink->ops->failed(j->sink, j->at, e);
    else
        return false;
    j->at++;
    return true;
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

static void begin_once(job *j, reader_conn *rc)
{
    if (!rc->begun)
        j->sink->ops->begin(j->sink, false);
    rc->begun = true;
}

/* Prepares statement j->at, unless it is under way. *pass: it is work for the writer. */
static bool start_statement(store *g, job *j, reader_conn *rc, bool *pass, error *e)
{
    *pass = false;
    if (rc->s)
        return true;
    bool ok = prepare(g, j, rc, e);
    if (ok && (!rc->s->readonly || rc->s->needs_writer)) {
        *pass = j->kind == JOB_QUERY && !j->readonly;
        return *pass || read_only(e);
    }
    return ok && dbconn_bind(&rc->c, rc->s, &j->stmts[j->at], e);
}

/* A viewer's statement was refused as it began, after the schema had changed behind what this
 * connection knew: the shadows that it needs now are made when it is prepared once more. */
static bool prepare_again(const job *j, reader_conn *rc)
{
    bool first = rc->s && rc->s->outdated && !rc->stepped && !rc->again;
    if (!first || j->kind == JOB_ATOMIC || j->origin.wanted)
        return false;
    dbconn_release(&rc->c, rc->s);
    rc->s = NULL;
    rc->again = true;
    return true;
}

static task_result run_statements(store *g, job *j, reader_conn *rc)
{
    int64_t start = clock_mono_us();
    error e;
    while (j->at < j->n_stmts) {
        bool pass;
        bool ok = start_statement(g, j, rc, &pass, &e);
        if (pass)
            return pass_on(g, j, rc);
        begin_once(j, rc);
        pump_result r = ok ? pump(j, rc, start + SLICE_US, &e) : PUMP_FAILED;
        if (r == PUMP_FAILED && prepare_again(j, rc))
            continue;
        int64_t now = clock_mono_us();
        rc->sum.elapsed_us += now - start;
        if (r == PUMP_FULL) {
            atomic_store_explicit(&rc->paused, true, memory_order_relaxed);
            return TASK_WAIT;
        }
        if (r == PUMP_AGAIN)
            return TASK_AGAIN;
        start = now;
        if (!end_statement(g, j, rc, r == PUMP_END ? NULL : &e))
            return end_job(g, j, rc, j->kind == JOB_ATOMIC ? j->at : 0, &e);
    }
    return end_job(g, j, rc, 0, NULL);
}

/* The kinds whose answer is no rows. */
static bool tell(store *g, job *j, dbconn *c, error *e)
{
    switch (j->kind) {
    case JOB_STORAGE:
        return sizes_storage(g, c, &j->storage, e);
    case JOB_SIZES:
        return sizes_tables(c, j->offset, j->limit, j->internal, j->as, &j->text, e);
    case JOB_EXPLAIN:
        return analyze_explain(c, &j->stmts[0], &j->text, e);
    case JOB_VALIDATE:
        return analyze_validate(c, j->stmts[0].sql, &j->text, e);
    case JOB_STORED:
        return stored_tell(c, j, e);
    default:
        return sqlite_inspect(c->db, j->table, j->offset, j->limit, j->as, &j->text, e);
    }
}

static bool is_told(const job *j)
{
    return j->kind == JOB_INSPECT || j->kind == JOB_EXPLAIN || j->kind == JOB_VALIDATE ||
           j->kind == JOB_STORAGE || j->kind == JOB_SIZES || j->kind == JOB_STORED;
}

static task_result run_told(store *g, job *j, reader_conn *rc)
{
    error e;
    error_clear(&e);
    begin_once(j, rc);
    bool ok = tell(g, j, &rc->c, &e);
    if (!ok && atomic_load(&j->cancel) != ERR_NONE)
        stop_error(j, (error_code)atomic_load(&j->cancel), &e);
    atomic_fetch_add_explicit(ok ? &g->n_reads : &g->n_errors, 1, memory_order_relaxed);
    return end_job(g, j, rc, 0, ok ? NULL : &e);
}

static void first_slice(store *g)
{
    atomic_fetch_sub_explicit(&g->readers.queued, 1, memory_order_relaxed);
}

task_result reader_run(task *t)
{
    job *j = list_entry(t, job, task);
    store *g = (store *)(void *)j->owner;
    error e;
    reader_conn *rc = take_conn(g, j, &e);
    if (!rc && e.code == ERR_NONE)
        return TASK_WAIT;
    if (!rc) {
        first_slice(g);
        atomic_fetch_add_explicit(&g->n_errors, 1, memory_order_relaxed);
        job_finish(g, j, 0, &e);
        return TASK_DONE;
    }
    if (!rc->c.job) {
        first_slice(g);
        dbconn_serve(&rc->c, j);
    }
    atomic_store_explicit(&rc->paused, false, memory_order_relaxed);
    int why = atomic_load_explicit(&j->cancel, memory_order_relaxed);
    if (why != ERR_NONE) {
        stop_error(j, (error_code)why, &e);
        if (rc->s)
            store_count(g, rc->s, j->stmts[j->at].sql, false, &rc->sum);
        atomic_fetch_add_explicit(&g->n_errors, 1, memory_order_relaxed);
        return end_job(g, j, rc, j->kind == JOB_ATOMIC ? j->at : 0, &e);
    }
    return is_told(j) ? run_told(g, j, rc) : run_statements(g, j, rc);
}

task_result reader_reject(task *t)
{
    job *j = list_entry(t, job, task);
    job_stopped((store *)(void *)j->owner, j);
    return TASK_DONE;
}

bool reader_reserve(store *g)
{
    if (atomic_fetch_add(&g->readers.queued, 1) < g->cfg.max_queue)
        return true;
    atomic_fetch_sub(&g->readers.queued, 1);
    return false;
}
