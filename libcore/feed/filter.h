/* Filters: WHERE expressions over the row of an event, compiled once and evaluated per event.
 *
 * SQLite itself evaluates them, in a database in memory that holds nothing but the event: so
 * operators, affinities and collations mean what they mean in a query. Bare names are the new row
 * (for a delete the old one), new.x and old.x say which; a row that is not there is all NULL.
 *
 * The expression is a stranger's. It is deterministic (no clock, no chance), sees nothing but the
 * event, and is bounded in size and in time.
 *
 * Everything here belongs to one thread. */
#ifndef FEED_FILTER_H
#define FEED_FILTER_H

#include <stdbool.h>

#include "engine/engine.h"

typedef struct filter_env filter_env; /* the database in memory */
typedef struct filter filter;

filter_env *filter_env_new(error *e);
void filter_env_free(filter_env *env); /* after its filters; NULL is fine */

/* Processor time that one evaluation may take. */
enum { FILTER_MAX_CPU_MS = 50 };

/* Compiles `where` for the columns of `shape` (which must outlive the filter). INVALID_MESSAGE,
 * with the byte offset in `where` where it is known, when the expression is wrong or not allowed;
 * INTERNAL_ERROR when memory is out. */
filter *filter_new(filter_env *env, const table_shape *shape, const char *where, error *e);
void filter_free(filter *f); /* NULL is fine */
const table_shape *filter_shape(const filter *f);

typedef enum filter_verdict {
    FILTER_NO,
    FILTER_YES,
    FILTER_FAILED,    /* the expression cannot be evaluated for this event: e says why */
    FILTER_NO_MEMORY, /* it may succeed later */
} filter_verdict;

/* row is the new row (NULL for a delete), old_row the old one (NULL for an insert), of the filter's
 * shape. */
filter_verdict filter_match(filter *f, const value *row, const value *old_row, error *e);

#endif
