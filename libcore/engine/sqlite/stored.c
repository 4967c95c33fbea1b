/* Stored texts, in a table of their own; like slots they make no records. */
#include <inttypes.h>

#include "engine/sqlite/store.h"
#include "json/writer.h"

bool stored_create(dbconn *c, error *e)
{
    int64_t present;
    if (!dbconn_int(c, "SELECT 1 FROM sqlite_schema WHERE name = '_rustydb_query'", 0, &present, e))
        return false;
    return present ||
           dbconn_exec(c,
                       "CREATE TABLE _rustydb_query(name TEXT NOT NULL, version INTEGER NOT NULL,"
                       " definition TEXT NOT NULL, PRIMARY KEY(name, version))",
                       e);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* A statement about a name, its ?1. */
static sqlite3_stmt *prepare(dbconn *c, const char *sql, const char *name, error *e)
{
    sqlite3_stmt *s = dbconn_prepare_own(c, sql, e);
    if (s)
        sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    return s;
}

static bool drop(dbconn *c, const char *name, error *e)
{
    sqlite3_stmt *s = prepare(c, "DELETE FROM _rustydb_query WHERE name = ?1", name, e);
    bool ok = s && dbconn_step_own(c, s, e);
    sqlite3_finalize(s);
    return ok;
}

static bool add(dbconn *c, const stored_text *t, error *e)
{
    sqlite3_stmt *s = prepare(c, "INSERT INTO _rustydb_query VALUES(?1, ?2, ?3)", t->name, e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 2, t->version);
    sqlite3_bind_text64(s, 3, t->json, t->len, SQLITE_STATIC, SQLITE_UTF8);
    bool ok = dbconn_step_own(c, s, e);
    sqlite3_finalize(s);
    return ok;
}

static bool forget_old(dbconn *c, const stored_text *t, error *e)
{
    sqlite3_stmt *s =
        prepare(c, "DELETE FROM _rustydb_query WHERE name = ?1 AND version <= ?2", t->name, e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 2, t->version - ENGINE_STORED_KEPT);
    bool ok = dbconn_step_own(c, s, e);
    sqlite3_finalize(s);
    return ok;
}

bool stored_write(dbconn *c, const job *j, error *e)
{
    const stored_text *t = &j->store->text;
    return j->store->drop ? drop(c, t->name, e) : add(c, t, e) && forget_old(c, t, e);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static void put_json(json_writer *w, sqlite3_stmt *s, int column)
{
    const char *json = (const char *)sqlite3_column_text(s, column);
    if (json)
        jw_raw(w, json, (size_t)sqlite3_column_bytes(s, column));
    else
        w->out->failed = true;
}

static bool tell_one(dbconn *c, job *j, error *e)
{
    sqlite3_stmt *s = prepare(
        c, "SELECT definition FROM _rustydb_query WHERE name = ?1 AND version = ?2", j->table, e);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 2, j->version);
    json_writer w;
    jw_init(&w, &j->text);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        put_json(&w, s, 0);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(c, rc, e);
    sqlite3_finalize(s);
    if (rc == SQLITE_DONE) {
        error_clear(e);
        return error_set(e, ERR_NOT_FOUND, "there is no version %" PRId64 " of \"%s\"", j->version,
                         j->table);
    }
    return ok && dbconn_text_ok(&j->text, e);
}

static bool put_versions(dbconn *c, const job *j, json_writer *w, int64_t *total, error *e)
{
    sqlite3_stmt *s = prepare(c,
                              "SELECT definition, count(*) OVER () FROM _rustydb_query"
                              " WHERE name = ?1 ORDER BY version DESC",
                              j->table, e);
    int rc = SQLITE_DONE;
    if (!s)
        return false;
    for (int64_t at = 0; (rc = sqlite3_step(s)) == SQLITE_ROW && !w->out->failed; at++) {
        *total = sqlite3_column_int64(s, 1);
        if (at >= j->offset && (!j->limit || at - j->offset < j->limit))
            put_json(w, s, 0);
    }
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW || dbconn_error(c, rc, e);
    sqlite3_finalize(s);
    return ok;
}

static bool tell_all(dbconn *c, job *j, error *e)
{
    json_writer w;
    int64_t total = 0;
    jw_init(&w, &j->text);
    jw_begin_object(&w);
    jw_key(&w, "versions");
    jw_begin_array(&w);
    bool ok = put_versions(c, j, &w, &total, e);
    jw_end_array(&w);
    jw_key_int(&w, "total", total);
    jw_key_int(&w, "offset", j->offset);
    jw_key_int(&w, "limit", j->limit);
    jw_end_object(&w);
    if (ok && total == 0) {
        error_clear(e);
        return error_set(e, ERR_NOT_FOUND, "there is no \"%s\"", j->table);
    }
    return ok && dbconn_text_ok(&j->text, e);
}

bool stored_tell(dbconn *c, job *j, error *e)
{
    return j->version ? tell_one(c, j, e) : tell_all(c, j, e);
}

static bool give(dbconn *c, sqlite3_stmt *s,
                 bool (*each)(void *arg, const stored_text *t, error *e), void *arg, error *e)
{
    stored_text t = {
        .name = (const char *)sqlite3_column_text(s, 0),
        .version = sqlite3_column_int64(s, 1),
        .json = (const char *)sqlite3_column_text(s, 2),
        .len = (size_t)sqlite3_column_bytes(s, 2),
    };
    return t.name && t.json ? each(arg, &t, e) : dbconn_error(c, SQLITE_NOMEM, e);
}

bool store_stored_read(engine *base, bool (*each)(void *arg, const stored_text *t, error *e),
                       void *arg, error *e)
{
    store *g = (store *)(void *)base;
    dbconn c;
    if (!dbconn_open(&c, g->path, g->cfg.vfs, DBCONN_READER, &g->cfg, e))
        return false;
    sqlite3_stmt *s = dbconn_prepare_own(
        &c, "SELECT name, max(version), definition FROM _rustydb_query GROUP BY name ORDER BY name",
        e);
    int rc = SQLITE_DONE;
    bool ok = s != NULL;
    while (ok && (rc = sqlite3_step(s)) == SQLITE_ROW)
        ok = give(&c, s, each, arg, e);
    if (ok && rc != SQLITE_DONE)
        ok = dbconn_error(&c, rc, e);
    sqlite3_finalize(s);
    dbconn_close(&c);
    return ok;
}
