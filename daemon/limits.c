#include "daemon/limits.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

enum { SHARDS = 64, NS_PER_US = 1000, SECOND_NS = 1000000000, EXPIRED_AT_ONCE = 2 };

/* ---- one rate ----------------------------------------------------------------------------------
 */

static void tell(rate_verdict *v, int64_t limit, int64_t remaining, int64_t reset_ns,
                 int64_t retry_ns)
{
    if (v->limit && v->remaining < remaining)
        return;
    v->limit = limit;
    v->remaining = remaining;
    v->reset_us = reset_ns / NS_PER_US;
    v->retry_us = retry_ns / NS_PER_US;
}

bool rate_take(rate_state *s, rate_limit limit, int64_t n, int64_t now_us, rate_verdict *v)
{
    if (limit.rate <= 0)
        return true;
    int64_t burst = limit.burst > 0 ? limit.burst : limit.rate;
    int64_t each = SECOND_NS / limit.rate, all = each * burst, now = now_us * NS_PER_US;
    int64_t was = atomic_load_explicit(&s->used_until_ns, memory_order_relaxed), until;
    do {
        until = (was > now ? was : now) + each * n;
        if (until - now > all) {
            int64_t used = was > now ? was - now : 0;
            tell(v, burst, used < all ? (all - used) / each : 0, used, until - now - all);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&s->used_until_ns, &was, until,
                                                    memory_order_relaxed, memory_order_relaxed));
    tell(v, burst, (all - (until - now)) / each, until - now, 0);
    return true;
}

/* ---- accounts ----------------------------------------------------------------------------------
 */

typedef struct entry {
    account a;
    list idle; /* shard.idle, where nobody holds it */
    int refs;
    unsigned char shard;
    size_t n;
    char key[];
} entry;

typedef struct shard {
    pthread_mutex_t lock; /* guards the rest, and refs and idle of the entries */
    map entries;
    list idle; /* let go of longest ago first */
    int n_idle;
} shard;

struct limits {
    shard shards[SHARDS];
};

limit_table *limits_new(void)
{
    limit_table *l = xalloc(sizeof *l);
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&l->shards[i].lock, NULL);
        list_init(&l->shards[i].idle);
    }
    return l;
}

static void drop(shard *s, entry *it)
{
    list_unlink(&it->idle);
    s->n_idle--;
    map_take(&s->entries, it->key, it->n);
    mem_free(it);
}

void limits_free(limit_table *l)
{
    for (int i = 0; i < SHARDS; i++) {
        shard *s = &l->shards[i];
        while (!list_empty(&s->idle))
            drop(s, list_entry(s->idle.next, entry, idle));
        map_free(&s->entries);
        pthread_mutex_destroy(&s->lock);
    }
    mem_free(l);
}

/* Nothing would be different if it had never been. */
static bool recovered(const entry *it, int64_t now_ns)
{
    return atomic_load(&it->a.connections.used_until_ns) <= now_ns &&
           atomic_load(&it->a.requests.used_until_ns) <= now_ns &&
           atomic_load(&it->a.messages.used_until_ns) <= now_ns;
}

/* Those who come pay for those who are gone: a few at a time. */
static void drop_recovered(shard *s)
{
    int64_t now_ns = clock_mono_us() * NS_PER_US;
    for (int i = 0; i < EXPIRED_AT_ONCE && !list_empty(&s->idle); i++) {
        entry *oldest = list_entry(s->idle.next, entry, idle);
        if (!recovered(oldest, now_ns))
            return;
        drop(s, oldest);
    }
}

static entry *make(shard *s, unsigned index, const char *key, size_t n)
{
    entry *it = mem_zalloc(sizeof *it + n);
    if (!it)
        return NULL;
    it->n = n;
    it->shard = (unsigned char)index;
    memcpy(it->key, key, n);
    list_init(&it->idle);
    if (map_put(&s->entries, key, n, it, NULL))
        return it;
    mem_free(it);
    return NULL;
}

static entry *hold(shard *s, unsigned index, const char *key, size_t n)
{
    entry *it = map_get(&s->entries, key, n);
    if (!it)
        it = make(s, index, key, n);
    else if (it->refs == 0) {
        list_unlink(&it->idle);
        s->n_idle--;
    }
    if (it)
        it->refs++;
    drop_recovered(s);
    return it;
}

account *limits_hold(limit_table *l, const char *key, size_t n)
{
    /* The table within takes the low bits of the same hash. */
    unsigned index = (unsigned)(map_hash(key, n) >> 48) % SHARDS;
    shard *s = &l->shards[index];
    pthread_mutex_lock(&s->lock);
    entry *it = hold(s, index, key, n);
    pthread_mutex_unlock(&s->lock);
    return it ? &it->a : NULL;
}

void limits_release(limit_table *l, account *a)
{
    if (!a)
        return;
    entry *it = list_entry(a, entry, a);
    shard *s = &l->shards[it->shard];
    pthread_mutex_lock(&s->lock);
    if (--it->refs == 0) {
        list_append(&s->idle, &it->idle);
        if (++s->n_idle > LIMITS_IDLE / SHARDS)
            drop(s, list_entry(s->idle.next, entry, idle));
        drop_recovered(s);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

size_t limits_key_address(const ip_address *ip, char out[LIMITS_KEY])
{
    size_t n = ip_is_v4(ip) ? sizeof ip->bytes : 8;
    out[0] = 'a';
    memcpy(out + 1, ip->bytes, n);
    return n + 1;
}

size_t limits_key_text(char kind, const char *text, char out[LIMITS_KEY])
{
    size_t n = strnlen(text, LIMITS_KEY - 1);
    out[0] = kind;
    memcpy(out + 1, text, n);
    return n + 1;
}
