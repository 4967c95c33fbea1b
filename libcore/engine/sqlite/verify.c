/* Looking for damage: integrity and foreign keys, of the open database or of a file. */
#include <stdio.h>
#include <string.h>

#include "engine/sqlite/store.h"

enum { PROBLEMS_MAX = 100, WATCH_OPS = 100000 /* steps of SQLite's machine between two looks */ };

typedef struct verification {
    dbconn c;
    const engine_watch *watch;
    bool stopped;
    void (*problem)(void *arg, const char *text);
    void *arg;
    int n;
    error *e;
} verification;

static int on_progress(void *arg)
{
    verification *v = arg;
    v->stopped = v->stopped || !v->watch->tell(v->watch->arg, 0, -1);
    return v->stopped;
}

static void found(verification *v, const char *text)
{
    if (v->n++ < PROBLEMS_MAX)
        v->problem(v->arg, text);
}

static void take_damage(verification *v, sqlite3_stmt *q)
{
    const char *text = (const char *)sqlite3_column_text(q, 0);
    if (text && strcmp(text, "ok") != 0)
        found(v, text);
}

static void take_orphan(verification *v, sqlite3_stmt *q)
{
    char text[400], row[40] = "";
    if (sqlite3_column_type(q, 1) == SQLITE_INTEGER)
        snprintf(row, sizeof row, "row %lld of ", (long long)sqlite3_column_int64(q, 1));
    snprintf(text, sizeof text,
             "%stable \"%.120s\" refers to a row of \"%.120s\" that is not there", row,
             (const char *)sqlite3_column_text(q, 0), (const char *)sqlite3_column_text(q, 2));
    found(v, text);
}

/* What SQLite says of a file that it cannot read is a finding, not a failure. */
static bool ended(verification *v, int rc)
{
    if (rc == SQLITE_DONE || rc == SQLITE_ROW)
        return true;
    if (v->stopped) {
        error_clear(v->e);
        return error_set(v->e, ERR_CANCELLED, "the check was cancelled");
    }
    dbconn_error(&v->c, rc, v->e);
    if (v->e->code != ERR_CORRUPT)
        return false;
    found(v, v->e->message);
    return true;
}

static bool ask(verification *v, const char *sql, void (*take)(verification *v, sqlite3_stmt *q))
{
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(v->c.db, sql, -1, &q, NULL);
    if (rc == SQLITE_OK) {
        while ((rc = sqlite3_step(q)) == SQLITE_ROW && v->n < PROBLEMS_MAX)
            take(v, q);
    }
    bool ok = ended(v, rc);
    sqlite3_finalize(q);
    return ok;
}

static bool open_it(store *g, const char *file, dbconn *c, error *e)
{
    return file ? check_open_still(g, file, c, e)
                : dbconn_open(c, g->path, g->cfg.vfs, DBCONN_READER, &g->cfg, e);
}

bool store_verify(engine *base, const char *file, void (*problem)(void *arg, const char *text),
                  void *arg, const engine_watch *w, error *e)
{
    verification v = {.watch = w, .problem = problem, .arg = arg, .e = e};
    error_clear(e);
    if (!open_it((store *)(void *)base, file, &v.c, e))
        return false;
    sqlite3_progress_handler(v.c.db, WATCH_OPS, on_progress, &v);
    bool ok = ask(&v, "PRAGMA integrity_check(100)", take_damage);
    if (ok && v.n == 0) /* in a damaged file they would say nothing reliable */
        ok = ask(&v, "PRAGMA foreign_key_check", take_orphan);
    dbconn_close(&v.c);
    return ok;
}
