/* The opening handshake of a WebSocket as RFC 6455, 4.2.1 wants it, checked before libwebsockets
 * goes on with it: lws is laxer in places, and where it refuses it hangs up without a word. Reactor
 * thread only. */
#ifndef DAEMON_WS_HANDSHAKE_H
#define DAEMON_WS_HANDSHAKE_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "base/error.h"

/* UPGRADE_REQUIRED for another version than 13, INVALID_MESSAGE for whatever else is wrong. The
 * method and the subprotocols are the caller's to check. */
bool ws_handshake_check(struct lws *wsi, error *e);

#endif
