#include "cli/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_STATE = 256 };

bool state_file_read(const char *path, buf *out, error *e)
{
    char text[MAX_STATE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return error_set(e, ERR_INVALID_MESSAGE, "cannot read %s: %s", path, strerror(why));
    const char *end = memchr(text, '\n', (size_t)n);
    buf_add(out, text, end ? (size_t)(end - text) : (size_t)n);
    return true;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

bool state_file_write(const char *path, const char *text, error *e)
{
    buf fresh = BUF_INIT, line = BUF_INIT;
    buf_addf(&fresh, "%s.new", path);
    buf_addf(&line, "%s\n", text);
    int fd = open(buf_cstr(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool good = fd >= 0 && write_all(fd, line.data, line.len);
    int why = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && rename(buf_cstr(&fresh), path) != 0) {
        good = false;
        why = errno;
    }
    buf_free(&fresh);
    buf_free(&line);
    return good || error_set(e, ERR_CLIENT_ERROR, "cannot write %s: %s", path, strerror(why));
}
