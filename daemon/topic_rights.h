/* What a connection may do with topics and messages: subscribe, publish, send to others. Everything
 * that comes by WebSocket, JSON-RPC or REST passes by here. (What may be read of a table is the
 * feed's matter, engine/lens.h; what a request takes whatever it names, ws_asks.h's.) Each is false
 * with PERMISSION_DENIED. Reactor thread only. */
#ifndef DAEMON_TOPIC_RIGHTS_H
#define DAEMON_TOPIC_RIGHTS_H

#include <stdbool.h>

#include "auth/identity.h"
#include "base/error.h"
#include "daemon/hub_subs.h"

struct conn;

/* To begin a subscription. Of a channel this is all there is: its messages are not looked at one by
 * one. */
bool topic_rights_subscribe(const struct conn *c, const sub_request *q, error *e);
/* To the change log: the stream, and of each table that is named all of it. n_tables 0: none is
 * named, and what may be read whole is delivered. */
bool topic_rights_replicate(const struct conn *c, const char *const *tables, int n_tables,
                            error *e);
/* To publish on a channel, or (NULL) to everyone. */
bool topic_rights_publish(const struct conn *c, const char *channel, error *e);

/* Whether a subscription that somebody began with certain rights may go on with others, since it
 * would be given the same. Memory that is out ends it. */
bool topic_rights_keep(const sub *s, const identity *was, const identity *now);

#endif
