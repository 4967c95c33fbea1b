#include "cli/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_STATE = 256 };

static bool cannot_use(state_file *f, const char *why, error *e)
{
    error_set(e, ERR_INVALID_MESSAGE, "cannot use %s: %s", f->path, why);
    state_file_close(f);
    return false;
}

bool state_file_open(state_file *f, const char *path, buf *line, error *e)
{
    char text[MAX_STATE];
    struct stat st;
    f->path = path;
    f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f->fd < 0 || fstat(f->fd, &st) != 0)
        return cannot_use(f, strerror(errno), e);
    if (!S_ISREG(st.st_mode))
        return cannot_use(f, "it is not a regular file", e);
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        return cannot_use(f, errno == EWOULDBLOCK ? "another process uses it" : strerror(errno), e);
    ssize_t n = pread(f->fd, text, sizeof text, 0);
    if (n < 0)
        return cannot_use(f, strerror(errno), e);
    const char *end = memchr(text, '\n', (size_t)n);
    buf_add(line, text, end ? (size_t)(end - text) : (size_t)n);
    return true;
}

bool state_file_save(state_file *f, const char *line, error *e)
{
    char text[MAX_STATE];
    size_t n = strlen(line);
    if (n >= sizeof text)
        return error_set(e, ERR_CLIENT_ERROR, "the position is too long for %s", f->path);
    memcpy(text, line, n);
    text[n++] = '\n';
    ssize_t done = pwrite(f->fd, text, n, 0);
    if (done == (ssize_t)n)
        return true;
    return error_set(e, ERR_CLIENT_ERROR, "cannot write %s: %s", f->path,
                     done < 0 ? strerror(errno) : "the disk is full");
}

void state_file_close(state_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
