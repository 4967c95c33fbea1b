/* The rows of a table as resources: what the operations below /tables/{name}/rows share.
 *
 *   request -> look at the table (JOB_INSPECT) -> `prepare` makes statements -> the run -> answer
 *
 * A rows_op is made with its run, lives in the run's arena, and goes where the run goes: the
 * request holds it until it is submitted, the encoder has it as r->state on engine threads. */
#ifndef DAEMON_API_ROWS_H
#define DAEMON_API_ROWS_H

#include "daemon/api/api.h"
#include "daemon/run.h"

/* ---- a table ----------------------------------------------------------------------------------
 */

typedef struct row_column {
    const char *name;
    const char *fallback; /* its default as SQL; NULL: none */
    bool bare;            /* the default is a name, which stands for its own text */
    bool key;
    bool generated;
    bool not_null;
    bool text;  /* of TEXT affinity */
    bool loose; /* without affinity: it holds what it was given */
    bool real;  /* of REAL affinity */
} row_column;

typedef struct row_table {
    const char *name; /* as the schema spells it */
    const char *kind; /* "view" or "virtual table", which are read only; NULL: a table */
    bool triggers;
    int n_columns;
    row_column *columns; /* a table without a primary key begins with its rowid */
    int n_key;           /* 0: rows have no key */
    int *key;            /* the columns of the key, in its order */
    const char *rowid;   /* a name that means the rowid; NULL: there is none */
} row_table;

/* Reads what JOB_INSPECT has answered; everything is copied into mem. */
bool row_table_read(row_table *t, const char *json, size_t n, arena *mem, error *e);
/* The column of this name of n bytes (in any case); NULL with e set, which names those there are.
 */
const row_column *row_table_find(const row_table *t, const char *name, size_t n, error *e);
/* CONFLICT for what cannot be written. */
bool row_table_writable(const row_table *t, error *e);

/* ---- values as text ---------------------------------------------------------------------------
 * In a path or a query a value is its text, which the column makes its own as SQL would. x'6162' is
 * the bytes of a blob, or of a text. In a column without affinity a number is a number, unless it
 * stands in double quotes. */

/* One item of a list: the text without its quotes. */
typedef struct row_item {
    const char *text; /* in mem, with a NUL behind it */
    size_t n;
    bool quoted;
} row_item;

/* Takes an item from *at, up to a comma, `end`, or the end of the text; *at is left there. Inside
 * double quotes everything is literal but a backslash, which makes the next byte so. */
bool row_item_next(const char **at, char end, arena *mem, row_item *out, error *e);
/* A whole text as an item; quotes count where the column has no affinity. */
bool row_item_of(const char *text, const row_column *c, arena *mem, row_item *out, error *e);
bool row_item_value(const row_item *item, const row_column *c, arena *mem, value *out, error *e);

/* The values of a key from its place in the path: t->n_key of them. */
bool row_key_read(const row_table *t, const char *text, arena *mem, value **out, error *e);
/* The reverse, ready for a path; false when the key has no such form. */
bool row_key_write(const row_table *t, const value *row, buf *out);
/* Adds a text so that a path can carry it. */
void row_path_add(buf *out, const char *text, size_t n);

/* ---- an operation -----------------------------------------------------------------------------
 */

typedef struct rows_op {
    run *r;
    row_table table;
    engine_stmt *stmts; /* of r->job, with room for as many as rows_room was told */
    bool (*prepare)(request *q, struct rows_op *op, error *e);
} rows_op;

/* Looks at the table that the path names, then calls `prepare` and submits the run; when that
 * fails the request is answered. size: of the structure that begins with a rows_op. */
void rows_start(request *q, const run_encoder *encoder, job_kind kind, size_t size,
                bool (*prepare)(request *q, rows_op *op, error *e));
bool rows_room(rows_op *op, size_t n_stmts, error *e);
/* Whether the header Prefer (RFC 7240) has name=wanted. */
bool rows_prefers(const request *q, const char *name, const char *wanted);
bool rows_no_memory(error *e);

/* ---- statements -------------------------------------------------------------------------------
 */

/* The members of a body: columns that can be written, and their values, in the job's arena. */
typedef struct row_values {
    int n;
    const row_column **columns;
    value *values;
} row_values;

typedef struct row_sql {
    rows_op *op;
    buf text;
    value *params;
    int n, cap;
} row_sql;

void row_sql_init(row_sql *s, rows_op *op);
void row_sql_add(row_sql *s, const char *text);
void row_sql_name(row_sql *s, const char *name);
/* A name with the table's before it: it can only be a column's. */
void row_sql_column(row_sql *s, const char *name);
void row_sql_value(row_sql *s, const value *v);
/* Every column of the table. */
void row_sql_all_columns(row_sql *s);
/* " WHERE" and the conditions on the key. */
void row_sql_where_key(row_sql *s, const value *key);
/* " SET" and the assignments. */
void row_sql_set(row_sql *s, const row_values *v);
/* The column's default as an expression. */
void row_sql_fallback(row_sql *s, const row_column *c);
/* Adds the statement to the job where ok; frees what was made either way. */
bool row_sql_end(row_sql *s, bool ok, error *e);

/* A value of the column as it is stored: RETURNING gives a REAL column's whole numbers as integers,
 * which they are only on disk. */
value row_stored(const row_column *c, const value *v);
/* Writes a row as an object. */
void row_write(json_writer *w, const row_table *t, const value *row);

/* skip_generated: those are passed by instead of refused. `where` names the row in messages. */
bool row_values_read(rows_op *op, json_t *object, bool skip_generated, const char *where,
                     row_values *out, error *e);

/* ---- filters and order ------------------------------------------------------------------------
 */

/* Adds the conditions that the query has on columns, each behind " WHERE" or " AND". *any: whether
 * there is one. */
bool row_filter_add(row_sql *s, const request *q, bool *any, error *e);

#endif
