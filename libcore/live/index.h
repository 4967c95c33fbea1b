/* Finds a string among the strings of a result: a hash table of their numbers. One thread. */
#ifndef LIVE_INDEX_H
#define LIVE_INDEX_H

#include <stdbool.h>

#include "live/result.h"

typedef struct lq_index {
    const lq_strings *of; /* not owned */
    int *slots;           /* number + 1 of the first with this content; 0: free */
    int *next;            /* per string: number + 1 of the next with the same content; 0: none */
    size_t mask;
} lq_index;

/* An empty index with room for strings first to last (exclusive). False when memory is out. */
bool lq_index_make(lq_index *x, const lq_strings *of, int last);
/* Puts a string in front of those with the same content. True when there was one. */
bool lq_index_add(lq_index *x, int i);
/* The first string with this content, taken out; -1 when there is none. */
int lq_index_take(lq_index *x, lq_span s);
void lq_index_free(lq_index *x);

#endif
