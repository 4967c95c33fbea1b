/* Opening and closing a store, and the table of functions that makes it an engine. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/sqlite/sqltext.h"
#include "engine/sqlite/store.h"

#define LIMIT_MAX_US (366LL * 86400 * 1000000) /* longest time limit of a job */

static store *own(engine *g)
{
    return (store *)(void *)g;
}

/* ---- jobs -------------------------------------------------------------------------------------
 */

void job_finish(store *g, job *j, int index, const error *e)
{
    registry_remove(&g->registry, j);
    j->sink->ops->done(j->sink, index, e);
    registry_done(&g->registry);
}

void job_stopped(store *g, job *j)
{
    error e;
    error_code why = (error_code)atomic_load(&j->cancel);
    stop_error(j, why, &e);
    if (why == ERR_BUSY && atomic_load(&g->draining)) {
        error_set(&e, why, "no new statements are taken: the pool is drained");
        error_hint(&e, "POST /api/v1/pool/resume ends that.");
    }
    if (why == ERR_TIMEOUT) {
        error_set(&e, why, "the statement waited for its turn until its time limit of %lld ms",
                  (long long)((j->deadline_us - j->submitted_us) / 1000));
        error_hint(&e, "A long statement or an interactive transaction has the writer.");
    }
    atomic_fetch_add_explicit(&g->n_errors, 1, memory_order_relaxed);
    job_finish(g, j, 0, &e);
}

static bool for_reader(const job *j)
{
    switch (j->kind) {
    case JOB_INSPECT:
    case JOB_EXPLAIN:
    case JOB_VALIDATE:
    case JOB_STORAGE:
    case JOB_SIZES:
    case JOB_STORED:
        return true;
    case JOB_QUERY:
        return sql_guess_route(j->stmts[0].sql) == ROUTE_READ || j->readonly || j->origin.wanted;
    case JOB_BATCH:
    case JOB_ATOMIC:
        return j->readonly;
    default:
        return false;
    }
}

static void store_submit(engine *base, job *j)
{
    store *g = own(base);
    j->owner = base;
    j->at = 0;
    j->run = NULL;
    if (j->kind == JOB_TX_BEGIN)
        j->tx[0] = '\0';
    atomic_store(&j->cancel, ERR_NONE);
    list_init(&j->link);
    j->submitted_us = clock_mono_us();
    int64_t limit = j->timeout_us > 0 ? j->timeout_us : g->cfg.statement_timeout_us;
    j->deadline_us = j->submitted_us + (limit < LIMIT_MAX_US ? limit : LIMIT_MAX_US);
    if (atomic_load(&g->draining) && drain_refuses(j)) {
        registry_add(&g->registry, j, PLACE_NONE, ERR_BUSY);
        return;
    }
    if (for_reader(j)) {
        registry_add(&g->registry, j, PLACE_READER, reader_reserve(g) ? ERR_NONE : ERR_BUSY);
        return;
    }
    if (registry_add(&g->registry, j, PLACE_WRITER, ERR_NONE) && !writer_push(g, j))
        registry_reject(&g->registry, j, ERR_BUSY);
}

static void store_resume(engine *g, job *j)
{
    registry_resume(&own(g)->registry, j);
}

static void store_cancel(engine *g, job *j, error_code why)
{
    registry_cancel(&own(g)->registry, j, why);
}

static bool store_cancel_id(engine *g, const char *id, error_code why)
{
    return registry_cancel_id(&own(g)->registry, id, why);
}

static void store_stats(engine *base, engine_stats *out)
{
    store *g = own(base);
    *out = (engine_stats){
        .reads = atomic_load(&g->n_reads),
        .writes = atomic_load(&g->n_writes),
        .errors = atomic_load(&g->n_errors),
        .commits = atomic_load(&g->n_commits),
        .commit_statements = atomic_load(&g->n_commit_statements),
        .queued_reads = atomic_load(&g->readers.queued),
        .active = registry_active(&g->registry),
        .log_head = atomic_load(&g->head),
        .log_oldest = atomic_load(&g->oldest),
        .open_transactions = atomic_load(&g->n_open_tx),
    };
    pthread_mutex_lock(&g->writer.lock);
    out->queued_writes = g->writer.queued;
    pthread_mutex_unlock(&g->writer.lock);
}

