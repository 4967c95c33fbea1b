#include "engine/sqlite/changelog.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static const char *const tables =
    "CREATE TABLE IF NOT EXISTS _rustydb_meta(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS _rustydb_shape(id INTEGER PRIMARY KEY, tbl TEXT NOT NULL,"
    " columns TEXT NOT NULL, until INTEGER);"
    "CREATE TABLE IF NOT EXISTS _rustydb_log(lsn INTEGER PRIMARY KEY, tx INTEGER NOT NULL,"
    " op INTEGER NOT NULL, shape INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS _rustydb_commit(last_lsn INTEGER PRIMARY KEY,"
    " committed_at INTEGER NOT NULL);"
    "INSERT OR IGNORE INTO _rustydb_meta VALUES('engine.format', 1);";

static bool make_id(char out[CHANGELOG_ID_ROOM], error *e)
{
    unsigned char id[(CHANGELOG_ID_ROOM - 1) / 2];
    if (RAND_bytes(id, sizeof id) != 1) {
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "no random bytes for the log's id");
    }
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
    return true;
}

static bool create_all(dbconn *c, error *e)
{
    char id[CHANGELOG_ID_ROOM], sql[128];
    if (!make_id(id, e))
        return false;
    snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO _rustydb_meta VALUES('engine.log_id', '%s')",
             id);
    return dbconn_exec(c, tables, e) && dbconn_exec(c, sql, e);
}

bool changelog_rename(dbconn *c, error *e)
{
    char id[CHANGELOG_ID_ROOM], sql[128];
    if (!make_id(id, e))
        return false;
    snprintf(sql, sizeof sql, "UPDATE _rustydb_meta SET value = '%s' WHERE key = 'engine.log_id'",
             id);
    if (!dbconn_exec(c, sql, e))
        return false;
    return sqlite3_changes(c->db) == 1 ||
           sql_code_error(SQLITE_CORRUPT, "the database has no log id", e);
}

bool changelog_create(dbconn *c, error *e)
{
    int64_t present, format;
    if (!dbconn_int(c, "SELECT 1 FROM sqlite_schema WHERE name = '_rustydb_commit'", 0, &present,
                    e))
        return false;
    if (!present) {
        if (!dbconn_exec(c, "BEGIN IMMEDIATE", e))
            return false;
        if (create_all(c, e) && dbconn_exec(c, "COMMIT", e))
            return true;
        if (!sqlite3_get_autocommit(c->db))
            dbconn_exec(c, "ROLLBACK", NULL);
        return false;
    }
    if (!dbconn_int(c, "SELECT value FROM _rustydb_meta WHERE key = 'engine.format'", 0, &format,
                    e))
        return false;
    if (format == 1)
        return true;
    error_clear(e);
    error_set(e, ERR_INTERNAL_ERROR, "the database has the format %lld, this program knows 1",
              (long long)format);
    return error_hint(e, "It was written by another version of rustydb; use that one.");
}

static bool read_oldest(changelog *l, error *e)
{
    if (!dbconn_int(l->c, "SELECT min(lsn) FROM _rustydb_log", 0, &l->oldest, e))
        return false;
    if (l->oldest == 0)
        l->oldest = l->head + 1;
    return dbconn_int(l->c, "SELECT committed_at FROM _rustydb_commit ORDER BY last_lsn LIMIT 1",
                      INT64_MAX, &l->oldest_time, e);
}

