/* How long things took: a histogram of fixed size, counted by one thread and read by any, without a
 * lock. Buckets are a microsecond wide below 16 us and a sixteenth of their power of two above, so
 * that what is read is at most 6.3 % above what was measured.
 *
 * A reader adds up the histograms of several threads, and may take an earlier sum away from a later
 * one to see what happened between the two. */
#ifndef DAEMON_LATENCY_H
#define DAEMON_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

enum { LATENCY_BUCKETS = 528 }; /* up to 2^36 us, which is 19 hours; longer ones count as that */

typedef struct latency {
    atomic_uint_fast64_t total_us;
    atomic_uint_fast64_t buckets[LATENCY_BUCKETS];
} latency;

typedef struct latency_sum {
    uint64_t count, total_us;
    uint64_t buckets[LATENCY_BUCKETS];
} latency_sum;

/* The one thread that counts. */
void latency_add(latency *l, int64_t us);

/* Any thread. `to` starts as zeros. */
void latency_collect(latency_sum *to, const latency *l);
/* Takes an earlier sum of the same histograms away. */
void latency_subtract(latency_sum *from, const latency_sum *earlier);
/* 0 when nothing was counted. */
double latency_mean_ms(const latency_sum *s);
/* The time that the given part of all (0 < part <= 1) stayed within. */
double latency_within_ms(const latency_sum *s, double part);

#endif
