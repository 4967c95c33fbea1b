/* Metrics: the figures of the running daemon under names of their own (metrics.def), chosen by
 * name, and told as JSON or in the text format of Prometheus. Any thread. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "daemon/metrics_figures.h"
#include "json/writer.h"

typedef enum metric_kind { GAUGE, COUNTER } metric_kind;

enum {
#define METRIC(group, name, ...) METRIC_##group##_##name,
#include "daemon/metrics.def"
#undef METRIC
    N_METRICS,
    METRIC_NAME_MAX = 64,
};

typedef struct metric {
    const char *name; /* "cpu.process_percent" */
    metric_kind kind;
    const char *unit;
    unsigned from; /* FROM_* */
    const char *help;
} metric;

extern const metric metrics[N_METRICS];

/* A choice of metrics. */
typedef struct metric_set {
    uint64_t bits[2];
} metric_set;
_Static_assert(N_METRICS <= 128, "metric_set has a bit for each metric");

static inline bool metric_in(const metric_set *s, int i)
{
    return s->bits[i / 64] >> (i % 64) & 1;
}
metric_set metric_set_all(void);
bool metric_set_equal(const metric_set *a, const metric_set *b);
/* Where the figures of a choice come from: FROM_*. */
unsigned metric_set_from(const metric_set *s);

/* Adds what a name stands for: a metric, "group.*", or "*". INVALID_MESSAGE for another, with the
 * name that was probably meant as a hint. */
bool metric_set_add(metric_set *s, const char *name, error *e);
/* The same for an array of names that came as JSON; `where` ("payload.metrics") goes before its
 * items in messages. NULL or null is all of them, an empty array is an error. */
bool metric_set_read(metric_set *s, json_t *names, const char *where, error *e);
/* The same for names between commas. */
bool metric_set_split(metric_set *s, const char *names, error *e);

typedef enum metric_type { METRIC_NONE, METRIC_INT, METRIC_REAL, METRIC_TOPICS } metric_type;

typedef struct metric_value {
    metric_type type; /* METRIC_NONE: not known */
    int64_t i;
    double r;
} metric_value;

/* The value of one metric from the figures of two moments. */
metric_value metric_get(int i, const figure_set *now, const figure_set *was);

/* {"name":value,...} */
void metrics_write_json(json_writer *w, const metric_set *s, const figure_set *now,
                        const figure_set *was);
/* [{"name","kind","unit","help"},...]: all there are. */
void metrics_write_catalog(json_writer *w);
/* The text format of Prometheus, version 0.0.4. */
void metrics_write_prometheus(buf *out, const metric_set *s, const figure_set *now,
                              const figure_set *was);

#endif