bool changelog_open(changelog *l, dbconn *c, error *e)
{
    *l = (changelog){.c = c, .oldest_time = INT64_MAX};
    const struct {
        sqlite3_stmt **to;
        const char *sql;
    } all[] = {
        {&l->append, "INSERT INTO _rustydb_log(lsn, tx, op, shape, data) VALUES(?, ?, ?, ?, ?)"},
        {&l->seal, "INSERT INTO _rustydb_commit(last_lsn, committed_at) VALUES(?, ?)"},
        {&l->head_of, "SELECT lsn, tx FROM _rustydb_log ORDER BY lsn DESC LIMIT 1"},
        {&l->find_shape, "SELECT tbl, columns FROM _rustydb_shape WHERE id = ?"},
        {&l->add_shape, "INSERT INTO _rustydb_shape(id, tbl, columns) VALUES(?, ?, ?)"
                        " ON CONFLICT(id) DO UPDATE SET until = NULL"},
        {&l->end_shape, "UPDATE _rustydb_shape SET until = ?2 WHERE id = ?1"},
        {&l->aged, "SELECT max(last_lsn) FROM (SELECT last_lsn, committed_at FROM _rustydb_commit"
                   " ORDER BY last_lsn LIMIT ?2) WHERE committed_at < ?1"},
        {&l->prune_log, "DELETE FROM _rustydb_log WHERE lsn <= ?"},
        {&l->prune_commits, "DELETE FROM _rustydb_commit WHERE last_lsn <= ?"},
        {&l->prune_shapes, "DELETE FROM _rustydb_shape WHERE until <= ?"},
        {&l->first_commit, "SELECT committed_at FROM _rustydb_commit ORDER BY last_lsn LIMIT 1"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i].to = dbconn_prepare_own(c, all[i].sql, e);
        if (!*all[i].to)
            return false;
    }
    if (!changelog_reread(l, e))
        return false;
    l->committed = l->pruned_at = l->head;
    return true;
}

void changelog_close(changelog *l)
{
    sqlite3_stmt *all[] = {l->append,        l->seal,         l->head_of,     l->find_shape,
                           l->add_shape,     l->end_shape,    l->aged,        l->prune_log,
                           l->prune_commits, l->prune_shapes, l->first_commit};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sqlite3_finalize(all[i]);
    buf_free(&l->scratch);
    *l = (changelog){0};
}

void changelog_begin_tx(changelog *l)
{
    l->tx++;
}

/* ---- appending --------------------------------------------------------------------------------
 */

