/* The writer thread: groups what can share a commit, recovers when one
 * of them takes the whole transaction down, runs alone what must be alone. */
#include "engine/sqlite/store.h"

#include <openssl/rand.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/sqlite/sqltext.h"

/* ---- running one job in the open transaction --------------------------------------------------
 */

/* Statements on their own: an error of one leaves the others. False when the transaction is gone,
 * or the job must leave the group. */
static bool run_batch(store *g, job *j, error *e)
{
    for (int i = 0; i < j->n_stmts; i++) {
        engine_summary sum;
        bool ok = exec_statement(g, j, i, EXEC_AUTO, &sum, e);
        if (ok) {
            j->sink->ops->end(j->sink, i, &sum);
        } else if (txn_lost(g) || g->writer.c.evicted || atomic_load(&j->cancel) != ERR_NONE) {
            return false;
        } else {
            j->sink->ops->failed(j->sink, i, e);
        }
    }
    return true;
}

static bool run_one(store *g, job *j, int *index, error *e)
{
    engine_summary sum;
    *index = 0;
    switch (j->kind) {
    case JOB_BATCH:
        return run_batch(g, j, e);
    case JOB_ATOMIC:
        return exec_atomic(g, j, index, e);
    case JOB_INSERT_ROWS:
        if (!exec_rows(g, j, &sum, e))
            return false;
        break;
    case JOB_SLOTS:
        if (!exec_own(g, j, slots_write, &sum, e))
            return false;
        break;
    case JOB_STORE:
        if (!exec_own(g, j, stored_write, &sum, e))
            return false;
        break;
    case JOB_AUTH:
        if (!exec_own(g, j, auth_write, &sum, e))
            return false;
        break;
    default:
        if (!exec_statement(g, j, 0, EXEC_AUTO, &sum, e))
            return false;
    }
    j->sink->ops->end(j->sink, 0, &sum);
    return true;
}

/* Runs a job of the group and notes what became of it. */
static void run_held(store *g, held *h)
{
    writer *w = &g->writer;
    exec_begin(h->job);
    w->c.evicted = false;
    w->c.evict_at = w->n > 1 ? clock_mono_us() + EVICT_US : 0;
    bool ok = run_one(g, h->job, &h->index, &h->err);
    w->c.evict_at = 0;
    if (ok) {
        h->state = HELD_OK;
        return;
    }
    bool batch = h->job->kind == JOB_BATCH;
    bool stopped = atomic_load(&h->job->cancel) != ERR_NONE;
    h->state = !stopped && (w->c.evicted || batch) ? HELD_LATER : HELD_FAILED;
    if (batch && !txn_lost(g)) /* its earlier statements are in there */
        txn_rollback(g);
}

