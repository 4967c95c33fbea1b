/* Columns of a table's shape: found by name, and what SQLite makes of their declared types. Any
 * thread. */
#ifndef ENGINE_COLUMNS_H
#define ENGINE_COLUMNS_H

#include "engine/engine.h"

/* Its place in the shape, whatever the name's case; -1: there is none. */
int column_find(const table_shape *shape, const char *name);

/* SQLite's documentation, "Datatypes In SQLite", 3.1. */
typedef enum column_affinity {
    AFFINITY_INTEGER,
    AFFINITY_TEXT,
    AFFINITY_BLOB, /* none: nothing is converted */
    AFFINITY_REAL,
    AFFINITY_NUMERIC,
} column_affinity;

column_affinity affinity_of(const char *declared_type);
/* A type name that has just this affinity. */
const char *affinity_name(column_affinity a);

#endif
