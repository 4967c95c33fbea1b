#include "cli/bench/hist.h"

#include <math.h>
#include <string.h>

#define SUB (1u << BENCH_HIST_SUB_BITS)

/* The first power of two gets one bucket a value; from there on a bucket is 2^shift wide. */
static unsigned bucket_of(uint64_t v)
{
    if (v < SUB)
        return (unsigned)v;
    unsigned shift = 63u - (unsigned)__builtin_clzll(v) - BENCH_HIST_SUB_BITS;
    unsigned at = ((shift + 1) << BENCH_HIST_SUB_BITS) + (unsigned)(v >> shift) - SUB;
    return at < BENCH_HIST_BUCKETS ? at : BENCH_HIST_BUCKETS - 1;
}

static int64_t bucket_end(unsigned at)
{
    if (at < SUB)
        return at;
    unsigned shift = (at >> BENCH_HIST_SUB_BITS) - 1;
    uint64_t first = (uint64_t)((at & (SUB - 1)) + SUB) << shift;
    return (int64_t)(first + (1ull << shift) - 1);
}

void bench_hist_clear(bench_hist *h)
{
    memset(h, 0, sizeof *h);
}

void bench_hist_add(bench_hist *h, int64_t us)
{
    if (us < 0)
        us = 0;
    if (us > h->max)
        h->max = us;
    h->sum += (double)us;
    h->count++;
    h->bucket[bucket_of((uint64_t)us)]++;
}

int64_t bench_hist_percentile(const bench_hist *h, double p)
{
    if (!h->count)
        return 0;
    uint64_t rank = (uint64_t)ceil(p / 100.0 * (double)h->count);
    uint64_t seen = 0;
    for (unsigned i = 0; i < BENCH_HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen && seen >= rank)
            return i == BENCH_HIST_BUCKETS - 1 || bucket_end(i) > h->max ? h->max : bucket_end(i);
    }
    return h->max;
}

double bench_hist_mean(const bench_hist *h)
{
    return h->count ? h->sum / (double)h->count : 0;
}

void bench_hist_merge(bench_hist *into, const bench_hist *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
    for (unsigned i = 0; i < BENCH_HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}