/* The transaction is gone with everything in it: runs again what was good, without the culprit. */
static void recover(store *g)
{
    writer *w = &g->writer;
    while (txn_lost(g)) {
        error e;
        txn_rollback(g); /* forgets what was known of it */
        bool begun = ++w->replays <= REPLAYS_MAX && txn_begin(g, &e);
        for (int i = 0; i < w->n; i++) {
            held *h = &w->group[i];
            if (h->state != HELD_OK)
                continue;
            if (!begun)
                h->state = HELD_LATER;
            else
                run_held(g, h);
            if (begun && txn_lost(g))
                break;
        }
        if (!begun)
            return;
    }
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static void run_by_itself(store *g, job *j);

static void answer_group(store *g)
{
    writer *w = &g->writer;
    for (int i = 0; i < w->n; i++) {
        held *h = &w->group[i];
        if (h->state != HELD_LATER)
            job_finish(g, h->job, h->index, h->state == HELD_OK ? NULL : &h->err);
    }
    int later = 0;
    for (int i = 0; i < w->n; i++) {
        if (w->group[i].state == HELD_LATER)
            w->group[later++].job = w->group[i].job;
    }
    for (int i = 0; i < later; i++)
        run_by_itself(g, w->group[i].job);
}

static void commit_group(store *g)
{
    writer *w = &g->writer;
    int statements = 0;
    error e;
    for (int i = 0; i < w->n; i++) {
        if (w->group[i].state == HELD_OK)
            statements += w->group[i].job->n_stmts > 0 ? w->group[i].job->n_stmts : 1;
    }
    if (!txn_lost(g) && !txn_commit(g, statements, &e)) {
        for (int i = 0; i < w->n; i++) {
            held *h = &w->group[i];
            if (h->state == HELD_OK) {
                h->state = HELD_FAILED;
                h->index = 0;
                h->err = e;
            }
        }
    }
    answer_group(g);
}

static bool prune_due(const store *g)
{
    const changelog *l = &g->writer.log;
    return l->head - l->pruned_at >= PRUNE_STEP && changelog_can_prune(l, &g->cfg);
}

static void run_group(store *g, job *first)
{
    writer *w = &g->writer;
    error e;
    if (prune_due(g) && !txn_prune(g, 2 * (w->log.head - w->log.pruned_at), &e))
        log_warn("prune_failed", "%s", e.message);
    if (!txn_begin(g, &e)) {
        job_finish(g, first, 0, &e);
        return;
    }
    int64_t until = clock_mono_us() + GROUP_US;
    w->n = w->replays = 0;
    for (job *j = first; j; j = writer_next_for_group(w)) {
        held *h = &w->group[w->n++];
        h->job = j;
        run_held(g, h);
        recover(g);
        if (txn_lost(g) || w->n == GROUP_MAX || clock_mono_us() >= until)
            break;
    }
    w->last_n = w->n;
    commit_group(g);
}

/* ---- alone ------------------------------------------------------------------------------------
 */

/* One statement in a transaction of its own, or in none. */
static bool run_separately(store *g, job *j, int i, engine_summary *sum, error *e)
{
    if (sql_guess_route(j->stmts[i].sql) == ROUTE_ALONE)
        return exec_alone(g, j, i, sum, e);
    if (!txn_begin(g, e))
        return false;
    if (exec_statement(g, j, i, EXEC_AUTO, sum, e))
        return txn_commit(g, 1, e);
    txn_rollback(g);
    return false;
}

static void batch_by_itself(store *g, job *j)
{
    exec_begin(j);
    for (int i = 0; i < j->n_stmts; i++) {
        engine_summary sum;
        error e;
        if (run_separately(g, j, i, &sum, &e)) {
            j->sink->ops->end(j->sink, i, &sum);
        } else if (atomic_load(&j->cancel) != ERR_NONE) {
            job_finish(g, j, i, &e);
            return;
        } else {
            j->sink->ops->failed(j->sink, i, &e);
        }
    }
    job_finish(g, j, 0, NULL);
}

/* Truncates the WAL and brings the log to its retention. */
static void checkpoint(store *g, job *j)
{
    writer *w = &g->writer;
    error e;
    bool ok = true;
    exec_begin(j);
    while (ok && changelog_can_prune(&w->log, &g->cfg) && atomic_load(&j->cancel) == ERR_NONE)
        ok = txn_prune(g, PRUNE_BATCH, &e);
    sqlite3_busy_timeout(w->c.db, ALONE_BUSY_MS);
    int in_log = -1, moved = -1;
    int64_t began = clock_mono_us();
    /* When the log has been truncated SQLite cannot tell any more what was in it. */
    int rc =
        ok ? sqlite3_wal_checkpoint_v2(w->c.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved)
           : SQLITE_OK;
    if (ok && rc == SQLITE_OK)
        rc = sqlite3_wal_checkpoint_v2(w->c.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    j->log_pages = in_log;
    if (ok && rc == SQLITE_OK)
        txn_tell_checkpoint(g, in_log, in_log, began);
    if (rc != SQLITE_OK)
        ok = dbconn_error(&w->c, rc, &e);
    if ((rc & 0xff) == SQLITE_BUSY)
        error_hint(&e, "Statements that read are under way; try again when they have ended.");
    sqlite3_busy_timeout(w->c.db, DBCONN_BUSY_MS);
    job_finish(g, j, 0, ok ? NULL : &e);
}

static void run_by_itself(store *g, job *j)
{
    writer *w = &g->writer;
    error e;
    int index = 0;
    if (j->kind == JOB_BATCH) {
        batch_by_itself(g, j);
        return;
    }
    exec_begin(j);
    w->c.evicted = false;
    if (j->kind == JOB_QUERY && sql_guess_route(j->stmts[0].sql) == ROUTE_ALONE) {
        engine_summary sum;
        bool ok = exec_alone(g, j, 0, &sum, &e);
        if (ok)
            j->sink->ops->end(j->sink, 0, &sum);
        job_finish(g, j, 0, ok ? NULL : &e);
        return;
    }
    bool ok = txn_begin(g, &e);
    if (ok && !run_one(g, j, &index, &e)) {
        txn_rollback(g);
        ok = false;
    } else if (ok) {
        ok = txn_commit(g, j->n_stmts > 0 ? j->n_stmts : 1, &e);
    }
    job_finish(g, j, index, ok ? NULL : &e);
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static void run_job(store *g, job *j)
{
    if (atomic_load(&j->cancel) != ERR_NONE)
        job_stopped(g, j);
    else if (writer_of_tx(j))
        tx_refuse(g, j);
    else if (j->kind == JOB_TX_BEGIN)
        tx_run(g, j);
    else if (j->kind == JOB_CHECKPOINT)
        checkpoint(g, j);
    else if (writer_is_alone(j))
        run_by_itself(g, j);
    else
        run_group(g, j);
}

static void *write_main(void *arg)
{
    store *g = arg;
    for (;;) {
        bool stop;
        error e;
        job *j = writer_next(g, &stop);
        if (j) {
            run_job(g, j);
        } else if (stop) {
            return NULL;
        } else if (!txn_prune(g, PRUNE_BATCH, &e)) {
            log_warn("prune_failed", "%s", e.message);
            writer_pause(&g->writer, 1000000);
        }
    }
}

/* ---- opening and closing ----------------------------------------------------------------------
 */

static bool prepare_own(writer *w, error *e)
{
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } all[] = {
        {&w->begin, "BEGIN IMMEDIATE"},
        {&w->commit, "COMMIT"},
        {&w->rollback, "ROLLBACK"},
        {&w->savepoint, "SAVEPOINT _rustydb_s"},
        {&w->release, "RELEASE _rustydb_s"},
        {&w->rollback_to, "ROLLBACK TO _rustydb_s"},
        {&w->version, "PRAGMA schema_version"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i].to = dbconn_prepare_own(&w->c, all[i].sql, e);
        if (!*all[i].to)
            return false;
    }
    return true;
}

static bool make_mask_key(dbconn *c, unsigned char key[MASK_KEY_SIZE], error *e)
{
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "INSERT INTO _rustydb_meta VALUES('engine.mask_key', ?1)", e);
    if (!q)
        return false;
    bool ok = RAND_bytes(key, MASK_KEY_SIZE) == 1;
    if (ok) {
        sqlite3_bind_blob(q, 1, key, MASK_KEY_SIZE, SQLITE_STATIC);
        ok = dbconn_step_own(c, q, e);
    } else {
        error_clear(e);
        error_set(e, ERR_INTERNAL_ERROR, "no random bytes for the key of masks");
    }
    sqlite3_finalize(q);
    return ok;
}

/* The key of mask_hash; made where the database has none. */
static bool read_mask_key(store *g, error *e)
{
    dbconn *c = &g->writer.c;
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "SELECT value FROM _rustydb_meta WHERE key = 'engine.mask_key'", e);
    if (!q)
        return false;
    int rc = sqlite3_step(q);
    const void *key = rc == SQLITE_ROW ? sqlite3_column_blob(q, 0) : NULL;
    bool there = key && sqlite3_column_bytes(q, 0) == MASK_KEY_SIZE;
    bool ok = there || rc == SQLITE_DONE;
    if (there)
        memcpy(g->mask_key, key, MASK_KEY_SIZE);
    else if (rc == SQLITE_ROW)
        sql_code_error(SQLITE_CORRUPT, "the database has no key for masks", e);
    else if (!ok)
        dbconn_error(c, rc, e);
    sqlite3_finalize(q);
    return ok && (there || make_mask_key(c, g->mask_key, e));
}

