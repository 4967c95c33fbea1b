/* Where the room went: the files as a whole, and each table with its indexes. On a reader's
 * connection, by its thread; it looks at files and reads every page that it counts. */
#ifndef ENGINE_SQLITE_SIZES_H
#define ENGINE_SQLITE_SIZES_H

#include "engine/sqlite/store.h"

bool sizes_storage(store *g, dbconn *c, engine_storage *out, error *e);

/* Of tables that `as` may read whole (NULL: all), since it counts rows. Appends
 * {"total","offset","limit","tables":[...],"internal":{...} or null}: tables by name from `offset`
 * on, at most `limit` of them. All of it is of one snapshot. Pages are looked at one by one, so
 * that the job's time limit and its cancel are heeded. On false, e says why and out holds something
 * incomplete. */
bool sizes_tables(dbconn *c, int64_t offset, int64_t limit, bool internal, const viewer *as,
                  buf *out, error *e);

#endif
