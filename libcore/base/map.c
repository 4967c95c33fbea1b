#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void make_seed(void)
{
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        seed = 0x9E3779B97F4A7C15u;
}

size_t map_hash(const char *key, size_t len)
{
    pthread_once(&seed_once, make_seed);
    uint64_t h = 14695981039346656037u ^ seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)key[i]) * 1099511628211u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    return (size_t)h;
}

static map_slot *find(const map *m, const char *key, size_t len, size_t hash)
{
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        map_slot *s = &m->slots[i];
        if (!s->key)
            return NULL;
        if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0)
            return s;
    }
}

void *map_get(const map *m, const char *key, size_t len)
{
    map_slot *s = find(m, key, len, map_hash(key, len));
    return s ? s->value : NULL;
}

static void place(map_slot *slots, size_t cap, map_slot item)
{
    size_t i = item.hash & (cap - 1);
    while (slots[i].key)
        i = (i + 1) & (cap - 1);
    slots[i] = item;
}

static bool grow(map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 16;
    map_slot *slots = mem_zalloc(cap * sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].key)
            place(slots, cap, m->slots[i]);
    }
    mem_free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return true;
}

bool map_put(map *m, const char *key, size_t len, void *value, void **old)
{
    size_t hash = map_hash(key, len);
    map_slot *s = find(m, key, len, hash);
    if (old)
        *old = s ? s->value : NULL;
    if (s) {
        s->value = value;
        return true;
    }
    if ((m->count + 1) * 4 > m->cap * 3 && !grow(m))
        return false;
    char *copy = mem_strndup(key, len);
    if (!copy)
        return false;
    place(m->slots, m->cap, (map_slot){copy, len, hash, value});
    m->count++;
    return true;
}

void *map_take(map *m, const char *key, size_t len)
{
    map_slot *s = find(m, key, len, map_hash(key, len));
    if (!s)
        return NULL;
    void *value = s->value;
    mem_free(s->key);
    *s = (map_slot){0};
    m->count--;
    /* What follows in the same run may have been pushed there by this slot: place it again. */
    for (size_t i = ((size_t)(s - m->slots) + 1) & (m->cap - 1); m->slots[i].key;
         i = (i + 1) & (m->cap - 1)) {
        map_slot item = m->slots[i];
        m->slots[i] = (map_slot){0};
        place(m->slots, m->cap, item);
    }
    return value;
}

map_slot *map_next(const map *m, size_t *at)
{
    while (*at < m->cap) {
        map_slot *s = &m->slots[(*at)++];
        if (s->key)
            return s;
    }
    return NULL;
}

void map_free(map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        mem_free(m->slots[i].key);
    mem_free(m->slots);
    *m = (map){0};
}
