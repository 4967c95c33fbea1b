#include "engine/sqlite/dbconn.h"
#include "engine/sqlite/reads.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/statement_stats.h"

static int on_progress(void *arg)
{
    dbconn *c = arg;
    if (c->job && atomic_load_explicit(&c->job->cancel, memory_order_relaxed) != ERR_NONE)
        return 1;
    if (c->evict_at && clock_mono_us() >= c->evict_at) {
        c->evicted = true;
        return 1;
    }
    return 0;
}

static bool set_up(dbconn *c, dbconn_role role, const engine_config *cfg, error *e)
{
    /* trusted_schema stays on: see docs/decisions/0004-trusted-schema.md */
    static const char *const common = "PRAGMA foreign_keys=ON;PRAGMA trusted_schema=ON;";
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, 256 << 20);
    sqlite3_limit(c->db, SQLITE_LIMIT_SQL_LENGTH, 16 << 20);
    sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM attaches one */
    sqlite3_progress_handler(c->db, DBCONN_PROGRESS_OPS, on_progress, c);
    if (!dbconn_exec(c, common, e))
        return false;
    if (role == DBCONN_READER)
        return dbconn_exec(c, "PRAGMA query_only=ON;PRAGMA cache_size=-2000;", e);
    return dbconn_exec(c, "PRAGMA journal_mode=WAL;PRAGMA cache_size=-16000;", e) &&
           dbconn_exec(c, "PRAGMA journal_size_limit=67108864;", e) &&
           dbconn_exec(
               c, cfg->synchronous_full ? "PRAGMA synchronous=FULL;" : "PRAGMA synchronous=NORMAL;",
               e);
}

bool dbconn_open(dbconn *c, const char *path, const char *vfs, dbconn_role role,
                 const engine_config *cfg, error *e)
{
    *c = (dbconn){0};
    list_init(&c->lru);
    list_init(&c->link);
    c->cache_max = cfg->statement_cache;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
    c->role = role;
    flags |= role == DBCONN_PROBE ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE;
    flags |= role == DBCONN_WRITER ? SQLITE_OPEN_CREATE : 0;
    int rc = sqlite3_open_v2(path, &c->db, flags, vfs);
    if (rc != SQLITE_OK) {
        dbconn_error(c, rc, e);
        dbconn_close(c);
        return false;
    }
    sqlite3_busy_timeout(c->db, DBCONN_BUSY_MS);
    guard_install(&c->guard, c->db);
    c->guard.shadows = &c->shadows;
    if (role == DBCONN_PROBE || set_up(c, role, cfg, e))
        return true;
    dbconn_close(c);
    return false;
}

static void statement_free(statement *s)
{
    statement_entry_release(s->stats);
    sqlite3_finalize(s->stmt);
    mem_free(s->sql);
    mem_free(s->ddl_table);
    reads_free(s->reads);
    mem_free(s);
}

void dbconn_close(dbconn *c)
{
    if (!c->db)
        return;
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&c->cache, &at));)
        statement_free(slot->value);
    map_free(&c->cache);
    buf_free(&c->key);
    shadows_free(&c->shadows);
    mem_free(c->values);
    mem_free(c->columns);
    sqlite3_close_v2(c->db);
    functions_free(&c->functions);
    guard_free(&c->guard);
    c->db = NULL;
    c->values = NULL;
    c->columns = NULL;
    c->room = 0;
}

void dbconn_serve(dbconn *c, const job *j)
{
    const viewer *v = j ? j->as : NULL;
    c->job = j;
    c->guard.viewer = v && v->access ? v : NULL;
    c->guard.structured = j ? j->structured : NULL;
    functions_see(&c->functions, v);
}

/* ---- SQL of our own ---------------------------------------------------------------------------
 */

bool dbconn_exec(dbconn *c, const char *sql, error *e)
{
    bool was = c->guard.client;
    c->guard.client = false;
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    c->guard.client = was;
    return rc == SQLITE_OK || dbconn_error(c, rc, e);
}

sqlite3_stmt *dbconn_prepare_own(dbconn *c, const char *sql, error *e)
{
    bool was = c->guard.client;
    c->guard.client = false;
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);
    c->guard.client = was;
    if (rc != SQLITE_OK)
        dbconn_error(c, rc, e);
    return s;
}

bool dbconn_step_own(dbconn *c, sqlite3_stmt *s, error *e)
{
    bool was = c->guard.client;
    c->guard.client = false;
    int rc = sqlite3_step(s);
    c->guard.client = was;
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW || dbconn_error(c, rc, e);
    sqlite3_reset(s);
    return ok;
}

bool dbconn_int(dbconn *c, const char *sql, int64_t none, int64_t *out, error *e)
{
    sqlite3_stmt *s = dbconn_prepare_own(c, sql, e);
    if (!s)
        return false;
    int rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : none;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(c, rc, e);
    sqlite3_finalize(s);
    return ok;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static bool make_room(dbconn *c, int n, error *e)
{
    if (n <= c->room)
        return true;
    value *values = mem_realloc(c->values, (size_t)n * sizeof *values);
    if (values)
        c->values = values;
    engine_column *columns = mem_realloc(c->columns, (size_t)n * sizeof *columns);
    if (columns)
        c->columns = columns;
    if (!values || !columns)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    c->room = n;
    return true;
}

int dbconn_step(dbconn *c, statement *s)
{
    c->guard.client = c->guard.stepping = true;
    int rc = sqlite3_step(s->stmt);
    c->guard.client = c->guard.stepping = false;
    if (c->guard.viewer && c->guard.refused.code != ERR_NONE)
        s->outdated = true;
    return rc;
}

bool dbconn_row(dbconn *c, statement *s, int n, error *e)
{
    if (!make_room(c, n, e))
        return false;
    for (int i = 0; i < n; i++) {
        value *v = &c->values[i];
        v->len = 0;
        switch (sqlite3_column_type(s->stmt, i)) {
        case SQLITE_INTEGER:
            v->type = VALUE_INT;
            v->i = sqlite3_column_int64(s->stmt, i);
            break;
        case SQLITE_FLOAT:
            v->type = VALUE_REAL;
            v->d = sqlite3_column_double(s->stmt, i);
            break;
        case SQLITE_TEXT:
            v->type = VALUE_TEXT;
            v->p = (const char *)sqlite3_column_text(s->stmt, i);
            v->len = (size_t)sqlite3_column_bytes(s->stmt, i);
            if (!v->p)
                return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
            break;
        case SQLITE_BLOB:
            v->type = VALUE_BLOB;
            v->p = sqlite3_column_blob(s->stmt, i);
            v->len = (size_t)sqlite3_column_bytes(s->stmt, i);
            if (!v->p) {
                if (v->len > 0)
                    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
                v->p = "";
            }
            break;
        default:
            v->type = VALUE_NULL;
            v->i = 0;
        }
    }
    return true;
}

bool dbconn_columns(dbconn *c, statement *s, int n, error *e)
{
    if (!make_room(c, n, e))
        return false;
    for (int i = 0; i < n; i++) {
        c->columns[i].name = sqlite3_column_name(s->stmt, i);
        c->columns[i].type = sqlite3_column_decltype(s->stmt, i);
        if (!c->columns[i].name)
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    return true;
}
