#include "engine/statement_stats.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine/fingerprint.h"

enum {
    STEP_BITS = 3, /* a bucket is an eighth of its power of two wide */
    STEPS = 1 << STEP_BITS,
    LONGEST_BITS = 36, /* 2^36 us are 19 hours; longer ones count as that */
    BUCKETS = (LONGEST_BITS - STEP_BITS + 1) * STEPS,
    EVICT_PART = 20, /* when the table is full, a twentieth goes */
};

struct statement_entry {
    atomic_int refs;     /* the table's, and those of whoever keeps it */
    atomic_bool dropped; /* the table has it no more: what is counted here is not seen */
    uint64_t id;
    char *text; /* owned */
    atomic_llong calls, errors, rows, total_us, min_us, max_us, last_us;
    atomic_uint buckets[BUCKETS]; /* of the time a call took */
};

struct statement_stats {
    int most;
    pthread_mutex_t lock; /* guards what is below */
    map entries;          /* by fingerprint.id */
    int64_t dropped;      /* entries that had to make room since the last reset */
    int64_t since_us;     /* monotonic: the last reset */
};

/* ---- times ------------------------------------------------------------------------------------
 */

static int bucket_of(uint64_t us)
{
    if (us < STEPS)
        return (int)us;
    if (us >> LONGEST_BITS)
        return BUCKETS - 1;
    int shift = 63 - __builtin_clzll(us) - STEP_BITS;
    return (shift + 1) * STEPS + (int)((us >> shift) & (STEPS - 1));
}

/* The longest time that falls into a bucket. */
static int64_t bucket_end(int i)
{
    if (i < STEPS)
        return i;
    int shift = i / STEPS - 1;
    return ((int64_t)(STEPS + i % STEPS + 1) << shift) - 1;
}

/* The time that 99 of 100 calls stayed within. */
static int64_t p99_of(const statement_entry *s, int64_t max_us)
{
    int64_t all = 0, before = 0;
    unsigned n[BUCKETS];
    for (int i = 0; i < BUCKETS; i++)
        all += n[i] = atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
    for (int i = 0; i < BUCKETS; i++) {
        before += n[i];
        if (before && before * 100 >= all * 99)
            return bucket_end(i) < max_us ? bucket_end(i) : max_us;
    }
    return 0;
}

/* ---- entries ----------------------------------------------------------------------------------
 */

static statement_entry *entry_new(const fingerprint *f)
{
    statement_entry *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->text = mem_strndup(f->text, f->len);
    if (!s->text) {
        mem_free(s);
        return NULL;
    }
    s->id = f->id;
    atomic_init(&s->refs, 1);
    atomic_init(&s->min_us, INT64_MAX);
    return s;
}

void statement_entry_release(statement_entry *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    mem_free(s->text);
    mem_free(s);
}

static int64_t get(const atomic_llong *of)
{
    return atomic_load_explicit(of, memory_order_relaxed);
}

