/* Finds the filters of a table that an event may be for, without trying each: filters that ask for
 * `column = value` stand in a hash table by that value, and an event looks up the values that it
 * has. All others are always tried. What is found still has to be evaluated. Feed thread only. */
#ifndef FEED_FILTER_INDEX_H
#define FEED_FILTER_INDEX_H

#include <stdbool.h>

#include "base/list.h"
#include "engine/engine.h"

/* Lives in whatever owns the filter. */
typedef struct index_entry {
    list link;
    struct index_bucket *bucket; /* NULL: among the others, or in no index */
} index_entry;

typedef struct filter_index {
    int64_t shape_id; /* of the columns that it was made for; 0: to be made anew */
    list columns;     /* columns that filters ask for values of */
    list others;      /* entries that are always tried */
} filter_index;

void filter_index_init(filter_index *x);
/* All entries must have been removed. */
void filter_index_free(filter_index *x);

/* where NULL: matches all. The shape must be the one that the index is for. False when memory is
 * out: then the entry is among the others, so nothing is missed. */
bool filter_index_add(filter_index *x, index_entry *entry, const table_shape *shape,
                      const char *where);
void filter_index_remove(index_entry *entry); /* twice is harmless */

/* Calls `each` for every entry that may match a row of this shape (the index's own); `each` returns
 * false to stop, and so does this. False too when memory is out. */
bool filter_index_find(const filter_index *x, const table_shape *shape, const value *row,
                       bool (*each)(void *arg, index_entry *entry), void *arg);

#endif
