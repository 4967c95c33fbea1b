/* Statements on the writer's connection, inside the open transaction. */
#include <string.h>

#include "base/clock.h"
#include "engine/sqlite/sqltext.h"
#include "engine/sqlite/store.h"

enum { TEMP_OBJECTS_MAX = 10000 }; /* dropped at the end of a transaction */

void exec_begin(job *j)
{
    if (j->run)
        j->sink->ops->restart(j->sink);
    else
        j->sink->ops->begin(j->sink, true);
    j->run = j;
}

/* ---- stepping ---------------------------------------------------------------------------------
 */

bool exec_sink_took(sink_state st, error *e)
{
    if (st == SINK_OK || st == SINK_FULL)
        return true;
    error_clear(e);
    if (st == SINK_GONE)
        return error_set(e, ERR_CANCELLED, "nobody takes the result any more");
    error_set(e, ERR_MESSAGE_TOO_BIG, "the result is larger than the limit; nothing was changed");
    return error_hint(e, "Return fewer rows, or raise max_result.");
}

static bool give_row(writer *w, job *j, statement *s, int n, engine_summary *sum, error *e)
{
    if (j->max_rows > 0 && sum->rows >= j->max_rows) {
        sum->truncated = true;
        return true;
    }
    if (!dbconn_row(&w->c, s, n, e))
        return false;
    sum->rows++;
    return exec_sink_took(j->sink->ops->row(j->sink, w->c.values, n), e);
}

/* Runs a bound statement to its end. */
static bool step_all(writer *w, job *j, int index, statement *s, engine_summary *sum, error *e)
{
    int n = -1;
    for (;;) {
        int rc = dbconn_step(&w->c, s);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            return dbconn_error(&w->c, rc, e);
        if (n < 0) {
            n = sqlite3_column_count(s->stmt);
            if (!dbconn_columns(&w->c, s, n, e) ||
                !exec_sink_took(j->sink->ops->columns(j->sink, index, w->c.columns, n), e))
                return false;
        }
        if (rc == SQLITE_DONE)
            return true;
        if (!give_row(w, j, s, n, sum, e))
            return false;
        if (sum->truncated && s->readonly)
            return true;
    }
}

/* ---- savepoints -------------------------------------------------------------------------------
 */

bool exec_deferred_ok(store *g, error *e)
{
    int now = 0, highest = 0;
    sqlite3_db_status(g->writer.c.db, SQLITE_DBSTATUS_DEFERRED_FKS, &now, &highest, 0);
    if (now == 0)
        return true;
    error_clear(e);
    error_set(e, ERR_CONFLICT, "FOREIGN KEY constraint failed");
    return error_hint(e, "A deferred foreign key is still violated at the end of the transaction.");
}

bool exec_end_savepoint(store *g, bool ok, bool schema, int64_t head, error *e)
{
    writer *w = &g->writer;
    if (ok)
        ok = dbconn_step_own(&w->c, w->release, e);
    if (ok)
        return true;
    capture_drop(&w->cap);
    if (txn_lost(g))
        return false;
    if (!dbconn_step_own(&w->c, w->rollback_to, NULL) ||
        !dbconn_step_own(&w->c, w->release, NULL)) {
        txn_rollback(g);
        return false;
    }
    w->log.head = head;
    capture_ended(&w->cap, false);
    if (schema)
        capture_forget_tables(&w->cap);
    return false;
}

/* ---- one statement ----------------------------------------------------------------------------
 */

static bool run_inside(store *g, job *j, int index, statement *s, engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    const engine_stmt *q = &j->stmts[index];
    ddl_change ddl;
    capture_drop(&w->cap);
    bool ok = ddl_before(g, s, &ddl, e);
    ok = ok && dbconn_bind(&w->c, s, q, e) && step_all(w, j, index, s, sum, e);
    sqlite3_reset(s->stmt);
    if (!ok && w->cap.failed) /* the cause of what the statement says */
        *e = w->cap.err;
    if (ok && s->dml) {
        sum->changes = sqlite3_changes64(w->c.db);
        sum->last_insert_rowid = w->cap.inserted ? sqlite3_last_insert_rowid(w->c.db) : 0;
    }
    ok = ok && ddl_after(g, s, q->sql, &ddl, e);
    ddl_free(&ddl);
    return ok;
}

