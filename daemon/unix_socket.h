/* A listening Unix socket: made at the start with the mode that is set, in the place of one that a
 * daemon left behind which is gone, and removed at the stop. One socket for all reactors; each has
 * a descriptor of its own for it. */
#ifndef DAEMON_UNIX_SOCKET_H
#define DAEMON_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"

enum { UNIX_PATH_ROOM = 108 }; /* of sun_path */

typedef struct unix_socket {
    char path[UNIX_PATH_ROOM]; /* "": there is none */
    dev_t dev;                 /* which file it is, so that no other is removed */
    ino_t ino;
} unix_socket;

/* Listens where `listen_unix` says and gives n non-blocking descriptors; -1 each where it says
 * nothing. CONFLICT when another process answers there, or there is something else than a socket;
 * PERMISSION_DENIED; INVALID_MESSAGE for a path that cannot be. May block. */
bool unix_socket_open(unix_socket *s, const config *cfg, int n, int *fds, error *e);
/* Removes the file, if it still is ours. */
void unix_socket_remove(unix_socket *s);

#endif
