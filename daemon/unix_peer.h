/* Who the other end of a Unix socket is, by the word of the kernel (unix(7), SO_PEERCRED): the
 * process that connected, as it was then. */
#ifndef DAEMON_UNIX_PEER_H
#define DAEMON_UNIX_PEER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct unix_peer {
    bool known; /* it is a Unix socket; the rest is void otherwise */
    uid_t uid;
    gid_t gid;
    pid_t pid;
} unix_peer;

/* Of an accepted socket of any kind. */
unix_peer unix_peer_of(int fd);

#endif
