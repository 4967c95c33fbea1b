/* Topics that the daemon itself publishes: `metrics` (samples, whose source is the sampler),
 * `queries` and `system` (events, hub_announce). Nothing is made for the latter while nobody
 * listens. */
#ifndef DAEMON_OWN_TOPICS_H
#define DAEMON_OWN_TOPICS_H

#include <stdbool.h>

#include "daemon/hub_subs.h"
#include "json/writer.h"

/* Whether the topic is one of these; then *ok says whether the subscription was accepted, as
 * hub_subscribe does. Reactor thread. */
bool own_topic_subscribe(struct conn *c, const sub_request *q, const char *request_id, error *e,
                         bool *ok);

/* ---- events ---- */

/* Whether anybody listens. Any thread. */
static inline bool own_topic_wanted(const server *d, own_topic t)
{
    return atomic_load_explicit(&d->listening[t], memory_order_relaxed) > 0;
}

/* Begins the payload: {"topic","event","at"; the caller adds members. `out` is empty at first. */
void own_event_begin(json_writer *w, buf *out, own_topic t, const char *event);
/* Ends it, says how many were left out before it, and sends it to all who listen. Any thread, while
 * the reactors run. */
void own_event_send(json_writer *w, own_topic t, server *d);

#endif
