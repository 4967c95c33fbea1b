/* Small facts that the daemon keeps in the database, through a connection of their own. */
#include <stdio.h>
#include <string.h>

#include "engine/sqlite/store.h"

static bool with_meta(store *g, const char *sql, const char *key, const void *bytes, size_t n,
                      bool (*use)(sqlite3_stmt *, void *), void *arg, error *e)
{
    dbconn c;
    if (!dbconn_open(&c, g->path, g->cfg.vfs, DBCONN_WRITER, &g->cfg, e))
        return false;
    char name[128];
    snprintf(name, sizeof name, "daemon.%s", key);
    sqlite3_stmt *q = dbconn_prepare_own(&c, sql, e);
    bool ok = q != NULL;
    if (ok) {
        sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
        if (bytes)
            sqlite3_bind_blob64(q, 2, bytes, n, SQLITE_STATIC);
        int rc = sqlite3_step(q);
        ok = rc == SQLITE_ROW || rc == SQLITE_DONE || dbconn_error(&c, rc, e);
        if (ok && rc == SQLITE_ROW && use)
            ok = use(q, arg);
    }
    sqlite3_finalize(q);
    dbconn_close(&c);
    return ok;
}

bool store_meta_set(engine *g, const char *key, const void *bytes, size_t n, error *e)
{
    return with_meta((store *)(void *)g, "INSERT OR REPLACE INTO _rustydb_meta VALUES(?1, ?2)", key,
                     n ? bytes : "", n, NULL, NULL, e);
}

typedef struct meta_out {
    void *out;
    size_t room;
    long n;
    error *e;
} meta_out;

static bool take_meta(sqlite3_stmt *q, void *arg)
{
    meta_out *m = arg;
    const void *p = sqlite3_column_blob(q, 0);
    size_t n = (size_t)sqlite3_column_bytes(q, 0);
    if (n > m->room) {
        error_clear(m->e);
        return error_set(m->e, ERR_MESSAGE_TOO_BIG, "the stored fact has %zu bytes", n);
    }
    if (n)
        memcpy(m->out, p, n);
    m->n = (long)n;
    return true;
}

long store_meta_get(engine *g, const char *key, void *out, size_t room, error *e)
{
    meta_out m = {out, room, -1, e};
    error_clear(e);
    if (!with_meta((store *)(void *)g, "SELECT value FROM _rustydb_meta WHERE key = ?1", key, NULL,
                   0, take_meta, &m, e))
        return -1;
    return m.n;
}
