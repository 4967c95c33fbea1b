#include "audit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/record.h"
#include "base/log.h"
#include "base/mem.h"

static const char name[] = "audit.log";

static bool cannot(const char *what, const char *path, error *e)
{
    int why = errno;
    error_code code = why == ENOSPC || why == EDQUOT ? ERR_DISK_FULL
                      : why == ENOENT                ? ERR_NOT_FOUND
                                                     : ERR_INTERNAL_ERROR;
    return error_set(e, code, "cannot %s %.300s: %s", what, path, strerror(why));
}

bool audit_file_path(const char *dir, int64_t number, char out[PATH_MAX])
{
    int n = number ? snprintf(out, PATH_MAX, "%s/%s.%lld", dir, name, (long long)number)
                   : snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n < PATH_MAX;
}

/* ---- one file ----------------------------------------------------------------------------------
 */

static bool check_file(int fd, const char *path, error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return cannot("look at", path, e);
    if (!S_ISREG(st.st_mode))
        return error_set(e, ERR_INTERNAL_ERROR, "%.300s is not a plain file", path);
    if (st.st_uid != geteuid() && geteuid() != 0)
        return error_set(e, ERR_INTERNAL_ERROR, "%.300s belongs to somebody else", path);
    if ((st.st_mode & 077) == 0)
        return true;
    log_warn("file_mode", "%s could be read by others: it is closed to them now", path);
    return fchmod(fd, 0600) == 0 || cannot("close to others", path, e);
}

int audit_file_open(const char *path, int flags, error *e)
{
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0 && errno == ELOOP) {
        error_set(e, ERR_INTERNAL_ERROR, "%.300s is a symbolic link", path);
        error_hint(e, "The audit log is not followed elsewhere: remove the link.");
    } else if (fd < 0) {
        cannot("open", path, e);
    } else if (!check_file(fd, path, e)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool audit_file_write(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            errno = done < 0 ? errno : ENOSPC;
            return false;
        }
        p += done;
        n -= (size_t)done;
    }
    return true;
}

bool audit_dir_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

/* The number in "audit.log.N"; 0 for any other name. */
static int64_t number_of(const char *file)
{
    const char *digits = file + sizeof name;
    if (strncmp(file, name, sizeof name - 1) != 0 || file[sizeof name - 1] != '.')
        return 0;
    size_t n = strlen(digits);
    if (n == 0 || n > 15 || strspn(digits, "0123456789") != n || digits[0] == '0')
        return 0;
    return strtoll(digits, NULL, 10);
}