static bool store_shape(changelog *l, shape *s, shape_stored *known, error *e)
{
    if (*known != SHAPE_UNKNOWN)
        return true;
    bool stored = false;
    if (!shape_find_id(l->c, l->find_shape, s, &stored, e))
        return false;
    buf json = BUF_INIT;
    shape_columns_json(&s->pub, &json);
    if (json.failed) {
        buf_free(&json);
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    sqlite3_bind_int64(l->add_shape, 1, s->pub.id);
    sqlite3_bind_text(l->add_shape, 2, s->pub.table, -1, SQLITE_STATIC);
    sqlite3_bind_text64(l->add_shape, 3, json.data, json.len, SQLITE_STATIC, SQLITE_UTF8);
    bool ok = dbconn_step_own(l->c, l->add_shape, e);
    sqlite3_clear_bindings(l->add_shape);
    buf_free(&json);
    if (ok)
        *known = SHAPE_PENDING;
    return ok;
}

static bool append(changelog *l, log_op op, shape *s, shape_stored *known, const void *data,
                   size_t n, error *e)
{
    if (!store_shape(l, s, known, e))
        return false;
    sqlite3_bind_int64(l->append, 1, l->head + 1);
    sqlite3_bind_int64(l->append, 2, l->tx);
    sqlite3_bind_int(l->append, 3, (int)op);
    sqlite3_bind_int64(l->append, 4, s->pub.id);
    int rc = sqlite3_bind_blob64(l->append, 5, n ? data : "", n, SQLITE_STATIC);
    return rc == SQLITE_OK ? dbconn_step_own(l->c, l->append, e) : dbconn_error(l->c, rc, e);
}

bool changelog_append(changelog *l, log_op op, shape *s, shape_stored *known, const void *data,
                      size_t n, error *e)
{
    /* The client's next statement may ask for its own last_insert_rowid(). */
    int64_t rowid = sqlite3_last_insert_rowid(l->c->db);
    bool ok = append(l, op, s, known, data, n, e);
    sqlite3_set_last_insert_rowid(l->c->db, rowid);
    l->head += ok;
    return ok;
}

bool changelog_append_ddl(changelog *l, log_op op, shape *s, const char *text, const char *other,
                          error *e)
{
    /* with their NULs, so that a reader can point into the record */
    value v[2] = {{.type = VALUE_TEXT, .len = strlen(text) + 1, .p = text}, {.type = VALUE_NULL}};
    if (other)
        v[1] = (value){.type = VALUE_TEXT, .len = strlen(other) + 1, .p = other};
    shape_stored known = SHAPE_UNKNOWN;
    buf_clear(&l->scratch);
    value_pack(&l->scratch, v, 2);
    if (l->scratch.failed) {
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    return changelog_append(l, op, s, &known, l->scratch.data, l->scratch.len, e);
}

bool changelog_end_shape(changelog *l, shape *s, int64_t now, error *e)
{
    bool stored = false;
    if (!shape_find_id(l->c, l->find_shape, s, &stored, e))
        return false;
    if (!stored || s->pub.id == now)
        return true;
    sqlite3_bind_int64(l->end_shape, 1, s->pub.id);
    sqlite3_bind_int64(l->end_shape, 2, l->head);
    return dbconn_step_own(l->c, l->end_shape, e);
}

/* ---- commits ----------------------------------------------------------------------------------
 */

bool changelog_seal(changelog *l, error *e)
{
    if (l->head == l->committed)
        return true;
    int64_t now = clock_wall_us();
    sqlite3_bind_int64(l->seal, 1, l->head);
    sqlite3_bind_int64(l->seal, 2, now);
    return dbconn_step_own(l->c, l->seal, e);
}

void changelog_was_committed(changelog *l)
{
    if (l->head != l->committed && l->oldest_time == INT64_MAX)
        l->oldest_time = clock_wall_us();
    l->committed = l->head;
}

bool changelog_reread(changelog *l, error *e)
{
    int rc = sqlite3_step(l->head_of);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(l->c, rc, e);
    if (ok) {
        l->head = rc == SQLITE_ROW ? sqlite3_column_int64(l->head_of, 0) : 0;
        int64_t tx = rc == SQLITE_ROW ? sqlite3_column_int64(l->head_of, 1) : 0;
        if (tx > l->tx)
            l->tx = tx;
    }
    sqlite3_reset(l->head_of);
    return ok && read_oldest(l, e);
}

/* ---- retention --------------------------------------------------------------------------------
 */

bool changelog_can_prune(const changelog *l, const engine_config *cfg)
{
    if (l->oldest >= l->head)
        return false;
    if (cfg->log_max_events > 0 && l->head - l->oldest >= cfg->log_max_events)
        return true;
    return cfg->log_max_age_us > 0 && l->oldest_time != INT64_MAX &&
           l->oldest_time < clock_wall_us() - cfg->log_max_age_us;
}

static bool query_int(changelog *l, sqlite3_stmt *s, int64_t none, int64_t *out, error *e)
{
    int rc = sqlite3_step(s);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(l->c, rc, e);
    bool some = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL;
    *out = some ? sqlite3_column_int64(s, 0) : none;
    sqlite3_reset(s);
    return ok;
}

/* The highest lsn that retention lets go. */
static bool cutoff(changelog *l, const engine_config *cfg, int64_t max, int64_t *out, error *e)
{
    int64_t aged = 0;
    if (cfg->log_max_age_us > 0) {
        sqlite3_bind_int64(l->aged, 1, clock_wall_us() - cfg->log_max_age_us);
        sqlite3_bind_int64(l->aged, 2, max);
        if (!query_int(l, l->aged, 0, &aged, e))
            return false;
    }
    int64_t counted = cfg->log_max_events > 0 ? l->head - cfg->log_max_events : 0;
    *out = aged > counted ? aged : counted;
    if (*out > l->head - 1)
        *out = l->head - 1; /* the last one tells the head */
    if (*out > l->oldest - 1 + max)
        *out = l->oldest - 1 + max;
    return true;
}

static bool delete_up_to(changelog *l, sqlite3_stmt *s, int64_t lsn, error *e)
{
    sqlite3_bind_int64(s, 1, lsn);
    return dbconn_step_own(l->c, s, e);
}

bool changelog_prune(changelog *l, const engine_config *cfg, int64_t max, error *e)
{
    int64_t upto;
    l->pruned_shapes = false;
    if (!cutoff(l, cfg, max, &upto, e))
        return false;
    if (upto < l->oldest)
        return true;
    if (!delete_up_to(l, l->prune_log, upto, e) || !delete_up_to(l, l->prune_commits, upto, e) ||
        !delete_up_to(l, l->prune_shapes, upto, e))
        return false;
    l->pruned_shapes = sqlite3_changes(l->c->db) > 0;
    l->oldest = upto + 1;
    l->pruned_at = l->head;
    return query_int(l, l->first_commit, INT64_MAX, &l->oldest_time, e);
}