static bool run_change(store *g, job *j, int index, statement *s, exec_mode mode,
                       engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    int64_t head = w->log.head;
    if (!dbconn_step_own(&w->c, w->savepoint, e))
        return false;
    bool ok = run_inside(g, j, index, s, sum, e);
    ok = ok && (mode == EXEC_TX || exec_deferred_ok(g, e));
    return exec_end_savepoint(g, ok, s->schema, head, e);
}

/* A client's own savepoint statement: no savepoint of ours around it. */
static bool run_control(store *g, job *j, int index, statement *s, engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    if (!dbconn_bind(&w->c, s, &j->stmts[index], e) || !step_all(w, j, index, s, sum, e))
        return false;
    sqlite3_reset(s->stmt);
    if (s->control != CONTROL_ROLLBACK_TO)
        return true;
    capture_ended(&w->cap, false);
    capture_forget_tables(&w->cap);
    return changelog_reread(&w->log, e);
}

static bool run_prepared(store *g, job *j, int index, statement *s, exec_mode mode,
                         engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    if (s->control != CONTROL_NONE)
        return run_control(g, j, index, s, sum, e);
    if (s->readonly && !s->schema && !s->needs_writer)
        return dbconn_bind(&w->c, s, &j->stmts[index], e) && step_all(w, j, index, s, sum, e);
    if (j->readonly) {
        error_clear(e);
        return error_set(e, ERR_READ_ONLY, "the statement writes, and this request may only read");
    }
    return run_change(g, j, index, s, mode, sum, e);
}

bool exec_statement(store *g, job *j, int index, exec_mode mode, engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    int64_t began = clock_mono_us();
    *sum = (engine_summary){0};
    if (mode == EXEC_AUTO) {
        changelog_begin_tx(&w->log);
        sqlite3_set_last_insert_rowid(w->c.db, 0);
    }
    dbconn_serve(&w->c, j);
    statement *s = dbconn_prepare(&w->c, j->stmts[index].sql, mode == EXEC_TX, e);
    bool ok = s && run_prepared(g, j, index, s, mode, sum, e);
    dbconn_serve(&w->c, NULL);
    sum->lsn = w->log.head;
    sum->elapsed_us = clock_mono_us() - began;
    if (s) {
        store_count(g, s, j->stmts[index].sql, ok, sum);
        dbconn_release(&w->c, s);
    }
    atomic_fetch_add_explicit(ok ? &g->n_writes : &g->n_errors, 1, memory_order_relaxed);
    return ok;
}

bool exec_own(store *g, const job *j, bool (*write)(dbconn *c, const job *j, error *e),
              engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    int64_t began = clock_mono_us();
    *sum = (engine_summary){0};
    if (!dbconn_step_own(&w->c, w->savepoint, e))
        return false;
    capture_drop(&w->cap);
    dbconn_serve(&w->c, j);
    bool ok = write(&w->c, j, e);
    dbconn_serve(&w->c, NULL);
    ok = exec_end_savepoint(g, ok, false, w->log.head, e);
    sum->lsn = w->log.head;
    sum->elapsed_us = clock_mono_us() - began;
    return ok;
}

/* ---- several as one ---------------------------------------------------------------------------
 */

