/* Messages to the subscribers of a topic, or to everyone, on all reactors. */
#ifndef DAEMON_HUB_PUBLISH_H
#define DAEMON_HUB_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/daemon.h"
#include "daemon/publication.h"

struct conn;

/* Sends a message to a topic's subscribers, or (topic NULL) to every authenticated connection.
 * Takes over the reference. `done` is called once, on the origin's reactor, with the number
 * reached; the connection may be CONN_DEAD by then. The origin's reactor thread. */
void hub_publish(struct conn *origin, const char *topic, publication *p,
                 void (*done)(struct conn *c, void *arg, int64_t delivered), void *arg);

/* The same for what the daemon itself has to say on a topic: no origin, and nobody is told how many
 * it reached. Any thread, while the reactors run. */
void hub_announce(server *d, const char *topic, publication *p);

/* To one connection, of the calling reactor and CONN_WS. False when it cannot be told, or is too
 * far behind and is closed. The reference stays the caller's. */
bool hub_give(struct conn *c, publication *p);

#endif
