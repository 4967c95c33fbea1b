/* The door: accepts connections and decides who comes in, before libwebsockets sees a byte of them.
 *
 * An address that the settings do not want is closed unread. Where the PROXY protocol is spoken, a
 * connection waits on the doorstep until its header has come; the sockets there are watched by an
 * epoll instance of the reactor's own, which is a file that lws waits for. A header is read
 * exactly, so that TLS or HTTP begins with the next byte. Reactor's thread only. */
#ifndef DAEMON_DOOR_H
#define DAEMON_DOOR_H

#include "daemon/peer.h"
#include "daemon/reactor.h"

/* Sets up the doorstep, as r->door_wsi, whose events are for door_step. The file goes with the
 * lws_context. */
bool door_open(reactor *r, error *e);
/* The listening socket has connections: takes them in, through reactor_adopt. */
void door_accept(reactor *r, int listen_fd);
/* Some of those on the doorstep have sent something. */
void door_step(reactor *r);
/* Ends those who have been there too long. */
void door_tick(reactor *r, int64_t now_us);
/* Ends all of them. */
void door_clear(reactor *r);

#endif
