/* An arena: many small allocations that die together. One thread at a time owns it; a job carries
 * its arena from thread to thread. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block;
typedef struct arena {
    arena_block *blocks; /* newest first */
    size_t total;        /* bytes handed out */
} arena;

#define ARENA_INIT ((arena){0})

void *arena_alloc(arena *a, size_t n); /* aligned for any type, zeroed; NULL when memory is out */
char *arena_strndup(arena *a, const char *s, size_t n);
void arena_free(arena *a);

#endif
