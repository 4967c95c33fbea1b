#include "daemon/backups.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKUPS_MAX = 10000 /* files listed */ };

#define SUFFIX ".db"

typedef struct backup {
    char name[BACKUP_NAME_MAX + 1];
    int64_t bytes, made_us; /* wall clock */
} backup;

static void folder(server *d, char out[PATH_MAX])
{
    char real[PATH_MAX];
    const char *dir = settings_of_start(d->settings)->backup_dir;
    if (*dir)
        snprintf(out, PATH_MAX, "%s", dir);
    else if (snprintf(out, PATH_MAX, "%s/backups", d->data_dir) >= PATH_MAX)
        out[0] = '\0'; /* which no function finds */
    /* The operator may lead elsewhere; below that place nothing may. */
    if (realpath(out, real))
        memcpy(out, real, PATH_MAX);
}

static bool file_error(const char *what, const char *path, int why, error *e)
{
    error_code code = ERR_INTERNAL_ERROR;
    if (why == ENOSPC || why == EDQUOT)
        code = ERR_DISK_FULL;
    else if (why == EACCES || why == EROFS || why == EPERM)
        code = ERR_READ_ONLY;
    error_clear(e);
    error_set(e, code, "cannot %s %.300s: %s", what, path, strerror(why));
    return error_hint(e, "Backups are in the folder that backup_dir names.");
}

bool backups_path(server *d, const char *prefix, const char *name, const char *suffix,
                  char out[PATH_MAX], error *e)
{
    char dir[PATH_MAX];
    folder(d, dir);
    if (snprintf(out, PATH_MAX, "%s/%s%s%s", dir, prefix, name, suffix) < PATH_MAX)
        return true;
    error_clear(e);
    return error_set(e, ERR_INVALID_MESSAGE, "the name makes too long a path");
}

bool backups_make_dir(server *d, error *e)
{
    char dir[PATH_MAX];
    folder(d, dir);
    return mkdir(dir, 0700) == 0 || errno == EEXIST || file_error("make", dir, errno, e);
}

static bool look(const char *path, backup *out)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    out->bytes = st.st_size;
    out->made_us = st.st_mtim.tv_sec * 1000000LL + st.st_mtim.tv_nsec / 1000;
    return true;
}

static bool find(server *d, const char *name, char path[PATH_MAX], backup *out, error *e)
{
    if (!backups_path(d, "", name, SUFFIX, path, e))
        return false;
    snprintf(out->name, sizeof out->name, "%s", name);
    if (look(path, out))
        return true;
    error_clear(e);
    return error_set(e, ERR_NOT_FOUND, "there is no backup %s", name);
}

bool backups_find(server *d, const char *name, char path[PATH_MAX], error *e)
{
    backup ignored;
    return find(d, name, path, &ignored, e);
}

bool backups_is_free(const char *path, error *e)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return true;
    error_clear(e);
    error_set(e, ERR_CONFLICT, "%.400s is there already", path);
    return error_hint(e, "Choose another name; nothing is ever overwritten.");
}

bool backups_publish(server *d, const char *from, const char *to, error *e)
{
    char dir[PATH_MAX];
    folder(d, dir);
    if (!backups_is_free(to, e))
        return false;
    if (rename(from, to) != 0)
        return file_error("make", to, errno, e);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return ok || file_error("write", dir, why, e);
}

/* ---- describing -------------------------------------------------------------------------------
 */

/* A file that is damaged, or is none of ours, is listed without what it holds. */
static void put_backup(server *d, const backup *b, json_writer *w)
{
    char stamp[CLOCK_RFC3339_LEN + 1], path[PATH_MAX];
    engine_copy holds;
    error e;
    bool known = backups_path(d, "", b->name, SUFFIX, path, &e) &&
                 engine_copy_look(d->engine, path, &holds, &e);
    clock_rfc3339(b->made_us, stamp);
    jw_begin_object(w);
    jw_key(w, "name");
    jw_str(w, b->name);
    jw_key(w, "bytes");
    jw_int(w, b->bytes);
    jw_key(w, "created_at");
    jw_str(w, stamp);
    jw_key(w, "log_id");
    jw_str(w, known ? holds.log_id : NULL);
    jw_key(w, "lsn");
    if (known)
        jw_int(w, holds.lsn);
    else
        jw_null(w);
    jw_end_object(w);
}

bool backups_describe(server *d, const char *name, json_writer *w, error *e)
{
    char path[PATH_MAX];
    backup b;
    if (!find(d, name, path, &b, e))
        return false;
    put_backup(d, &b, w);
    return true;
}

/* NAME of NAME.db; false for anything else. */
static bool name_of(const char *file, char out[BACKUP_NAME_MAX + 1])
{
    size_t n = strlen(file), tail = strlen(SUFFIX);
    if (file[0] == '.' || n <= tail || n - tail > BACKUP_NAME_MAX ||
        strcmp(file + n - tail, SUFFIX) != 0)
        return false;
    memcpy(out, file, n - tail);
    out[n - tail] = '\0';
    return true;
}

static int newest_first(const void *a, const void *b)
{
    const backup *x = a, *y = b;
    if (x->made_us != y->made_us)
        return x->made_us > y->made_us ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* All there are, into `out` (an array of backup). A folder that is not there is empty. */
static bool collect(server *d, buf *out, error *e)
{
    char dir[PATH_MAX], path[PATH_MAX];
    folder(d, dir);
    DIR *entries = opendir(dir);
    if (!entries)
        return errno == ENOENT || file_error("read", dir, errno, e);
    for (struct dirent *it; (it = readdir(entries)) && out->len < BACKUPS_MAX * sizeof(backup);) {
        backup b;
        if (name_of(it->d_name, b.name) && backups_path(d, "", it->d_name, "", path, e) &&
            look(path, &b))
            buf_add(out, &b, sizeof b);
    }
    closedir(entries);
    error_clear(e);
    return !out->failed || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

bool backups_list(server *d, int64_t offset, int64_t limit, json_writer *w, error *e)
{
    buf found = BUF_INIT;
    if (!collect(d, &found, e)) {
        buf_free(&found);
        return false;
    }
    backup *all = (backup *)(void *)found.data;
    int64_t total = (int64_t)(found.len / sizeof *all);
    if (total > 0)
        qsort(all, (size_t)total, sizeof *all, newest_first);
    jw_key(w, "backups");
    jw_begin_array(w);
    for (int64_t i = offset; i < total && i - offset < limit; i++)
        put_backup(d, &all[i], w);
    jw_end_array(w);
    jw_key(w, "total");
    jw_int(w, total);
    jw_key(w, "offset");
    jw_int(w, offset);
    jw_key(w, "limit");
    jw_int(w, limit);
    buf_free(&found);
    return true;
}
