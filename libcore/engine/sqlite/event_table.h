/* An event's row as a table: a virtual table of one row, for the SQL of a filter or a policy to
 * look at. It has the columns of the subscribed table with their affinities and collations, so that
 * comparisons come out as they would there. */
#ifndef ENGINE_SQLITE_EVENT_TABLE_H
#define ENGINE_SQLITE_EVENT_TABLE_H

#include <sqlite3.h>

#include "engine/engine.h"

typedef struct event_row {
    const table_shape *shape;
    /* Its rowid is no column, not even by that name: the log knows none, and 1 would be a lie.
     * (Where this is not set, whoever prepares statements sees to it.) */
    bool no_rowid;
    const value *values; /* shape->n_columns of them; NULL: a row of NULLs */
    /* Asked at each reading of a value: true makes the statement end with SQLITE_INTERRUPT. (SQLite
     * asks its own progress handler in loops only, and an expression has none.) */
    bool (*must_stop)(void *arg);
    void *arg;
} event_row;

/* Makes `name` a table of db that shows *row, whatever row->values is at the time of reading. row
 * must live until event_table_remove. An SQLite result code. The thread that owns db. */
int event_table_add(sqlite3 *db, const char *name, event_row *row);
/* No statement may use it any more. */
void event_table_remove(sqlite3 *db, const char *name);

#endif
