/* POST /admin/maintenance/...: what keeps a database small, fast and known to be whole, as jobs. */
#include "daemon/api/api.h"
#include "daemon/checkup.h"
#include "daemon/jobs.h"

/* ---- the work: on the thread of the jobs ------------------------------------------------------
 */

static bool run_sql(admin_job *j, const char *sql, error *e)
{
    const engine_stmt statement = {.sql = sql};
    job work = {.kind = JOB_QUERY, .n_stmts = 1, .stmts = &statement};
    return admin_job_engine(j, &work, e);
}

static bool run_checkpoint(admin_job *j, int64_t *pages, error *e)
{
    job work = {.kind = JOB_CHECKPOINT};
    bool ok = admin_job_engine(j, &work, e);
    *pages = work.log_pages;
    return ok;
}

static void put_bytes(json_writer *w, const char *key, int64_t bytes)
{
    jw_key(w, key);
    if (bytes >= 0)
        jw_int(w, bytes);
    else
        jw_null(w);
}

/* pages: -1 where none were moved. */
static void put_sizes(json_writer *w, engine *g, const engine_files *before, int64_t pages)
{
    engine_files after;
    engine_files_get(g, &after);
    jw_begin_object(w);
    put_bytes(w, "database_bytes_before", before->database);
    put_bytes(w, "database_bytes_after", after.database);
    put_bytes(w, "log_bytes_before", before->log);
    put_bytes(w, "log_bytes_after", after.log);
    put_bytes(w, "log_pages_moved", pages);
    jw_end_object(w);
}

static bool checkpoint(admin_job *j, json_writer *w, error *e)
{
    engine_files before;
    int64_t pages;
    engine_files_get(j->d->engine, &before);
    if (!run_checkpoint(j, &pages, e))
        return false;
    put_sizes(w, j->d->engine, &before, pages);
    return true;
}

/* The file shrinks only when the log has been moved into it, which readers may hold up: then it
 * does so with the next checkpoint. */
static bool vacuum(admin_job *j, json_writer *w, error *e)
{
    engine_files before;
    int64_t pages;
    error later;
    engine_files_get(j->d->engine, &before);
    if (!run_sql(j, "VACUUM", e))
        return false;
    if (!run_checkpoint(j, &pages, &later))
        pages = -1;
    put_sizes(w, j->d->engine, &before, pages);
    return true;
}

static bool run_plain(admin_job *j, const char *sql, json_writer *w, error *e)
{
    engine_files before;
    engine_files_get(j->d->engine, &before);
    if (!run_sql(j, sql, e))
        return false;
    put_sizes(w, j->d->engine, &before, -1);
    return true;
}

static bool analyze(admin_job *j, json_writer *w, error *e)
{
    return run_plain(j, "ANALYZE", w, e);
}

static bool optimize(admin_job *j, json_writer *w, error *e)
{
    return run_plain(j, "PRAGMA optimize", w, e);
}

static bool check(admin_job *j, json_writer *w, error *e)
{
    return checkup_run(j, NULL, w, e);
}

/* ---- the requests -----------------------------------------------------------------------------
 */

void api_checkpoint_database(request *q)
{
    static const admin_job_kind kind = {.name = "checkpoint", .status = 200, .run = checkpoint};
    jobs_submit(q, &kind, NULL, NULL);
}

void api_vacuum_database(request *q)
{
    static const admin_job_kind kind = {.name = "vacuum", .status = 200, .run = vacuum};
    jobs_submit(q, &kind, NULL, NULL);
}

void api_analyze_database(request *q)
{
    static const admin_job_kind kind = {.name = "analyze", .status = 200, .run = analyze};
    jobs_submit(q, &kind, NULL, NULL);
}

void api_optimize_database(request *q)
{
    static const admin_job_kind kind = {.name = "optimize", .status = 200, .run = optimize};
    jobs_submit(q, &kind, NULL, NULL);
}

void api_check_database(request *q)
{
    static const admin_job_kind kind = {.name = "integrity-check", .status = 200, .run = check};
    jobs_submit(q, &kind, NULL, NULL);
}
