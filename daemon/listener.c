#include "daemon/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static bool socket_error(const char *what, const char *where, error *e)
{
    error_code code = errno == EADDRINUSE                 ? ERR_CONFLICT
                      : errno == EACCES || errno == EPERM ? ERR_PERMISSION_DENIED
                                                          : ERR_INVALID_MESSAGE;
    error_set(e, code, "cannot %s %s: %s", what, where, strerror(errno));
    if (code == ERR_CONFLICT)
        error_hint(e, "Another program listens there; choose another port with --listen, or 0 for "
                      "a free one.");
    return false;
}

static int open_one(const struct addrinfo *ai, bool shared)
{
    int one = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* The address a socket is bound to, as numbers; also put back into ai for the next socket. */
static bool name_of(int fd, struct addrinfo *ai, address *bound)
{
    char port[16];
    socklen_t len = ai->ai_addrlen;
    if (getsockname(fd, ai->ai_addr, &len) != 0 ||
        getnameinfo(ai->ai_addr, len, bound->host, sizeof bound->host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return false;
    bound->port = 0;
    for (const char *p = port; *p; p++)
        bound->port = bound->port * 10 + (*p - '0');
    return true;
}

/* A shared port would let a second daemon join silently: the first socket is opened alone, which
 * fails when anybody listens there, and only then opened again shared. */
static bool open_all(struct addrinfo *ai, int n, int *fds, address *bound, const char *where,
                     error *e)
{
    int fd = open_one(ai, false);
    if (fd < 0)
        return socket_error("listen on", where, e);
    if (!name_of(fd, ai, bound)) {
        close(fd);
        return socket_error("name the address", where, e);
    }
    fds[0] = fd;
    if (n == 1)
        return true;
    close(fd);
    for (int i = 0; i < n; i++) {
        fds[i] = open_one(ai, true);
        if (fds[i] >= 0)
            continue;
        socket_error("listen on", where, e);
        while (i > 0)
            close(fds[--i]);
        return false;
    }
    return true;
}

bool listener_open(const char *listen_on, int n, int *fds, address *bound, char *text, size_t room,
                   error *e)
{
    address want;
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    if (!address_parse(listen_on, &want, e))
        return false;
    snprintf(port, sizeof port, "%d", want.port);
    int rc = getaddrinfo(want.host, port, &hints, &found);
    if (rc != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "cannot listen on %s: %s", listen_on,
                         gai_strerror(rc));
    bool ok = open_all(found, n, fds, bound, listen_on, e);
    freeaddrinfo(found);
    if (ok)
        address_format(bound, text, room);
    return ok;
}
