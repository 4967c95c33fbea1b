/* The writer's transaction: begin, commit with publication, rollback, retention. */
#include <string.h>

#include "base/clock.h"
#include "engine/sqlite/store.h"

enum { CHECKPOINT_PAGES = 4000 };

static void publish(store *g)
{
    const changelog *l = &g->writer.log;
    bool grew = atomic_load_explicit(&g->head, memory_order_relaxed) != l->committed;
    atomic_store(&g->oldest, l->oldest);
    atomic_store(&g->head, l->committed);
    bool schema = g->writer.changed_schema;
    g->writer.changed_schema = false;
    if ((grew || schema) && g->cfg.on_commit)
        g->cfg.on_commit(g->cfg.on_commit_arg, l->committed);
}

/* Another process may have changed the schema since the last transaction. */
static bool check_schema(writer *w, error *e)
{
    int rc = sqlite3_step(w->version);
    bool ok = rc == SQLITE_ROW || dbconn_error(&w->c, rc, e);
    int64_t version = ok ? sqlite3_column_int64(w->version, 0) : 0;
    sqlite3_reset(w->version);
    if (ok && version != w->schema_version) {
        capture_forget_tables(&w->cap);
        w->schema_version = version;
    }
    return ok;
}

bool txn_begin(store *g, error *e)
{
    writer *w = &g->writer;
    if (!dbconn_step_own(&w->c, w->begin, e))
        return false;
    if ((!w->reread || changelog_reread(&w->log, e)) && check_schema(w, e)) {
        w->reread = false;
        return true;
    }
    txn_rollback(g);
    return false;
}

/* Nothing of the transaction is left: what was known of it is read anew. */
static void forget(writer *w)
{
    capture_drop(&w->cap);
    capture_forget_tables(&w->cap);
    w->schema_version = -1;
    w->reread = true;
}

bool txn_commit(store *g, int statements, error *e)
{
    writer *w = &g->writer;
    if (!changelog_seal(&w->log, e) || !dbconn_step_own(&w->c, w->commit, e)) {
        txn_rollback(g);
        return false;
    }
    changelog_was_committed(&w->log);
    capture_ended(&w->cap, true);
    atomic_fetch_add_explicit(&g->n_commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&g->n_commit_statements, statements, memory_order_relaxed);
    publish(g);
    return true;
}

void txn_tell_checkpoint(store *g, int log_pages, int moved_pages, int64_t began_us)
{
    const engine_checkpoint c = {log_pages, moved_pages, clock_mono_us() - began_us};
    if (g->cfg.on_checkpoint)
        g->cfg.on_checkpoint(g->cfg.on_checkpoint_arg, &c);
}

/* As SQLite's own does it: what cannot be moved now is left for the next time. */
static int after_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
    store *g = arg;
    int in_log = -1, moved = -1;
    int64_t began = clock_mono_us();
    if (pages >= CHECKPOINT_PAGES && sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE,
                                                               &in_log, &moved) == SQLITE_OK)
        txn_tell_checkpoint(g, in_log, moved, began);
    return SQLITE_OK;
}

void txn_checkpoint_by_itself(store *g)
{
    sqlite3_wal_hook(g->writer.c.db, after_commit, g);
}

void txn_rollback(store *g)
{
    writer *w = &g->writer;
    if (!txn_lost(g))
        dbconn_step_own(&w->c, w->rollback, NULL);
    forget(w);
}

bool txn_prune(store *g, int64_t max, error *e)
{
    writer *w = &g->writer;
    if (!txn_begin(g, e))
        return false;
    if (!changelog_prune(&w->log, &g->cfg, max, e) || !dbconn_step_own(&w->c, w->commit, e)) {
        txn_rollback(g);
        return false;
    }
    if (w->log.pruned_shapes)
        capture_forget_tables(&w->cap);
    publish(g);
    return true;
}
