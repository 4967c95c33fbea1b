/* Slots: named positions in the change log, in a table of their own. Its rows are no changes that
 * anybody made, so they make no records: capture passes over internal tables. */
#include <string.h>

#include "engine/sqlite/store.h"

bool slots_create(dbconn *c, error *e)
{
    int64_t present;
    if (!dbconn_int(c, "SELECT 1 FROM sqlite_schema WHERE name = '_rustydb_slot'", 0, &present, e))
        return false;
    return present ||
           dbconn_exec(c,
                       "CREATE TABLE _rustydb_slot(name TEXT PRIMARY KEY, log_id TEXT NOT NULL,"
                       " lsn INTEGER NOT NULL, created_at INTEGER NOT NULL,"
                       " seen_at INTEGER NOT NULL) WITHOUT ROWID",
                       e);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static bool step(dbconn *c, sqlite3_stmt *s, const log_slot *slot, bool whole, error *e)
{
    sqlite3_bind_text(s, 1, slot->name, -1, SQLITE_STATIC);
    if (whole) {
        sqlite3_bind_text(s, 2, slot->log_id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, slot->lsn);
        sqlite3_bind_int64(s, 4, slot->created_at);
        sqlite3_bind_int64(s, 5, slot->seen_at);
    }
    return dbconn_step_own(c, s, e);
}

bool slots_write(dbconn *c, const job *j, error *e)
{
    sqlite3_stmt *put =
        dbconn_prepare_own(c, "INSERT OR REPLACE INTO _rustydb_slot VALUES(?, ?, ?, ?, ?)", e);
    sqlite3_stmt *drop =
        put ? dbconn_prepare_own(c, "DELETE FROM _rustydb_slot WHERE name = ?", e) : NULL;
    bool ok = drop != NULL;
    for (int i = 0; ok && i < j->n_slots; i++) {
        const slot_change *change = &j->slots[i];
        ok = step(c, change->drop ? drop : put, &change->slot, !change->drop, e);
    }
    sqlite3_finalize(put);
    sqlite3_finalize(drop);
    return ok;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* False when it does not fit: the row is not of ours. */
static bool copy_text(char *to, size_t room, const char *text)
{
    size_t n = strlen(text);
    if (n >= room)
        return false;
    memcpy(to, text, n + 1);
    return true;
}

static bool give(dbconn *c, sqlite3_stmt *q, bool (*each)(void *arg, const log_slot *s), void *arg,
                 error *e)
{
    log_slot s = {
        .lsn = sqlite3_column_int64(q, 2),
        .created_at = sqlite3_column_int64(q, 3),
        .seen_at = sqlite3_column_int64(q, 4),
    };
    const char *name = (const char *)sqlite3_column_text(q, 0);
    const char *log_id = (const char *)sqlite3_column_text(q, 1);
    if (!name || !log_id)
        return dbconn_error(c, SQLITE_NOMEM, e);
    error_clear(e);
    if (!copy_text(s.name, sizeof s.name, name) || !copy_text(s.log_id, sizeof s.log_id, log_id))
        return error_set(e, ERR_CORRUPT, "a slot of the database cannot be read");
    return each(arg, &s) || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static bool read_all(dbconn *c, bool (*each)(void *arg, const log_slot *s), void *arg, error *e)
{
    sqlite3_stmt *q = dbconn_prepare_own(
        c, "SELECT name, log_id, lsn, created_at, seen_at FROM _rustydb_slot ORDER BY name", e);
    int rc = SQLITE_DONE;
    bool ok = q != NULL;
    while (ok && (rc = sqlite3_step(q)) == SQLITE_ROW)
        ok = give(c, q, each, arg, e);
    if (ok && rc != SQLITE_DONE)
        ok = dbconn_error(c, rc, e);
    sqlite3_finalize(q);
    return ok;
}

bool store_slots_read(engine *base, bool (*each)(void *arg, const log_slot *s), void *arg, error *e)
{
    store *g = (store *)(void *)base;
    dbconn c;
    if (!dbconn_open(&c, g->path, g->cfg.vfs, DBCONN_READER, &g->cfg, e))
        return false;
    bool ok = read_all(&c, each, arg, e);
    dbconn_close(&c);
    return ok;
}
