/* One daemon per data folder: a lock on DIR/lock, which names the process that has it. The system
 * takes the lock back when the process ends, however it ends. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/sqlite/store.h"

static bool taken(int fd, const char *dir, error *e)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    error_clear(e);
    if (pid > 0)
        error_set(e, ERR_CONFLICT, "another daemon (process %ld) has the data folder %s", pid, dir);
    else
        error_set(e, ERR_CONFLICT, "another daemon has the data folder %s", dir);
    return error_hint(e, "Stop it first, or choose another folder with --data.");
}

int lockfile_take(const char *dir, error *e)
{
    char path[PATH_MAX];
    error_clear(e);
    if ((size_t)snprintf(path, sizeof path, "%s/lock", dir) >= sizeof path) {
        error_set(e, ERR_INVALID_MESSAGE, "the name of the data folder is too long");
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        int why = errno;
        error_code code = why == EACCES || why == EROFS || why == EPERM ? ERR_READ_ONLY
                          : why == ENOSPC || why == EDQUOT              ? ERR_DISK_FULL
                                                                        : ERR_INTERNAL_ERROR;
        error_set(e, code, "cannot write to the data folder %s: %s", dir, strerror(why));
        if (code == ERR_READ_ONLY)
            error_hint(e, "The folder must belong to, or be writable for, the user of the daemon.");
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        taken(fd, dir, e);
        close(fd);
        return -1;
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) {
        /* The lock holds all the same; only its owner's number is not told. */
    }
    return fd;
}

void lockfile_release(int fd)
{
    if (fd < 0)
        return;
    if (ftruncate(fd, 0) != 0) {
        /* What is left is a number that nobody holds the lock for. */
    }
    close(fd);
}