static void add(atomic_llong *to, int64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static void lower_to(atomic_llong *to, long long n)
{
    long long was = get(to);
    while (n < was && !atomic_compare_exchange_weak(to, &was, n))
        ;
}

static void raise_to(atomic_llong *to, long long n)
{
    long long was = get(to);
    while (n > was && !atomic_compare_exchange_weak(to, &was, n))
        ;
}

static void count_in(statement_entry *s, const statement_sample *m)
{
    int64_t us = m->elapsed_us > 0 ? m->elapsed_us : 0;
    add(&s->calls, 1);
    if (m->failed)
        add(&s->errors, 1);
    if (m->rows)
        add(&s->rows, m->rows);
    add(&s->total_us, us);
    lower_to(&s->min_us, us);
    raise_to(&s->max_us, us);
    atomic_store_explicit(&s->last_us, clock_coarse_us(), memory_order_relaxed);
    atomic_fetch_add_explicit(&s->buckets[bucket_of((uint64_t)us)], 1, memory_order_relaxed);
}

/* ---- the table --------------------------------------------------------------------------------
 */

statement_stats *statement_stats_new(int most)
{
    statement_stats *t = mem_zalloc(sizeof *t);
    if (!t)
        return NULL;
    t->most = most;
    t->since_us = clock_mono_us();
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void drop_locked(statement_stats *t, statement_entry *s)
{
    map_take(&t->entries, (const char *)&s->id, sizeof s->id);
    atomic_store(&s->dropped, true);
    statement_entry_release(s);
}

/* Every entry, in no order, with a reference for the caller; NULL when memory is out. */
static statement_entry **all_locked(statement_stats *t, size_t *n)
{
    size_t at = 0;
    statement_entry **all = mem_alloc((t->entries.count + 1) * sizeof(statement_entry *));
    *n = 0;
    for (map_slot *slot; all && (slot = map_next(&t->entries, &at));) {
        all[*n] = slot->value;
        atomic_fetch_add(&all[(*n)++]->refs, 1);
    }
    return all;
}

static void release_all(statement_entry **all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        statement_entry_release(all[i]);
    mem_free(all);
}

static void empty_locked(statement_stats *t)
{
    size_t at = 0;
    for (map_slot *slot; (slot = map_next(&t->entries, &at));) {
        statement_entry *s = slot->value;
        atomic_store(&s->dropped, true);
        statement_entry_release(s);
    }
    map_free(&t->entries);
    t->entries = (map){0};
}

void statement_stats_reset(statement_stats *t)
{
    pthread_mutex_lock(&t->lock);
    empty_locked(t);
    t->dropped = 0;
    t->since_us = clock_mono_us();
    pthread_mutex_unlock(&t->lock);
}

void statement_stats_free(statement_stats *t)
{
    if (!t)
        return;
    empty_locked(t);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

/* An entry as it is judged; counters move while they are sorted. */
typedef struct judged {
    statement_entry *s;
    int64_t calls, last_us;
} judged;

/* Least used first: fewest calls, then longest not called. */
static int by_use(const void *a, const void *b)
{
    const judged *x = a, *y = b;
    if (x->calls != y->calls)
        return x->calls < y->calls ? -1 : 1;
    return x->last_us < y->last_us ? -1 : x->last_us > y->last_us;
}

static void make_room_locked(statement_stats *t)
{
    size_t n = 0, at = 0, go = t->entries.count / EVICT_PART + 1;
    judged *all = mem_alloc(t->entries.count * sizeof *all);
    if (!all)
        return; /* the table grows by one; the next tries again */
    for (map_slot *slot; (slot = map_next(&t->entries, &at));) {
        statement_entry *s = slot->value;
        all[n++] = (judged){s, get(&s->calls), get(&s->last_us)};
    }
    qsort(all, n, sizeof *all, by_use);
    for (size_t i = 0; i < go; i++)
        drop_locked(t, all[i].s);
    t->dropped += (int64_t)go;
    mem_free(all);
}

/* The entry for a text, made where it is not there, held for the caller. */
static statement_entry *find(statement_stats *t, const fingerprint *f)
{
    const char *key = (const char *)&f->id;
    pthread_mutex_lock(&t->lock);
    statement_entry *s = map_get(&t->entries, key, sizeof f->id);
    if (!s) {
        if (t->entries.count >= (size_t)t->most)
            make_room_locked(t);
        s = entry_new(f);
        if (s && !map_put(&t->entries, key, sizeof f->id, s, NULL)) {
            statement_entry_release(s);
            s = NULL;
        }
    }
    if (s)
        atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&t->lock);
    return s;
}

void statement_stats_count(statement_stats *t, statement_entry **kept, const char *sql,
                           const statement_sample *m)
{
    if (*kept && atomic_load_explicit(&(*kept)->dropped, memory_order_relaxed)) {
        statement_entry_release(*kept);
        *kept = NULL;
    }
    if (!*kept) {
        fingerprint f;
        fingerprint_make(&f, sql);
        *kept = find(t, &f);
    }
    if (*kept)
        count_in(*kept, m);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static bool describe(const statement_entry *s, engine_statement *out)
{
    int64_t max = get(&s->max_us), min = get(&s->min_us);
    *out = (engine_statement){
        .id = s->id,
        .text = mem_strndup(s->text, strlen(s->text)),
        .calls = get(&s->calls),
        .errors = get(&s->errors),
        .rows = get(&s->rows),
        .total_us = get(&s->total_us),
        .min_us = min == INT64_MAX ? 0 : min,
        .max_us = max,
        .p99_us = p99_of(s, max),
        .last_us = get(&s->last_us),
    };
    return out->text != NULL;
}

bool statement_stats_list(statement_stats *t, engine_statements *out)
{
    size_t n = 0;
    *out = (engine_statements){0};
    pthread_mutex_lock(&t->lock);
    statement_entry **all = all_locked(t, &n);
    out->dropped = t->dropped;
    out->since_us = t->since_us;
    pthread_mutex_unlock(&t->lock);
    out->items = all ? mem_alloc((n + 1) * sizeof *out->items) : NULL;
    bool ok = out->items != NULL;
    for (size_t i = 0; i < n && ok; i++) {
        ok = describe(all[i], &out->items[i]);
        out->n += ok;
    }
    if (all)
        release_all(all, n);
    if (!ok)
        engine_statements_free(out);
    return ok;
}
