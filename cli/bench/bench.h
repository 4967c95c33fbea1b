/* The load generator: what a scenario is made of.
 *
 * A run has one event loop, one server under test and one report. A scenario sets up what it needs
 * (tables named bench_*), puts load on, reads the server's own figures before and after, and fills
 * the report; whatever happens, its tables are dropped afterwards. Everything is one thread. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/bench/http.h"
#include "cli/bench/loop.h"
#include "cli/bench/probe.h"
#include "cli/bench/report.h"
#include "cli/bench/target.h"

typedef struct bench_options {
    int64_t clients;           /* connections that ask or write */
    int64_t duration_ms;       /* of the measured part */
    int64_t warmup_ms;         /* load before the measured part */
    int64_t payload;           /* bytes of text in a row or message */
    int64_t subscribers;       /* connections that listen */
    int64_t in_flight;         /* publishes under way at once */
    int64_t rows;              /* in the table that is read */
    int64_t writes;            /* percent of requests that write, in "mixed" */
    int64_t rate;              /* bytes a second that "slowread" takes */
    int64_t pid;               /* process to measure; 0: ask the server */
    const char *topic;         /* "channel" or "table" */
    const char *via;           /* "rest" or "ws": how messages are published */
    const char *where;         /* "equal" or "other": the kind of filter, in "filters" */
    bool spin;                 /* the generator never sleeps */
    bool deflate;              /* WebSockets offer permessage-deflate */
    const char *target;        /* plain URL to GET instead of a point read; NULL: none */
    const char *publish_url;   /* POST messages there instead; NULL: none */
    const char *subscribe_url; /* and listen there; NULL: none */
} bench_options;

typedef struct bench_run {
    bench_loop loop;
    bench_options opt;
    bench_report report;
    bool foreign;           /* the server under test is no rustydb: nothing to ask it */
    bench_target server;    /* the daemon; with `foreign`, what is loaded */
    bench_target publish;   /* of a foreign fan-out */
    bench_target subscribe; /* of a foreign fan-out */
    char *auth;             /* value of Authorization, NULL: none; owned */
    bench_probe probe;
    bench_http control; /* for the questions a scenario asks beside its load */
    error *e;           /* why the scenario failed */
} bench_run;

typedef struct bench_scenario {
    const char *name;
    bool (*run)(bench_run *r, error *e);
    bench_options defaults; /* what was not given; 0 where the scenario has no use for it */
    const char *tables;     /* statement that removes what it made, NULL: it makes nothing */
} bench_scenario;

extern const bench_scenario bench_scenarios[];
extern const int bench_n_scenarios;
const bench_scenario *bench_scenario_find(const char *name); /* NULL when there is none */

/* Runs one scenario against the daemon at `url` with `token` (may be NULL) and leaves the figures
 * in *report. Options that are 0 or NULL take the scenario's default. */
bool bench_execute(const bench_scenario *s, const bench_options *o, const char *url,
                   const char *token, bench_report *report, error *e);

/* Async-signal-safe: the scenario ends early with CANCELLED and cleans up. */
void bench_interrupt(void);

/* ---- questions beside the load -----------------------------------------------------------------
 */

/* One request and its answer, while the load goes on. body NULL: none; answer NULL: not wanted,
 * else the caller's to json_decref. Not from within an event. */
bool bench_ask(bench_run *r, const char *method, const char *path, const char *body,
               json_t **answer, error *e);
/* One statement; the format is filled in, so only with values that need no quoting. */
bool bench_sql(bench_run *r, error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The position of the newest change in the log: `since` of who wants all after this. */
bool bench_position(bench_run *r, int64_t *lsn, error *e);
/* "count" text bytes that compress and escape like ordinary text; the caller frees. */
char *bench_filler(int64_t count);

/* ---- what the server says of itself ------------------------------------------------------------
 */

typedef struct bench_sample {
    int64_t at_us;
    int64_t server_cpu_ns, own_cpu_ns, rss; /* -1: not known */
    int64_t commits, commit_statements;     /* -1: not told */
    int64_t frames, sends;                  /* delivered, and the calls it took; -1: not told */
} bench_sample;

bool bench_sample_take(bench_run *r, bench_sample *s, error *e);
/* Adds what every scenario reports: CPU of both sides, group size, frames per send. `done` things
 * (named by `thing`, singular) were done between the samples. */
void bench_sample_report(bench_run *r, const bench_sample *from, const bench_sample *to,
                         double done, const char *thing);
/* Warm-up, sample, load, sample. at_start is called between, to clear counters. */
bool bench_measure(bench_run *r, bench_sample *from, bench_sample *to, void (*at_start)(void *),
                   void *arg, error *e);
double bench_seconds(const bench_sample *from, const bench_sample *to);

#endif
