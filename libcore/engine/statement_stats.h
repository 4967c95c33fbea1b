/* What statements cost, one entry for all that differ in their values alone (fingerprint.h).
 *
 * Whoever runs a statement again and again keeps its entry, so that counting is a few atomic
 * additions; only the first time it is looked up, under a lock. The table is bounded: when it is
 * full, those of the fewest calls make room. Any thread. */
#ifndef ENGINE_STATEMENT_STATS_H
#define ENGINE_STATEMENT_STATS_H

#include <stdbool.h>

#include "engine/engine.h"

typedef struct statement_stats statement_stats;
typedef struct statement_entry statement_entry;

/* How one run of a statement went. */
typedef struct statement_sample {
    bool failed;
    int64_t rows;       /* given, or changed */
    int64_t elapsed_us; /* in the engine, without waiting in queues */
} statement_sample;

/* most: entries that are kept, at least 1. NULL when memory is out. */
statement_stats *statement_stats_new(int most);
/* Every entry that somebody keeps must have been released. NULL is fine. */
void statement_stats_free(statement_stats *t);

/* Counts a run. *kept is the entry of an earlier run of the same SQL, or NULL; afterwards it is the
 * one that was counted in, held for the caller, or NULL when memory is out. */
void statement_stats_count(statement_stats *t, statement_entry **kept, const char *sql,
                           const statement_sample *s);
void statement_entry_release(statement_entry *s); /* NULL is fine */

void statement_stats_reset(statement_stats *t);
/* False when memory is out. */
bool statement_stats_list(statement_stats *t, engine_statements *out);

#endif
