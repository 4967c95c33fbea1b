#include "daemon/unix_peer.h"

#include <sys/socket.h>

unix_peer unix_peer_of(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who, m = sizeof(int);
    int family = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &m) != 0 || family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
        return (unix_peer){0};
    return (unix_peer){.known = true, .uid = who.uid, .gid = who.gid, .pid = who.pid};
}
