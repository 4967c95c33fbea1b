/* The difference between two results of a live query that are alike (lq_result_alike).
 *
 * Rows are kept where they are the same, by key and by content, and stand in the same order as
 * before. All others are told: gone from a place in the old result (`was`), come to a place in the
 * new one (`at`), or both, which is a change. So whoever takes all the rows with a `was` out of the
 * old result, and then puts those with an `at` in, in order of their places, has the new one, order
 * included.
 *
 * With a key, a change is a row whose key was there before (its values or its order are others).
 * Without, rows are told apart by content alone, and a change is one that stands between the same
 * kept rows as one that has gone. */
#ifndef LIVE_DIFF_H
#define LIVE_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "live/result.h"

typedef struct lq_change {
    int was, at; /* places in the old and the new result, from 0; -1: in the other only */
} lq_change;

typedef struct lq_diff {
    lq_change *changes; /* those with an `at` by their `at`; then the rest by their `was` */
    int n;
    int added, changed, removed; /* how many of each */
    size_t bytes;                /* packed rows that telling them takes */
} lq_diff;

/* False when memory is out. */
bool lq_diff_make(lq_diff *d, const lq_result *old, const lq_result *new);
void lq_diff_free(lq_diff *d);

#endif
