/* What is asked of a request before anything is done for it: where it comes from, whether it is
 * meant for this daemon, and whether its client asks too much. Reactor thread. */
#ifndef DAEMON_GUEST_H
#define DAEMON_GUEST_H

#include "daemon/http.h"

/* Sets q->client, once the head is read. */
void guest_identify(request *q);

/* Whether the request may go on: PERMISSION_DENIED for its network or its page, INVALID_MESSAGE or
 * MISDIRECTED for its Host. */
bool guest_check(request *q, error *e);
/* The same for the upgrade to a WebSocket, which a page may ask for without asking the browser. */
bool guest_check_upgrade(request *q, error *e);
/* The upgrade goes on: from here on the connection is that of the request's client. */
void guest_stay(const request *q);

#endif