static int64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void store_files(engine *base, engine_files *out)
{
    char wal[PATH_MAX];
    store *g = own(base);
    out->database = size_of(g->path);
    out->log = -1;
    if (snprintf(wal, sizeof wal, "%s-wal", g->path) < (int)sizeof wal)
        out->log = size_of(wal);
}

static bool store_statements(engine *base, engine_statements *out, error *e)
{
    store *g = own(base);
    *out = (engine_statements){0};
    return !g->stats || statement_stats_list(g->stats, out) ||
           error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static void store_statements_reset(engine *base)
{
    store *g = own(base);
    if (g->stats)
        statement_stats_reset(g->stats);
}

void store_count(store *g, statement *s, const char *sql, bool ok, const engine_summary *sum)
{
    if (!g->stats)
        return;
    const statement_sample sample = {
        .failed = !ok,
        .rows = sum->rows ? sum->rows : sum->changes,
        .elapsed_us = sum->elapsed_us,
    };
    statement_stats_count(g->stats, &s->stats, sql, &sample);
}

static const char *store_version(engine *g)
{
    return own(g)->version;
}

/* ---- opening and closing ----------------------------------------------------------------------
 */

/* The file is ours alone to read; SQLite gives its side files the same mode. */
static bool make_file(store *g, error *e)
{
    int fd = open(g->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    int why = errno;
    error_clear(e);
    error_set(e, why == EACCES || why == EROFS || why == EPERM ? ERR_READ_ONLY : ERR_INTERNAL_ERROR,
              "cannot write %s: %s", g->path, strerror(why));
    return error_hint(e, "The data folder must be writable for the user of the daemon.");
}

static void free_config(store *g)
{
    statement_stats_free(g->stats);
    mem_free((char *)g->cfg.dir);
    mem_free((char *)g->cfg.vfs);
    mem_free(g->path);
    mem_free(g);
}

static void at_least_one(int *n)
{
    if (*n < 1)
        *n = 1;
}

static void or_default(int64_t *us, int64_t fallback)
{
    if (*us <= 0)
        *us = fallback;
}

/* What makes no sense is put right, so that no limit is ever absent. */
static void mend_config(engine_config *c)
{
    at_least_one(&c->readers);
    at_least_one(&c->max_read_connections);
    at_least_one(&c->max_queue);
    or_default(&c->statement_timeout_us, 30000000);
    or_default(&c->tx_idle_us, 5000000);
    or_default(&c->tx_max_us, 60000000);
}

static store *copy_config(const engine_config *cfg, error *e)
{
    store *g = mem_zalloc(sizeof *g);
    if (g) {
        size_t n = strlen(cfg->dir);
        g->cfg = *cfg;
        mend_config(&g->cfg);
        g->cfg.dir = mem_strndup(cfg->dir, n);
        g->cfg.vfs = cfg->vfs ? mem_strndup(cfg->vfs, strlen(cfg->vfs)) : NULL;
        g->path = mem_alloc(n + sizeof "/rustydb.db");
        if (cfg->statement_stats > 0)
            g->stats = statement_stats_new(cfg->statement_stats);
        bool counting = cfg->statement_stats <= 0 || g->stats;
        if (g->path && g->cfg.dir && (!cfg->vfs || g->cfg.vfs) && counting) {
            memcpy(g->path, cfg->dir, n);
            memcpy(g->path + n, "/rustydb.db", sizeof "/rustydb.db");
            g->lock_fd = -1;
            snprintf(g->version, sizeof g->version, "SQLite %s", sqlite3_libversion());
            g->base.ops = &sqlite_engine_ops;
            return g;
        }
        free_config(g);
    }
    error_clear(e);
    error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return NULL;
}

static bool read_log_id(store *g, error *e)
{
    sqlite3_stmt *q = dbconn_prepare_own(
        &g->writer.c, "SELECT value FROM _rustydb_meta WHERE key = 'engine.log_id'", e);
    if (!q)
        return false;
    int rc = sqlite3_step(q);
    const char *id = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    bool ok = id && strlen(id) < sizeof g->log_id;
    if (ok)
        memcpy(g->log_id, id, strlen(id) + 1);
    else if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        sql_code_error(SQLITE_CORRUPT, "the database has no log id", e);
    else
        dbconn_error(&g->writer.c, rc, e);
    sqlite3_finalize(q);
    return ok;
}

static bool open_database(store *g, error *e)
{
    if (!make_file(g, e) || !check_file(g, e) || !writer_open(g, e) || !read_log_id(g, e))
        return false;
    atomic_store(&g->head, g->writer.log.head);
    atomic_store(&g->oldest, g->writer.log.oldest);
    return true;
}

static bool start_threads(store *g, error *e)
{
    static const registry_hooks hooks = {writer_sweep, reader_run, reader_reject};
    if (!task_pool_start(&g->pool, g->cfg.readers, "sql-reader")) {
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "no thread could be started");
    }
    if (registry_start(&g->registry, &g->pool, &hooks, g, e)) {
        if (writer_start(g, e))
            return true;
        registry_stop(&g->registry);
    }
    task_pool_stop(&g->pool);
    return false;
}

/* Memory statistics cost a lock around every allocation of SQLite's. Too late, and harmless, when
 * somebody has used SQLite before. */
static void configure_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static engine *store_open(const engine_config *cfg, error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_sqlite);
    store *g = copy_config(cfg, e);
    if (!g)
        return NULL;
    error_clear(e);
    g->lock_fd = lockfile_take(g->cfg.dir, e);
    if (g->lock_fd >= 0) {
        readers_init(&g->readers, g->cfg.max_read_connections);
        if (open_database(g, e) && start_threads(g, e))
            return &g->base;
        writer_close(g);
        readers_close(&g->readers);
        lockfile_release(g->lock_fd);
    }
    free_config(g);
    return NULL;
}

