/* Tables as people ask about them: the JSON of GET /tables and GET /tables/{name}.
 *
 * Only pragma functions and sqlite_schema are read, so it runs on a connection whose authorizer
 * keeps the internal tables closed. What users must not see is left out: sqlite_*, _rustydb_*, and
 * the shadow tables of virtual tables. */
#ifndef ENGINE_SQLITE_INSPECT_H
#define ENGINE_SQLITE_INSPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/error.h"
#include "engine/access.h"

/* Appends to out. table NULL: the list of tables and views from `offset` on, at most `limit` of
 * them (0: all), with their total; otherwise that table or view alone. What it says comes from one
 * snapshot. as: who asks; NULL: somebody who may everything. Others get tables for which they have
 * some grant, of these the columns for which they have one, and indexes and foreign keys of such
 * columns and tables; what more there is to say (SQL, triggers, how many rows) only of tables that
 * they may read whole, the SQL of views and triggers never, since it names other tables. Called on
 * the thread that owns db. On false, e says why (TABLE_NOT_FOUND, CANCELLED when the connection was
 * interrupted, ...) and out holds something incomplete. */
bool sqlite_inspect(sqlite3 *db, const char *table, int64_t offset, int64_t limit, const viewer *as,
                    buf *out, error *e);

#endif
