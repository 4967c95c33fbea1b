/* What a scenario found: named figures and distributions, printed for people or as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "cli/bench/hist.h"

#define BENCH_REPORT_MAX 48

typedef struct bench_figure {
    char name[56];    /* in words of [a-z_]: "requests_per_second" */
    const char *unit; /* "us", "bytes", "percent"; NULL: a plain number. A literal */
    int digits;       /* behind the point */
    double value;
    int64_t count; /* of a distribution: how many values; -1: a single figure */
    int64_t p50, p95, p99, max;
    double mean;
} bench_figure;

typedef struct bench_report {
    const char *scenario;
    char against[300]; /* the address that was loaded */
    char with[300];    /* the options that mattered, for people */
    int n;
    bench_figure figure[BENCH_REPORT_MAX];
} bench_report;

/* What does not fit is dropped. */
void bench_report_add(bench_report *r, const char *name, const char *unit, int digits,
                      double value);
/* A distribution in microseconds. */
void bench_report_hist(bench_report *r, const char *name, const bench_hist *h);

void bench_report_text(const bench_report *r, buf *out);
/* One object: {"scenario","against","with","figures":{"requests_per_second":N,"cpu_us":N,
 * "latency_us":{"count","mean","p50","p95","p99","max"}}}. A unit is the end of its key. */
void bench_report_json(const bench_report *r, buf *out);

#endif
