/* A table as one viewer sees it, for a stream of its events: lenses for the shapes that it has and
 * had (engine/lens.h), and the records that they show. The feed's thread. */
#ifndef FEED_SIGHT_H
#define FEED_SIGHT_H

#include "engine/lens.h"

typedef struct sight sight;

/* Of a kept viewer, which it holds (NULL: the daemon itself). NULL when memory is out. */
sight *sight_new(const viewer *as, const char *table);
void sight_free(sight *s); /* NULL is fine */

/* What it sees of a record of its table: *seen is that, or rec itself where the table is seen as it
 * is, and lives until the next call. Of a change to the table itself it sees that there was one,
 * without the statement's text, which may name columns that are hidden. LENS_FAILED: it cannot be
 * said what may be seen, so nothing is. */
lens_result sight_see(sight *s, log_reader *r, const log_record *rec, const log_record **seen,
                      error *e);
/* What it sees of a shape; NULL with e. Lives until sight_forget. */
const table_shape *sight_shape(sight *s, log_reader *r, const table_shape *shape, error *e);

/* Whether it keeps as many lenses as it may, and none for this shape: before it is asked about the
 * shape, it is to forget, and what was made for its shapes is to go. */
bool sight_is_full(const sight *s, const table_shape *shape);
void sight_forget(sight *s);

#endif
