/* The data folder and the files in it: for their owner alone. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/harden.h"

static const char *const files[] = {
    "rustydb.db", "rustydb.db-wal", "rustydb.db-shm", "rustydb.db-journal", "lock",
    "root.token", "root.token.new", "audit.log",      "audit.log.new",
};

static bool cannot(const char *what, const char *path, error *e)
{
    int why = errno;
    error_code code =
        why == EACCES || why == EROFS || why == EPERM ? ERR_READ_ONLY : ERR_INVALID_MESSAGE;
    return error_set(e, code, "cannot %s %.300s: %s", what, path, strerror(why));
}

static uid_t owner_to_be(const harden *h)
{
    return h->drops ? h->uid : geteuid();
}

/* root may own what another user is to work with: then it is handed over. */
static bool check_owner(const harden *h, int fd, const struct stat *st, const char *path, error *e)
{
    if (st->st_uid == owner_to_be(h))
        return true;
    if (h->drops && st->st_uid == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1)
        return fchown(fd, h->uid, h->gid) == 0 || cannot("hand over", path, e);
    if (!h->drops) {
        log_warn("file_owner", "%s belongs to user %u, who can change it", path,
                 (unsigned)st->st_uid);
        return true;
    }
    error_set(e, ERR_PERMISSION_DENIED, "%.300s belongs to user %u, not to the user that is set",
              path, (unsigned)st->st_uid);
    return error_hint(e, "Give the folder to that user: chown -R USER DIR.");
}

static bool close_to_others(int fd, const struct stat *st, const char *path)
{
    mode_t mine = S_ISDIR(st->st_mode) ? 0700 : 0600;
    if ((st->st_mode & 07777 & ~mine) == 0)
        return true;
    if (fchmod(fd, st->st_mode & mine) != 0) {
        log_warn("file_mode", "%s is open to others, and cannot be closed to them: %s", path,
                 strerror(errno));
        return false;
    }
    log_warn("file_mode", "%s was open to others (mode %03o): it is closed to them now", path,
             (unsigned)(st->st_mode & 07777));
    return true;
}

static bool check_file(const harden *h, const char *dir, const char *name, error *e)
{
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
        return error_set(e, ERR_INVALID_MESSAGE, "the name of the data folder is too long");
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    if (fd < 0 && errno == ELOOP) {
        error_set(e, ERR_PERMISSION_DENIED, "%.300s is a symbolic link", path);
        return error_hint(e, "Files of the daemon's own are not followed elsewhere.");
    }
    if (fd < 0)
        return true; /* who opens it says what is wrong */
    bool ok = fstat(fd, &st) == 0 || cannot("look at", path, e);
    if (ok && !S_ISREG(st.st_mode))
        ok = error_set(e, ERR_PERMISSION_DENIED, "%.300s is not a plain file", path);
    ok = ok && check_owner(h, fd, &st, path, e);
    if (ok)
        close_to_others(fd, &st, path);
    close(fd);
    return ok;
}

static bool check_folder(const harden *h, const char *path, bool made, error *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &st) == 0;
    if (!ok)
        cannot("open the data folder", path, e);
    if (ok && made && h->drops)
        ok = (fchown(fd, h->uid, h->gid) == 0 && fstat(fd, &st) == 0) ||
             cannot("hand over", path, e);
    ok = ok && check_owner(h, fd, &st, path, e);
    if (ok)
        close_to_others(fd, &st, path);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool harden_data_dir(const harden *h, const char *dir, char *path, error *e)
{
    bool made = mkdir(dir, 0700) == 0;
    if (!made && errno != EEXIST)
        return error_set(e, errno == EACCES || errno == EROFS ? ERR_READ_ONLY : ERR_INVALID_MESSAGE,
                         "cannot make the data folder %s: %s", dir, strerror(errno));
    if (!realpath(dir, path))
        return cannot("use the data folder", dir, e);
    if (!check_folder(h, path, made, e))
        return false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!check_file(h, path, files[i], e))
            return false;
    }
    return true;
}
