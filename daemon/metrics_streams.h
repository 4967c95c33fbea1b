/* Who wants metrics how often: a stream is an interval with a choice of metrics, shared by all who
 * want the same. It speaks to reactors as a source does (feed.h): FEED_SUBSCRIBED, the first sample
 * at once as FEED_REPLAY, FEED_LIVE, and from then on FEED_FRAMES.
 *
 * Everything belongs to the sampler's thread. */
#ifndef DAEMON_METRICS_STREAMS_H
#define DAEMON_METRICS_STREAMS_H

#include "base/map.h"
#include "daemon/forms.h"
#include "daemon/metrics.h"
#include "daemon/reactor.h"

enum {
    METRICS_INTERVAL_MIN_MS = 100,
    METRICS_INTERVAL_MAX_MS = 3600000,
    METRICS_INTERVAL_MS = 1000, /* where none is asked for */
};

/* Tells the numbers of these streams from those of other sources. */
#define METRICS_STREAM_BIT (UINT64_C(1) << 62)

typedef struct metrics_ask {
    uint64_t sub; /* the reactor's number of the subscription */
    reactor *home;
    int form;
    int64_t interval_us;
    metric_set set;
} metrics_ask;

typedef struct metrics_streams {
    list streams;
    int n;
    map subs; /* number (8 bytes) -> its subscription */
    uint64_t last_id;
} metrics_streams;

void metrics_streams_init(metrics_streams *m);
void metrics_streams_free(metrics_streams *m);

/* Answers it. SUBSCRIPTION_LIMIT when it wants what nobody wants yet and there are `most`. */
void metrics_streams_join(metrics_streams *m, const metrics_ask *ask, int most);
void metrics_streams_leave(metrics_streams *m, uint64_t sub);

/* When the next sample is due (monotonic, 0: at once); -1: nobody wants any. */
int64_t metrics_streams_due(const metrics_streams *m);
/* Where the figures of the samples that are due come from: FROM_*. */
unsigned metrics_streams_from(const metrics_streams *m, int64_t at_us);
/* Sends the samples that were due at that time. `base` are earlier figures, for first samples. */
void metrics_streams_tell(metrics_streams *m, int64_t at_us, const figure_set *now,
                          const figure_set *base);

/* {"at","period_ms","metrics":{...}}, without the braces around it. */
void metrics_write_sample(json_writer *w, const metric_set *set, const figure_set *now,
                          const figure_set *was);

#endif
