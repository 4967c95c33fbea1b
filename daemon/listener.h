/* Listening sockets. One per reactor, all on the same port (SO_REUSEPORT), so that the kernel
 * spreads connections over the reactors. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include "base/error.h"
#include "config/address.h"

/* Opens n non-blocking listening sockets on "HOST:PORT" (port 0: a free one). `bound` gets the
 * numeric address with the real port, `text` the same as HOST:PORT. Errors: INVALID_MESSAGE for the
 * address, CONFLICT when the port is taken, PERMISSION_DENIED. */
bool listener_open(const char *listen_on, int n, int *fds, address *bound, char *text, size_t room,
                   error *e);

#endif
