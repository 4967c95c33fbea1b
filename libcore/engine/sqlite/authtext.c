/* Texts about identities, in a table of their own; like slots they make no records. */
#include "engine/sqlite/store.h"

bool auth_create(dbconn *c, error *e)
{
    int64_t present;
    if (!dbconn_int(c, "SELECT 1 FROM sqlite_schema WHERE name = '_rustydb_auth'", 0, &present, e))
        return false;
    return present ||
           dbconn_exec(c,
                       "CREATE TABLE _rustydb_auth(kind TEXT NOT NULL, name TEXT NOT NULL,"
                       " json TEXT NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID",
                       e);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* Whether there is a text of this kind and name. */
static bool is_present(dbconn *c, const auth_text *t, bool *present, error *e)
{
    sqlite3_stmt *s =
        dbconn_prepare_own(c, "SELECT 1 FROM _rustydb_auth WHERE kind = ?1 AND name = ?2", e);
    if (!s)
        return false;
    sqlite3_bind_text(s, 1, t->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, t->name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *present = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(c, rc, e);
    sqlite3_finalize(s);
    return ok;
}

static bool as_expected(dbconn *c, const auth_change *change, error *e)
{
    const auth_text *t = &change->text;
    bool present;
    if (change->expect == AUTH_ANYTHING)
        return true;
    if (!is_present(c, t, &present, e))
        return false;
    if (present == (change->expect == AUTH_PRESENT))
        return true;
    error_clear(e);
    return present ? error_set(e, ERR_CONFLICT, "there is a %s \"%s\" already", t->kind, t->name)
                   : error_set(e, ERR_NOT_FOUND, "there is no %s \"%s\"", t->kind, t->name);
}

static bool make(dbconn *c, sqlite3_stmt *put, sqlite3_stmt *drop, const auth_change *change,
                 error *e)
{
    const auth_text *t = &change->text;
    sqlite3_stmt *s = change->drop ? drop : put;
    if (!as_expected(c, change, e))
        return false;
    sqlite3_bind_text(s, 1, t->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, t->name, -1, SQLITE_STATIC);
    if (!change->drop)
        sqlite3_bind_text64(s, 3, t->json, t->len, SQLITE_STATIC, SQLITE_UTF8);
    return dbconn_step_own(c, s, e);
}

bool auth_write(dbconn *c, const job *j, error *e)
{
    sqlite3_stmt *put =
        dbconn_prepare_own(c, "INSERT OR REPLACE INTO _rustydb_auth VALUES(?1, ?2, ?3)", e);
    sqlite3_stmt *drop =
        put ? dbconn_prepare_own(c, "DELETE FROM _rustydb_auth WHERE kind = ?1 AND name = ?2", e)
            : NULL;
    bool ok = drop != NULL;
    for (int i = 0; ok && i < j->n_auth; i++)
        ok = make(c, put, drop, &j->auth[i], e);
    sqlite3_finalize(put);
    sqlite3_finalize(drop);
    return ok;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static bool give(dbconn *c, sqlite3_stmt *s, bool (*each)(void *arg, const auth_text *t, error *e),
                 void *arg, error *e)
{
    auth_text t = {
        .kind = (const char *)sqlite3_column_text(s, 0),
        .name = (const char *)sqlite3_column_text(s, 1),
        .json = (const char *)sqlite3_column_text(s, 2),
        .len = (size_t)sqlite3_column_bytes(s, 2),
    };
    return t.kind && t.name && t.json ? each(arg, &t, e) : dbconn_error(c, SQLITE_NOMEM, e);
}

bool store_auth_read(engine *base, bool (*each)(void *arg, const auth_text *t, error *e), void *arg,
                     error *e)
{
    store *g = (store *)(void *)base;
    dbconn c;
    if (!dbconn_open(&c, g->path, g->cfg.vfs, DBCONN_READER, &g->cfg, e))
        return false;
    sqlite3_stmt *s =
        dbconn_prepare_own(&c, "SELECT kind, name, json FROM _rustydb_auth ORDER BY kind, name", e);
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
