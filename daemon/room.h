/* Room in the sockets of connections that are not read.
 *
 * lws does nothing at all for an HTTP/1 connection whose reading is paused: it does not go on with
 * what it has kept of a write either, when the socket takes more. So those that are paused and
 * blocked at once are watched here: by an epoll instance of the reactor's own, which is a file that
 * lws waits for, so it works with either loop. Reactor's thread only.
 */
#ifndef DAEMON_ROOM_H
#define DAEMON_ROOM_H

#include "daemon/conn.h"
#include "daemon/reactor.h"

/* Sets it up, as r->room_wsi, whose events are for room_found. It goes with the lws_context. */
bool room_open(reactor *r, error *e);
/* Goes on writing once the socket takes more. Twice is harmless. */
void room_watch(conn *c);
/* The connection is gone. */
void room_forget(conn *c);
/* Some of the sockets take more. */
void room_found(reactor *r);

#endif
