/* When the clients of a daemon that stops are to come back: each is told a moment of its own, so
 * that the next daemon is not met by all of them at once. */
#ifndef DAEMON_RECONNECT_H
#define DAEMON_RECONNECT_H

#include <stdint.h>

#include "daemon/daemon.h"

struct conn;

/* Spreads those that are connected now, by reconnect_rate. Once, before the reactors are stopped.
 */
void reconnect_plan(server *d);

/* How long the connection's client is to wait, by chance; -1: it ends for another reason. */
int64_t reconnect_after_ms(const struct conn *c);

#endif
