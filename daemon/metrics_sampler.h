/* The sampler: a thread of its own ("metrics") that reads the figures which metrics are made of, so
 * that no reactor opens a file. It sleeps while nobody wants to know anything.
 *
 * A look is one reading that somebody asked for. Its rates are over the time since an earlier look
 * that is at least a second old, or since the daemon started. */
#ifndef DAEMON_METRICS_SAMPLER_H
#define DAEMON_METRICS_SAMPLER_H

#include "base/list.h"
#include "daemon/metrics.h"
#include "daemon/metrics_streams.h"
#include "daemon/reactor.h"
#include "feed/feed.h"

typedef struct sampler sampler;

/* One look. The maker fills in the first part, and has it back when `answer` is handled on `home`;
 * it must not be freed before. */
typedef struct metrics_look {
    metric_set set;
    bool prometheus; /* else JSON: {"at","period_ms","metrics":{...}} */
    reactor *home;
    reactor_msg answer;

    list link; /* the sampler's */
    buf text;  /* the answer; the maker frees it. `failed`: memory ran out, or the daemon stops */
} metrics_look;

/* Engine and feed must be there, reactors not yet: they may use it as soon as they run. NULL with e
 * set when the thread cannot be started. */
sampler *sampler_start(server *d, error *e);
/* Any thread. */
void sampler_look(sampler *s, metrics_look *look);
/* Subscribing: the answer and everything else comes to the reactor's mailbox as the messages of a
 * source. Any thread. */
void sampler_subscribe(sampler *s, const metrics_ask *ask);
/* For everything else that a reactor asks about its subscriptions. */
feed_source sampler_as_source(sampler *s);

/* Ends the thread; looks that wait get their answers. The reactors' mailboxes must still be there;
 * what they post afterwards is dropped. */
void sampler_stop(sampler *s);
/* When no reactor is left that could post to it. NULL is fine. */
void sampler_free(sampler *s);

#endif
