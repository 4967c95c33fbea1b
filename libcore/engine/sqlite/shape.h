/* Table shapes: what an event's row looks like, read from the schema and kept beside the log.
 *
 * The id is a hash of the content (the next free number where two contents share one), so writer
 * and log readers agree on it without talking, and a table that returns to an old shape gets the
 * old id. VIRTUAL generated columns are not part of a shape, because SQLite does not hand them to
 * the change hook; STORED ones are. */
#ifndef ENGINE_SQLITE_SHAPE_H
#define ENGINE_SQLITE_SHAPE_H

#include "engine/sqlite/dbconn.h"

typedef enum affinity { AFF_BLOB, AFF_TEXT, AFF_NUMERIC, AFF_INTEGER, AFF_REAL } affinity;

/* A shape with what capturing needs to know besides. One allocation: freed with shape_free. */
typedef struct shape {
    table_shape pub;
    arena mem;                /* holds everything below and in pub */
    const int *column;        /* place among all columns of the table, VIRTUAL ones counted */
    const affinity *aff;      /* by declared type */
    bool without_rowid;       /* for a shape read from the schema */
    bool has_virtual;         /* some column is left out */
    int rowid_alias;          /* index of the INTEGER PRIMARY KEY in pub, -1: none */
    int rowid_alias_all;      /* the same among all columns */
    const char *last_default; /* default of the last column as SQL, NULL: none */
} shape;

/* Reads the shape of an ordinary table of `main` from the schema, id not set. NULL with code
 * TABLE_NOT_FOUND when there is none: views, virtual, shadow and internal tables are none. */
shape *shape_load(dbconn *c, const char *table, error *e);
void shape_free(shape *s);

/* The columns as stored: JSON [[name, type, collation, place in the primary key], ...]. */
bool shape_columns_json(const table_shape *s, buf *out);
/* The reverse. NULL with CORRUPT or INTERNAL_ERROR. */
shape *shape_from_json(int64_t id, const char *table, const char *json, size_t n, error *e);

/* Finds the id: that of the stored shape with this content, else the first free number for it.
 * `find` is a prepared SELECT tbl, columns FROM _rustydb_shape WHERE id = ?. *stored says which. */
bool shape_find_id(dbconn *c, sqlite3_stmt *find, shape *s, bool *stored, error *e);

#endif
