/* Copies of the database in one file, taken while it is in use, and data folders made of them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/sqlite/store.h"

enum { STEP_PAGES = 256 /* copied between two looks at the watch */ };

static store *own(engine *g)
{
    return (store *)(void *)g;
}

static bool file_error(const char *what, const char *path, int why, error *e)
{
    error_code code = ERR_INTERNAL_ERROR;
    if (why == EEXIST)
        code = ERR_CONFLICT;
    else if (why == ENOSPC || why == EDQUOT)
        code = ERR_DISK_FULL;
    else if (why == EACCES || why == EROFS || why == EPERM)
        code = ERR_READ_ONLY;
    error_clear(e);
    return error_set(e, code, "cannot %s %s: %s", what, path, strerror(why));
}

/* Sees a file or a folder onto the disk. */
static bool sync_path(const char *path, error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return ok || file_error("write", path, why, e);
}

/* ---- copying ----------------------------------------------------------------------------------
 */

/* The whole copy is read from one snapshot, which stands for as long as this transaction is open:
 * so writers neither wait nor make SQLite begin again. */
static bool hold_snapshot(dbconn *from, error *e)
{
    return dbconn_exec(from, "BEGIN;SELECT 1 FROM sqlite_schema LIMIT 1", e);
}

static bool copy_pages(sqlite3_backup *b, const engine_watch *w, int *rc, error *e)
{
    for (;;) {
        *rc = sqlite3_backup_step(b, STEP_PAGES);
        int total = sqlite3_backup_pagecount(b);
        if (!w->tell(w->arg, total - sqlite3_backup_remaining(b), total)) {
            error_clear(e);
            return error_set(e, ERR_CANCELLED, "the copy was cancelled");
        }
        if (*rc != SQLITE_OK)
            return *rc == SQLITE_DONE;
    }
}

static bool copy_into(dbconn *from, sqlite3 *to, const engine_watch *w, error *e)
{
    int rc = SQLITE_OK;
    error_clear(e);
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from->db, "main");
    if (!b)
        return sql_code_error(sqlite3_errcode(to), sqlite3_errmsg(to), e);
    bool ok = copy_pages(b, w, &rc, e);
    sqlite3_backup_finish(b);
    if (!ok && e->code == ERR_NONE)
        sql_code_error(rc, sqlite3_errstr(rc), e);
    return ok;
}

/* There is nothing to go back to in a file that is new: no journal, and one sync at the end. */
static bool copy_to_file(store *g, dbconn *from, const char *file, const engine_watch *w, error *e)
{
    sqlite3 *to = NULL;
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW;
    int rc = sqlite3_open_v2(file, &to, flags, g->cfg.vfs);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(to, "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF", NULL, NULL, NULL);
    bool ok = rc == SQLITE_OK || sql_code_error(rc, sqlite3_errstr(rc), e);
    ok = ok && hold_snapshot(from, e) && copy_into(from, to, w, e);
    sqlite3_close_v2(to);
    return ok && sync_path(file, e);
}

static bool copy_to_new_file(store *g, dbconn *from, const char *file, const engine_watch *w,
                             error *e)
{
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_error("make", file, errno, e);
    close(fd);
    if (copy_to_file(g, from, file, w, e))
        return true;
    unlink(file);
    return false;
}

bool store_backup(engine *base, const char *file, const engine_watch *w, error *e)
{
    store *g = own(base);
    dbconn from;
    if (!dbconn_open(&from, g->path, g->cfg.vfs, DBCONN_READER, &g->cfg, e))
        return false;
    bool ok = copy_to_new_file(g, &from, file, w, e);
    dbconn_close(&from);
    return ok;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static bool read_log_id(dbconn *c, engine_copy *out, error *e)
{
    sqlite3_stmt *q =
        dbconn_prepare_own(c, "SELECT value FROM _rustydb_meta WHERE key = 'engine.log_id'", e);
    if (!q)
        return false;
    const char *id = sqlite3_step(q) == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : NULL;
    bool ok = id && strlen(id) < sizeof out->log_id;
    if (ok)
        strcpy(out->log_id, id);
    sqlite3_finalize(q);
    return ok || sql_code_error(SQLITE_CORRUPT, "it has no log id", e);
}

static bool look(dbconn *c, engine_copy *out, error *e)
{
    return read_log_id(c, out, e) &&
           dbconn_int(c, "SELECT lsn FROM _rustydb_log ORDER BY lsn DESC LIMIT 1", 0, &out->lsn, e);
}

/* Whatever keeps it from being read: it is no copy. */
static bool no_copy(const char *file, error *e)
{
    const error was = *e;
    error_clear(e);
    if (was.code == ERR_INTERNAL_ERROR)
        return error_set(e, was.code, "cannot read %.200s: %.250s", file, was.message);
    return error_set(e, ERR_CORRUPT, "%.200s is no copy of a database of ours: %.250s", file,
                     was.message);
}

bool store_copy_look(engine *base, const char *file, engine_copy *out, error *e)
{
    dbconn c;
    *out = (engine_copy){0};
    if (!check_open_still(own(base), file, &c, e))
        return no_copy(file, e);
    bool ok = look(&c, out, e);
    dbconn_close(&c);
    return ok || no_copy(file, e);
}

/* ---- restoring --------------------------------------------------------------------------------
 */

static bool begin_new_log(store *g, const char *file, error *e)
{
    dbconn c;
    if (!dbconn_open(&c, file, g->cfg.vfs, DBCONN_WRITER, &g->cfg, e))
        return false;
    bool ok = changelog_rename(&c, e);
    dbconn_close(&c); /* the last one out folds its write-ahead log in */
    return ok && sync_path(file, e);
}

static bool restore_file(store *g, const char *from, const char *to, const engine_watch *w,
                         error *e)
{
    dbconn c;
    if (!check_open_still(g, from, &c, e))
        return false;
    bool ok = copy_to_new_file(g, &c, to, w, e);
    dbconn_close(&c);
    if (!ok)
        return false;
    if (begin_new_log(g, to, e))
        return true;
    unlink(to);
    return false;
}

bool store_restore(engine *base, const char *file, const char *dir, const engine_watch *w, error *e)
{
    engine_copy ignored;
    char path[PATH_MAX];
    error_clear(e);
    if (!store_copy_look(base, file, &ignored, e))
        return false;
    if (snprintf(path, sizeof path, "%s/rustydb.db", dir) >= (int)sizeof path)
        return file_error("make", dir, ENAMETOOLONG, e);
    if (mkdir(dir, 0700) != 0)
        return file_error("make", dir, errno, e);
    if (restore_file(own(base), file, path, w, e) && sync_path(dir, e))
        return true;
    rmdir(dir);
    return false;
}
