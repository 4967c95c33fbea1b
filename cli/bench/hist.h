/* A histogram of durations in microseconds: 64 buckets to each power of two, so that a percentile
 * is off by at most 1.6 %, in constant memory and a few instructions per value. One thread. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define BENCH_HIST_SUB_BITS 6  /* 2^6 buckets per power of two */
#define BENCH_HIST_TOP_BITS 42 /* values from 2^42 us (50 days) on share the last bucket */
#define BENCH_HIST_BUCKETS  ((BENCH_HIST_TOP_BITS - BENCH_HIST_SUB_BITS + 1) << BENCH_HIST_SUB_BITS)

typedef struct bench_hist {
    uint64_t count;
    int64_t max; /* exact */
    double sum;
    uint64_t bucket[BENCH_HIST_BUCKETS];
} bench_hist;

void bench_hist_clear(bench_hist *h);
/* Negative durations (a clock set back) count as 0. */
void bench_hist_add(bench_hist *h, int64_t us);
/* The smallest value that p percent (0 to 100) of all values do not exceed, rounded up to its
 * bucket's end and never beyond max; 0 when nothing was added. */
int64_t bench_hist_percentile(const bench_hist *h, double p);
double bench_hist_mean(const bench_hist *h);
void bench_hist_merge(bench_hist *into, const bench_hist *from);

#endif