static bool each_number(const char *dir, bool (*each)(void *arg, int64_t number), void *arg,
                        error *e)
{
    DIR *d = opendir(dir);
    bool ok = d != NULL || cannot("open the folder", dir, e);
    for (const struct dirent *f; ok && (f = readdir(d)) != NULL;) {
        int64_t number = number_of(f->d_name);
        if (number && !each(arg, number))
            ok = error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    if (d)
        closedir(d);
    return ok;
}

static bool take_newest(void *arg, int64_t number)
{
    int64_t *newest = arg;
    if (number > *newest)
        *newest = number;
    return true;
}

bool audit_files_newest(const char *dir, int64_t *number, error *e)
{
    *number = 0;
    return each_number(dir, take_newest, number, e);
}

typedef struct pruning {
    const char *dir;
    int64_t up_to;
} pruning;

static bool prune_one(void *arg, int64_t number)
{
    const pruning *p = arg;
    char path[PATH_MAX];
    if (number <= p->up_to && audit_file_path(p->dir, number, path) && unlink(path) != 0)
        log_warn("audit", "cannot remove %s: %s", path, strerror(errno));
    return true;
}

void audit_files_prune(const char *dir, int64_t newest, int64_t keep)
{
    pruning p = {dir, newest - keep};
    error e;
    if (!each_number(dir, prune_one, &p, &e))
        log_warn("audit", "%s", e.message);
}

static bool add_file(audit_files *to, int64_t number)
{
    audit_file *more = mem_realloc(to->all, (size_t)(to->n + 1) * sizeof *more);
    if (!more)
        return false;
    to->all = more;
    to->all[to->n++] = (audit_file){.fd = -1, .number = number};
    return true;
}

static bool take_number(void *arg, int64_t number)
{
    return add_file(arg, number);
}

static int by_number(const void *a, const void *b)
{
    int64_t x = ((const audit_file *)a)->number, y = ((const audit_file *)b)->number;
    return (x > y) - (x < y);
}

static bool open_file(audit_file *f, const char *path, error *e)
{
    struct stat st;
    f->fd = audit_file_open(path, O_RDONLY, e);
    if (f->fd < 0)
        return false;
    if (fstat(f->fd, &st) != 0)
        return cannot("look at", path, e);
    f->size = st.st_size;
    return true;
}

bool audit_files_open(const char *dir, audit_files *out, error *e)
{
    char path[PATH_MAX];
    *out = (audit_files){0};
    bool ok = each_number(dir, take_number, out, e);
    if (ok && out->n)
        qsort(out->all, (size_t)out->n, sizeof *out->all, by_number);
    ok = ok && (add_file(out, 0) || error_set(e, ERR_INTERNAL_ERROR, "out of memory"));
    for (int i = 0; ok && i < out->n; i++)
        ok = audit_file_path(dir, out->all[i].number, path)
                 ? open_file(&out->all[i], path, e)
                 : error_set(e, ERR_INTERNAL_ERROR, "the path of the audit log is too long");
    bool rest = out->n < 2 || out->all[out->n - 2].fd >= 0;
    if (!ok && e->code == ERR_NOT_FOUND && out->n && rest) {
        out->n--; /* the last, which grows, is not there yet */
        return true;
    }
    if (!ok)
        audit_files_close(out);
    return ok;
}

bool audit_files_open_one(const char *path, audit_files *out, error *e)
{
    *out = (audit_files){0};
    const char *file = strrchr(path, '/');
    if (!add_file(out, number_of(file ? file + 1 : path)))
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (open_file(&out->all[0], path, e))
        return true;
    audit_files_close(out);
    return false;
}

void audit_files_close(audit_files *f)
{
    for (int i = 0; i < f->n; i++) {
        if (f->all[i].fd >= 0)
            close(f->all[i].fd);
    }
    mem_free(f->all);
    *f = (audit_files){0};
}

/* ---- lines -------------------------------------------------------------------------------------
 */

enum { READ_SIZE = 65536 };

typedef struct lines {
    bool (*each)(void *arg, const char *p, size_t n, int64_t at);
    void *arg;
    char *text;    /* READ_SIZE bytes */
    size_t len;    /* in it */
    int64_t begun; /* where the line at its start begins in the file */
    bool skipping; /* that line was given already: it is longer than a line may be */
    bool ended;
} lines;

static void give(lines *l, size_t n)
{
    if (!l->skipping)
        l->ended =
            !l->each(l->arg, l->text, n < AUDIT_LINE_MAX + 1 ? n : AUDIT_LINE_MAX + 1, l->begun);
}

/* Gives the whole lines in the buffer and keeps what is begun. */
static void give_whole(lines *l)
{
    size_t from = 0;
    char *start = l->text;
    for (const char *end; !l->ended && from < l->len &&
                          (end = memchr(l->text + from, '\n', l->len - from)) != NULL;) {
        size_t n = (size_t)(end - (l->text + from));
        l->text += from;
        give(l, n);
        l->text = start;
        l->skipping = false;
        from += n + 1;
        l->begun += (int64_t)n + 1;
    }
    l->len -= from;
    memmove(l->text, l->text + from, l->len);
}

bool audit_file_lines(int fd, int64_t from, int64_t size,
                      bool (*each)(void *arg, const char *p, size_t n, int64_t at), void *arg,
                      int64_t *torn, error *e)
{
    lines l = {.each = each, .arg = arg, .text = mem_alloc(READ_SIZE), .begun = from};
    bool ok = l.text != NULL || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    for (int64_t at = from; ok && !l.ended && at < size;) {
        size_t room = READ_SIZE - l.len;
        if ((int64_t)room > size - at)
            room = (size_t)(size - at);
        ssize_t n = pread(fd, l.text + l.len, room, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            ok = n == 0 ? error_set(e, ERR_INTERNAL_ERROR, "the audit log became shorter")
                        : cannot("read", "the audit log", e);
        else
            l.len += (size_t)n;
        at += n > 0 ? n : 0;
        if (ok)
            give_whole(&l);
        if (ok && l.len == READ_SIZE) { /* one line without an end */
            give(&l, l.len);
            l.skipping = true;
            l.begun += (int64_t)l.len;
            l.len = 0;
        }
    }
    *torn = ok && !l.ended ? size - l.begun + (l.skipping && !l.len) : 0;
    mem_free(l.text);
    return ok;
}
