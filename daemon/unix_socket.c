#include "daemon/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static bool failed(const char *what, const char *path, error *e)
{
    error_code code = errno == EACCES || errno == EPERM || errno == EROFS ? ERR_PERMISSION_DENIED
                                                                          : ERR_INVALID_MESSAGE;
    return error_set(e, code, "cannot %s unix:%s: %s", what, path, strerror(errno));
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Whether somebody accepts connections there. A full queue is somebody, too. */
static bool answers(const struct sockaddr_un *at)
{
    int fd = new_socket();
    bool there =
        fd >= 0 && (connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return there;
}

/* Takes away what a daemon left behind that is gone. */
static bool make_room(const struct sockaddr_un *at, error *e)
{
    struct stat st;
    if (lstat(at->sun_path, &st) != 0)
        return errno == ENOENT || failed("listen on", at->sun_path, e);
    if (!S_ISSOCK(st.st_mode))
        return error_set(e, ERR_CONFLICT, "%s is there, and is no socket", at->sun_path);
    if (answers(at)) {
        error_set(e, ERR_CONFLICT, "cannot listen on unix:%s: another program does", at->sun_path);
        return error_hint(e, "Choose another path with --listen-unix.");
    }
    return unlink(at->sun_path) == 0 || errno == ENOENT || failed("replace", at->sun_path, e);
}

/* It comes into being closed to others, as every file of ours, and is opened before anybody is
 * listened to. */
static bool bind_to(unix_socket *s, int fd, const struct sockaddr_un *at, mode_t mode, error *e)
{
    struct stat st;
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) != 0)
        return failed("listen on", at->sun_path, e);
    memcpy(s->path, at->sun_path, sizeof s->path);
    if (stat(s->path, &st) == 0) {
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
    return (chmod(s->path, mode) == 0 && listen(fd, BACKLOG) == 0) ||
           failed("listen on", s->path, e);
}

static bool share(int fd, int n, int *fds, error *e)
{
    fds[0] = fd;
    for (int i = 1; i < n; i++) {
        fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (fds[i] < 0)
            return error_set(e, ERR_INTERNAL_ERROR, "no file descriptor is left for a reactor");
    }
    return true;
}

bool unix_socket_open(unix_socket *s, const config *cfg, int n, int *fds, error *e)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    for (int i = 0; i < n; i++)
        fds[i] = -1;
    if (!*cfg->listen_unix)
        return true;
    if (strlen(cfg->listen_unix) >= sizeof at.sun_path)
        return error_set(e, ERR_INVALID_MESSAGE, "listen_unix has more than %d bytes",
                         (int)sizeof at.sun_path - 1);
    strcpy(at.sun_path, cfg->listen_unix);
    if (!make_room(&at, e))
        return false;
    int fd = new_socket();
    if (fd < 0)
        return failed("make", at.sun_path, e);
    if (bind_to(s, fd, &at, (mode_t)strtol(cfg->unix_mode, NULL, 8), e))
        return share(fd, n, fds, e);
    close(fd);
    return false;
}

void unix_socket_remove(unix_socket *s)
{
    struct stat st;
    if (*s->path && lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
        unlink(s->path);
    s->path[0] = '\0';
}
