/* A hash table from text keys to pointers (open addressing, keys are copied). Not thread-safe.
 * Hashes are seeded per process (FNV-1a mixed with random bits), so outsiders cannot aim for one
 * chain. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct map_slot {
    char *key; /* owned; NULL: free */
    size_t len;
    size_t hash;
    void *value;
} map_slot;

typedef struct map {
    map_slot *slots;
    size_t cap;   /* a power of two, or 0 */
    size_t count; /* keys present */
} map;

void *map_get(const map *m, const char *key, size_t len); /* NULL when absent */
/* Sets or replaces; *old (may be NULL) gets the value that was there. False when memory is out. */
bool map_put(map *m, const char *key, size_t len, void *value, void **old);
void *map_take(map *m, const char *key, size_t len); /* removes; the value, or NULL */
/* Walks: *at starts at 0; NULL at the end. The table must not change while walking. */
map_slot *map_next(const map *m, size_t *at);
void map_free(map *m); /* keys only: values are the caller's */

/* The hash itself, for tables of another make. Any thread. */
size_t map_hash(const char *key, size_t len);

#endif
