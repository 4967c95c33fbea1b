/* What is asked of a request before anything is done for it: where it comes from, whether it is
 * meant for this daemon, and whether its client asks too much. Reactor thread. */
#ifndef DAEMON_GUEST_H
#define DAEMON_GUEST_H

#include "daemon/http.h"

/* Sets q->client, once the head is read. */
void guest_identify(request *q);

/* Whether the request may go on: CONNECTION_LIMIT or RATE_LIMIT_EXCEEDED for its connection or
 * address, PERMISSION_DENIED for its network or its page, INVALID_MESSAGE or MISDIRECTED for its
 * Host. */
bool guest_check(request *q, error *e);
/* The same for the upgrade to a WebSocket, which a page may ask for without asking the browser. */
bool guest_check_upgrade(request *q, error *e);
/* Charges the request to q->who, who is known by now: his name, or his API key, which may have a
 * limit of its own. RATE_LIMIT_EXCEEDED. */
bool guest_charge(request *q, error *e);
/* The header lines that tell a client of its limits. */
void guest_put(buf *out, const request *q);

/* Whether a message of a WebSocket may be taken. When not, that is said, and after a while the
 * connection ends (1008). */
bool guest_message(conn *c);
/* A message, or a request, was a batch of n: whether the others may be taken as well. */
bool guest_batch(conn *c, int64_t n, error *e);

/* The upgrade goes on: from here on the connection is that of the request's client. */
void guest_stay(const request *q);

#endif
