/* permessage-deflate between libwebsockets and us: it carries the negotiation and lets RSV1 pass,
 * and hands the payload over as it came, to be inflated by ws.c. Its own inflater is not used: it
 * has no bound, it ends the process by an assertion when the last byte of a message yields more
 * than fits its buffer, and it takes server_no_context_takeover for the client's. Reactor thread
 * only. */
#ifndef DAEMON_WS_DEFLATE_H
#define DAEMON_WS_DEFLATE_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "daemon/conn.h"

/* For the context's extensions. */
extern const struct lws_extension ws_extensions[];

/* lws asks for each of the client's offers in turn whether it is to be accepted. */
bool ws_deflate_accept(conn *c);

#endif