static void store_close(engine *base, int64_t grace_us)
{
    store *g = own(base);
    registry_shut(&g->registry);
    writer_shut(g);
    registry_drain(&g->registry, clock_mono_us() + grace_us);
    writer_stop(g);
    registry_stop(&g->registry);
    task_pool_stop(&g->pool);
    readers_close(&g->readers);
    int rc =
        sqlite3_wal_checkpoint_v2(g->writer.c.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc != SQLITE_OK)
        log_warn("checkpoint_failed", "%s", sqlite3_errmsg(g->writer.c.db));
    writer_close(g);
    lockfile_release(g->lock_fd);
    free_config(g);
}

const engine_ops sqlite_engine_ops = {
    .name = "sqlite",
    .open = store_open,
    .close = store_close,
    .submit = store_submit,
    .resume = store_resume,
    .cancel = store_cancel,
    .cancel_id = store_cancel_id,
    .stats_get = store_stats,
    .files_get = store_files,
    .pool_get = store_pool_get,
    .pool_conns = store_pool_conns,
    .pool_resize = store_pool_resize,
    .pool_drain = store_pool_drain,
    .is_draining = store_is_draining,
    .pool_forget_statements = store_pool_forget_statements,
    .statements_get = store_statements,
    .statements_reset = store_statements_reset,
    .version = store_version,
    .verify = store_verify,
    .backup = store_backup,
    .copy_look = store_copy_look,
    .restore = store_restore,
    .log_open = store_log_open,
    .log_close = store_log_close,
    .log_bounds = store_log_bounds,
    .log_read = store_log_read,
    .log_touched = store_log_touched,
    .log_table = store_log_table,
    .lens_open = store_lens_open,
    .lens_free = store_lens_free,
    .lens_shape = store_lens_shape,
    .lens_source = store_lens_source,
    .lens_apply = store_lens_apply,
    .meta_set = store_meta_set,
    .meta_get = store_meta_get,
    .slots_read = store_slots_read,
    .stored_read = store_stored_read,
    .auth_read = store_auth_read,
};