bool writer_open(store *g, error *e)
{
    writer *w = &g->writer;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, &attr);
    pthread_condattr_destroy(&attr);
    list_init(&w->queue);
    list_init(&w->tx_queue);
    w->cap.file = -1;
    if (!dbconn_open(&w->c, g->path, g->cfg.vfs, DBCONN_WRITER, &g->cfg, e))
        return false;
    w->c.forget = &g->forget;
    txn_checkpoint_by_itself(g);
    return changelog_create(&w->c, e) && read_mask_key(g, e) &&
           functions_install(&w->c.functions, w->c.db, g->mask_key, e) && slots_create(&w->c, e) &&
           stored_create(&w->c, e) && auth_create(&w->c, e) && changelog_open(&w->log, &w->c, e) &&
           prepare_own(w, e) && capture_open(&w->cap, &w->c, g->cfg.dir, e);
}

bool writer_start(store *g, error *e)
{
    if (pthread_create(&g->writer.thread, NULL, write_main, g) != 0) {
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "no thread could be started");
    }
    pthread_setname_np(g->writer.thread, "sql-writer");
    return true;
}

void writer_stop(store *g)
{
    writer *w = &g->writer;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
}

void writer_close(store *g)
{
    writer *w = &g->writer;
    capture_close(&w->cap);
    changelog_close(&w->log);
    sqlite3_stmt *own[] = {w->begin,   w->commit,      w->rollback, w->savepoint,
                           w->release, w->rollback_to, w->version};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sqlite3_finalize(own[i]);
    dbconn_close(&w->c);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
}
