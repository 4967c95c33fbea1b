#include "daemon/latency.h"

enum { STEP_BITS = 4, STEPS = 1 << STEP_BITS, LONGEST_BITS = 36 };

static int bucket_of(uint64_t us)
{
    if (us < STEPS)
        return (int)us;
    if (us >> LONGEST_BITS)
        return LATENCY_BUCKETS - 1;
    int shift = 63 - __builtin_clzll(us) - STEP_BITS;
    return (shift + 1) * STEPS + (int)((us >> shift) & (STEPS - 1));
}

/* The longest time that falls into a bucket. */
static uint64_t bucket_end(int i)
{
    if (i < STEPS)
        return (uint64_t)i;
    int shift = i / STEPS - 1;
    return ((uint64_t)(STEPS + i % STEPS + 1) << shift) - 1;
}

/* There is one writer, so that no read-modify-write is needed. */
static void bump(atomic_uint_fast64_t *to, uint64_t by)
{
    uint64_t was = atomic_load_explicit(to, memory_order_relaxed);
    atomic_store_explicit(to, was + by, memory_order_relaxed);
}

void latency_add(latency *l, int64_t us)
{
    uint64_t t = us > 0 ? (uint64_t)us : 0;
    bump(&l->total_us, t);
    bump(&l->buckets[bucket_of(t)], 1);
}

void latency_collect(latency_sum *to, const latency *l)
{
    to->total_us += atomic_load_explicit(&l->total_us, memory_order_relaxed);
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&l->buckets[i], memory_order_relaxed);
        to->buckets[i] += n;
        to->count += n; /* of its own buckets, so that parts of it are parts of what is there */
    }
}

void latency_subtract(latency_sum *from, const latency_sum *earlier)
{
    from->total_us -= earlier->total_us;
    from->count -= earlier->count;
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        from->buckets[i] -= earlier->buckets[i];
}

double latency_mean_ms(const latency_sum *s)
{
    return s->count ? (double)s->total_us / (double)s->count / 1000.0 : 0;
}

double latency_within_ms(const latency_sum *s, double part)
{
    uint64_t before = 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        before += s->buckets[i];
        if (before && (double)before >= part * (double)s->count)
            return (double)bucket_end(i) / 1000.0;
    }
    return 0;
}
