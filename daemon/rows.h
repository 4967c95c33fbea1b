/* A chunk of rows on their way into a table: collected from JSON objects or CSV records, then made
 * into the `job_rows` of one insert. One thread at a time. */
#ifndef DAEMON_ROWS_H
#define DAEMON_ROWS_H

#include <jansson.h>

#include "base/arena.h"
#include "base/csv.h"
#include "base/error.h"
#include "engine/engine.h"

enum { ROWS_MAX_COLUMNS = 2000, ROWS_CHUNK = 1000, ROWS_CHUNK_BYTES = 1 << 20 };

/* What was seen of a column's values, for inferring its type. */
typedef enum seen_types { SEEN_INT = 1, SEEN_REAL = 2, SEEN_TEXT = 4, SEEN_BLOB = 8 } seen_types;

typedef struct rows_column {
    const char *name;
    unsigned seen; /* seen_types */
} rows_column;

typedef struct rows_cell {
    struct rows_cell *next; /* of the same row */
    int column;
    value v;
} rows_cell;

typedef struct rows_row {
    struct rows_row *next;
    rows_cell *cells;
} rows_row;

typedef struct rows {
    arena mem;            /* holds everything below */
    rows_column *columns; /* in the order of their first appearance */
    int n_columns, cap_columns;
    rows_row *first, *last;
    int n_rows;
} rows;

/* A member of a row: as value_from_json, but other objects and arrays become their JSON text. */
bool rows_value_from_json(value *v, json_t *j, arena *mem, const char *name, error *e);

/* Adds one JSON object. Members that are objects or arrays are kept as JSON text; absent ones
 * become NULL. */
bool rows_add_json(rows *r, json_t *object, error *e);
/* Adds one CSV record of n fields under the header's names. A field with nothing in it, not even
 * quotes, is NULL. */
bool rows_add_csv(rows *r, const char *const *names, const csv_field *fields, int n, error *e);
/* Lays the rows out as a job wants them; everything lives in r->mem. */
bool rows_finish(rows *r, const char *table, bool create, job_rows *out, error *e);
bool rows_full(const rows *r);
void rows_clear(rows *r);

#endif
