/* Subscriptions that begin with the rows that are there (`initial`): once the source has accepted
 * one, its tables are read, one statement each, every row as an event with the op `initial`; then
 * it is caught up from just the position that each table was read at. Reactor thread only. */
#ifndef DAEMON_HUB_INITIAL_H
#define DAEMON_HUB_INITIAL_H

#include "daemon/hub_subs.h"

/* Whether the request can be had with the rows; INVALID_MESSAGE says why not. */
bool initial_check(const sub_request *q, error *e);

/* Starts reading; the subscription waits in SUB_INITIAL and then asks its source again. */
void initial_start(sub *s);
/* The subscription is about to be freed: what is being read for it ends. */
void initial_forget(sub *s);

#endif
