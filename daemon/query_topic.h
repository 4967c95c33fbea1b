/* Live queries as topics: subscribing to "query:HASH". Reactor thread only. */
#ifndef DAEMON_QUERY_TOPIC_H
#define DAEMON_QUERY_TOPIC_H

#include "daemon/hub_subs.h"

/* Subscribes to q->query; answered when the query has run. False with e set: refused. */
bool query_topic_subscribe(struct conn *c, const sub_request *q, const char *request_id, error *e);
/* It has missed messages: begins again with the present result. */
void query_topic_restart(sub *s);

#endif
