/* From the hook's buffer to the change log, by way of a file when there is much of it. */
#include "engine/sqlite/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the file for large statements ------------------------------------------------------------
 */

static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/changes-XXXXXX", dir) >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

void capture_spill(capture *cap)
{
    if (cap->file < 0)
        cap->file = open_nameless(cap->dir);
    size_t done = 0;
    while (cap->file >= 0 && done < cap->data.len) {
        ssize_t n = pwrite(cap->file, cap->data.data + done, cap->data.len - done, cap->in_file);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
        cap->in_file += n;
    }
    if (done < cap->data.len)
        capture_fail(cap, ERR_DISK_FULL,
                     "the statement's changes could not be kept in a temporary file");
    buf_clear(&cap->data);
}

/* ---- flushing ---------------------------------------------------------------------------------
 */

/* Appends the complete events at the start of data; the bytes used, -1 on error. */
static long flush_events(capture *cap, changelog *l, const char *data, size_t n, error *e)
{
    size_t at = 0;
    event_head head;
    while (n - at >= sizeof head) {
        memcpy(&head, data + at, sizeof head);
        if (n - at - sizeof head < head.len)
            break;
        captured_table *t = head.table;
        if (!changelog_append(l, (log_op)head.op, t->shape, &t->stored, data + at + sizeof head,
                              head.len, e))
            return -1;
        cap->pending_shapes |= t->stored == SHAPE_PENDING;
        at += sizeof head + head.len;
    }
    return (long)at;
}

static bool flush_file(capture *cap, changelog *l, error *e)
{
    buf part = BUF_INIT;
    bool ok = true;
    for (int64_t at = 0; ok && at < cap->in_file;) {
        size_t want = cap->in_file - at < CAPTURE_READ ? (size_t)(cap->in_file - at) : CAPTURE_READ;
        char *to = buf_reserve(&part, want);
        ssize_t n = to ? pread(cap->file, to, want, at) : -1;
        if (n < 0 && to && errno == EINTR)
            continue;
        if (n <= 0) {
            error_clear(e);
            ok = error_set(e, ERR_INTERNAL_ERROR, "the file of caught changes cannot be read");
            break;
        }
        part.len += (size_t)n;
        at += n;
        long used = flush_events(cap, l, part.data, part.len, e);
        ok = used >= 0;
        if (ok)
            buf_consume(&part, (size_t)used);
    }
    buf_free(&part);
    return ok;
}

bool capture_flush(capture *cap, changelog *l, error *e)
{
    if (cap->failed) {
        *e = cap->err;
        return false;
    }
    if (cap->in_file > 0 && !flush_file(cap, l, e))
        return false;
    return cap->data.len == 0 || flush_events(cap, l, cap->data.data, cap->data.len, e) >= 0;
}

void capture_drop(capture *cap)
{
    if (cap->data.cap > CAPTURE_READ)
        buf_free(&cap->data);
    else
        buf_clear(&cap->data);
    cap->failed = false;
    cap->inserted = false;
    cap->in_file = 0;
    if (cap->file >= 0) {
        close(cap->file);
        cap->file = -1;
    }
}

/* ---- CREATE TABLE AS --------------------------------------------------------------------------
 */

static bool append_rows(capture *cap, changelog *l, captured_table *t, sqlite3_stmt *q, error *e)
{
    statement rows = {.stmt = q};
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        buf_clear(&cap->data);
        if (!dbconn_row(cap->c, &rows, t->shape->pub.n_columns, e))
            return false;
        value_pack(&cap->data, cap->c->values, t->shape->pub.n_columns);
        if (cap->data.failed) {
            error_clear(e);
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        }
        if (!changelog_append(l, OP_INSERT, t->shape, &t->stored, cap->data.data, cap->data.len, e))
            return false;
        cap->pending_shapes |= t->stored == SHAPE_PENDING;
    }
    buf_clear(&cap->data);
    return rc == SQLITE_DONE || dbconn_error(cap->c, rc, e);
}

bool capture_table_rows(capture *cap, changelog *l, const char *table, error *e)
{
    captured_table *t = capture_find_table(cap, table);
    if (cap->failed) {
        *e = cap->err;
        return false;
    }
    if (!t || !t->shape)
        return true;
    char *sql = sqlite3_mprintf("SELECT * FROM main.\"%w\"", table);
    sqlite3_stmt *q = sql ? dbconn_prepare_own(cap->c, sql, e) : NULL;
    if (!sql) {
        error_clear(e);
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    bool ok = q && append_rows(cap, l, t, q, e);
    sqlite3_finalize(q);
    sqlite3_free(sql);
    return ok;
}