bool exec_drop_temp(store *g, error *e)
{
    dbconn *c = &g->writer.c;
    static const char *const sql = "SELECT type, name FROM temp.sqlite_schema WHERE name NOT LIKE"
                                   " 'sqlite\\_%' ESCAPE '\\' AND type <> 'index' LIMIT 1";
    if (!c->guard.temp)
        return true;
    for (int i = 0; i < TEMP_OBJECTS_MAX; i++) {
        sqlite3_stmt *q = dbconn_prepare_own(c, sql, e);
        if (!q)
            return false;
        char *drop = NULL;
        int rc = sqlite3_step(q);
        if (rc == SQLITE_ROW)
            drop = sqlite3_mprintf("DROP %s temp.\"%w\"", sqlite3_column_text(q, 0),
                                   sqlite3_column_text(q, 1));
        sqlite3_finalize(q);
        if (rc == SQLITE_DONE) {
            c->guard.temp = false;
            return true;
        }
        if (rc != SQLITE_ROW)
            return dbconn_error(c, rc, e);
        bool ok = drop ? dbconn_exec(c, drop, e) : dbconn_error(c, SQLITE_NOMEM, e);
        sqlite3_free(drop);
        if (!ok)
            return false;
    }
    error_clear(e);
    return error_set(e, ERR_QUERY_ERROR, "the transaction made too many temporary objects");
}

static bool run_list(store *g, job *j, int *index, error *e)
{
    for (*index = 0; *index < j->n_stmts; ++*index) {
        engine_summary sum;
        if (!exec_statement(g, j, *index, EXEC_TX, &sum, e))
            return false;
        j->sink->ops->end(j->sink, *index, &sum);
    }
    *index = j->n_stmts > 0 ? j->n_stmts - 1 : 0;
    return exec_deferred_ok(g, e) && exec_drop_temp(g, e);
}

bool exec_atomic(store *g, job *j, int *index, error *e)
{
    writer *w = &g->writer;
    int64_t head = w->log.head;
    changelog_begin_tx(&w->log);
    sqlite3_set_last_insert_rowid(w->c.db, 0);
    if (!dbconn_exec(&w->c, "SAVEPOINT _rustydb_job", e))
        return false;
    if (run_list(g, j, index, e) && dbconn_exec(&w->c, "RELEASE _rustydb_job", e))
        return true;
    if (txn_lost(g))
        return false;
    if (!dbconn_exec(&w->c, "ROLLBACK TO _rustydb_job;RELEASE _rustydb_job", NULL)) {
        txn_rollback(g);
        return false;
    }
    w->log.head = head;
    capture_ended(&w->cap, false);
    capture_forget_tables(&w->cap);
    return false;
}

/* ---- alone ------------------------------------------------------------------------------------
 */

bool exec_alone(store *g, job *j, int index, engine_summary *sum, error *e)
{
    writer *w = &g->writer;
    const engine_stmt *q = &j->stmts[index];
    int64_t began = clock_mono_us();
    *sum = (engine_summary){0};
    if (!sql_check_vacuum(q->sql, e))
        return false;
    if (j->as && j->as->access) {
        error_clear(e);
        error_set(e, ERR_PERMISSION_DENIED,
                  "VACUUM and checkpoints as SQL are for those who may"
                  " everything");
        return error_hint(e, "Maintenance has operations of its own.");
    }
    if (j->readonly) {
        error_clear(e);
        return error_set(e, ERR_READ_ONLY, "this request may only read");
    }
    dbconn_serve(&w->c, j);
    w->cap.muted++;
    sqlite3_busy_timeout(w->c.db, ALONE_BUSY_MS);
    statement *s = dbconn_prepare(&w->c, q->sql, false, e);
    w->c.guard.vacuum = sql_starts_with(q->sql, "VACUUM");
    bool ok = s && dbconn_bind(&w->c, s, q, e) && step_all(w, j, index, s, sum, e);
    w->c.guard.vacuum = false;
    sum->lsn = w->log.head;
    sum->elapsed_us = clock_mono_us() - began;
    if (s) {
        store_count(g, s, q->sql, ok, sum);
        dbconn_release(&w->c, s);
    }
    sqlite3_busy_timeout(w->c.db, DBCONN_BUSY_MS);
    w->cap.muted--;
    dbconn_serve(&w->c, NULL);
    if (ok && !sql_starts_with(q->sql, "VACUUM"))
        txn_tell_checkpoint(g, -1, -1, began);
    atomic_fetch_add_explicit(ok ? &g->n_writes : &g->n_errors, 1, memory_order_relaxed);
    return ok;
}
