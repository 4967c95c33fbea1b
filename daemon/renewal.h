/* What becomes of a connection when its identity gets other rights, or loses them: what it has
 * under way goes on only as far as it would be given the same. Reactor thread only. */
#ifndef DAEMON_RENEWAL_H
#define DAEMON_RENEWAL_H

#include "auth/identity.h"

struct conn;

/* Looks whether the identity is still good, a few times a second: `generation` is that of the store
 * of identities, `now_us` the wall clock. Costs a comparison as long as neither has moved on.
 *
 * Who is not known any more loses everything: what runs is cancelled, subscriptions end, a
 * WebSocket is told AUTH_EXPIRED and closed with 1008, a request ends with 401 or its connection
 * does. */
void renewal_look(struct conn *c, uint64_t generation, int64_t now_us);

/* The WebSocket has another identity from now on (taken over): subscriptions that it may not have,
 * or that would show it something else, end with PERMISSION_DENIED, and so do statements that run
 * with other rights. */
void renewal_take(struct conn *c, const identity *now);

#endif
