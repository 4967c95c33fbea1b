/* The health of an existing database file, before anything writes to it. */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "engine/sqlite/store.h"

enum { CHECK_US = 2000000 }; /* longest look */

typedef struct health {
    int64_t until; /* monotonic */
    bool gave_up;
} health;

static int on_check_progress(void *arg)
{
    health *h = arg;
    h->gave_up = clock_mono_us() >= h->until;
    return h->gave_up;
}

static bool check_open_file(dbconn *c, error *e)
{
    health h = {clock_mono_us() + CHECK_US, false};
    sqlite3_stmt *q = dbconn_prepare_own(c, "PRAGMA quick_check(1)", e);
    if (!q)
        return false;
    sqlite3_progress_handler(c->db, 10000, on_check_progress, &h);
    int rc = sqlite3_step(q);
    const char *said = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    bool ok = h.gave_up || (said && strcmp(said, "ok") == 0);
    if (!ok && rc == SQLITE_ROW)
        sql_code_error(SQLITE_CORRUPT, said ? said : "the database file is damaged", e);
    else if (!ok)
        dbconn_error(c, rc, e);
    sqlite3_progress_handler(c->db, 0, NULL, NULL);
    sqlite3_finalize(q);
    return ok;
}

/* A name by which SQLite reads a file that nobody writes to, without side files. */
static void still_name(const char *path, buf *name)
{
    buf_adds(name, "file:");
    for (const char *p = path; *p; p++) {
        if (strchr("%?#", *p))
            buf_addf(name, "%%%02x", (unsigned char)*p);
        else
            buf_addc(name, *p);
    }
    buf_adds(name, "?immutable=1");
}

bool check_open_still(store *g, const char *path, dbconn *c, error *e)
{
    buf name = BUF_INIT;
    still_name(path, &name);
    bool ok = !name.failed || sql_code_error(SQLITE_NOMEM, "out of memory", e);
    ok = ok && dbconn_open(c, buf_cstr(&name), g->cfg.vfs, DBCONN_PROBE, &g->cfg, e);
    buf_free(&name);
    return ok;
}

/* The file's name for the check: where there is no WAL, one that has SQLite make no side files. */
static bool check_name(store *g, buf *name)
{
    struct stat st;
    size_t n = strlen(g->path);
    buf_add(name, g->path, n);
    buf_adds(name, "-wal");
    bool wal = stat(buf_cstr(name), &st) == 0 && st.st_size > 0;
    buf_clear(name);
    if (wal) {
        buf_add(name, g->path, n);
        return !name->failed;
    }
    still_name(g->path, name);
    return !name->failed;
}

bool check_file(store *g, error *e)
{
    struct stat st;
    if (stat(g->path, &st) != 0 || st.st_size == 0)
        return true;
    dbconn c;
    buf name = BUF_INIT;
    bool ok = check_name(g, &name);
    if (!ok)
        sql_code_error(SQLITE_NOMEM, "out of memory", e);
    ok = ok && dbconn_open(&c, buf_cstr(&name), g->cfg.vfs, DBCONN_PROBE, &g->cfg, e);
    buf_free(&name);
    if (!ok)
        return false;
    ok = check_open_file(&c, e);
    dbconn_close(&c);
    if (!ok && e->code == ERR_CORRUPT) {
        error was = *e;
        error_set(e, ERR_CORRUPT, "%s is damaged, and was left as it is: %.300s", g->path,
                  was.message);
    }
    return ok;
}
