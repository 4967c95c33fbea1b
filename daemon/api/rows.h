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
    bool text;   /* of TEXT affinity */
    bool loose;  /* without affinity: it holds what it was given */
    bool real;   /* of REAL affinity */
    bool hidden; /* may not be read: answers are without it */
    bool masked; /* some rows that may be read may show something else in its place */
} row_column;

typedef struct row_table {
    const char *name; /* as the schema spells it */
    const char *kind; /* "view" or "virtual table", which are read only; NULL: a table */
    bool triggers;
    int n_columns;
    row_column *columns;        /* a table without a primary key begins with its rowid */
    int n_key;                  /* 0: rows have no key */
    int *key;                   /* the columns of the key, in its order */
    const char *rowid;          /* a name that means the rowid; NULL: there is none */
    const access_table *grants; /* what statements must be held to; NULL: to nothing */
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
/* What is shown in a column's place has no type: a text becomes the number that the column would
 * have made of it. */
void row_value_as_shown(const row_column *c, value *v);

/* The values of a key from its place in the path: t->n_key of them. */
bool row_key_read(const row_table *t, const char *text, arena *mem, value **out, error *e);
/* The reverse, ready for a path; false when the key has no such form. */
bool row_key_write(const row_table *t, const value *row, buf *out);
/* Adds a text so that a path can carry it. */
void row_path_add(buf *out, const char *text, size_t n);

/* ---- an operation -----------------------------------------------------------------------------
 */

/* What a row that a statement gives has behind its columns, for rows_judge. */
typedef enum row_extra {
    ROW_EXTRA_NONE,
    ROW_EXTRA_MAY,     /* whether it may be written */
    ROW_EXTRA_WRITTEN, /* whether it may be as it has become, and whether it may be read */
    ROW_EXTRA_CHANGES, /* (the only value) whether the statement before has changed anything */
} row_extra;

typedef struct rows_op {
    run *r;
    row_table table;
    unsigned ops;       /* of access_op: what the operation takes */
    engine_stmt *stmts; /* of r->job, with room for as many as rows_room was told */
    row_extra *extras;  /* one for each */
    bool (*prepare)(request *q, struct rows_op *op, error *e);
} rows_op;

/* Looks at the table that the path names, then calls `prepare` and submits the run; when that
 * fails the request is answered. size: of the structure that begins with a rows_op; ops: of
 * access_op, what the operation takes (reading what was written comes on top where it may). */
void rows_start(request *q, const run_encoder *encoder, job_kind kind, size_t size, unsigned ops,
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
    bool where; /* it has a condition */
    row_extra extra;
} row_sql;

void row_sql_init(row_sql *s, rows_op *op);
void row_sql_add(row_sql *s, const char *text);
void row_sql_name(row_sql *s, const char *name);
/* The table, where it is read or written. */
void row_sql_table(row_sql *s);
/* How a statement begins. With grants, OR ABORT: a table may say ON CONFLICT REPLACE of a key, and
 * would have rows replaced that may not be touched. */
const char *row_sql_insert(const rows_op *op); /* "INSERT INTO " */
const char *row_sql_update(const rows_op *op); /* "UPDATE " */
/* A name with the table's before it: it can only be a column's, and is its value itself. */
void row_sql_column(row_sql *s, const char *name);
void row_sql_add_column(buf *out, const row_table *t, const char *name);
void row_sql_value(row_sql *s, const value *v);
/* Every column of the table as it may be seen; NULL for one that may not. */
void row_sql_all_columns(row_sql *s);
/* " WHERE" or " AND", before a condition. */
void row_sql_and(row_sql *s);
/* The condition that a row may be seen, where there is one. */
void row_sql_seen(row_sql *s);
/* The conditions on the key, of rows that may be seen. */
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

/* Adds the conditions that the query has on columns. *any: whether there is one. */
bool row_filter_add(row_sql *s, const request *q, bool *any, error *e);

/* ---- grants (rows_grants.c) -------------------------------------------------------------------
 * With grants (row_table.grants) a statement gets terms of policies; without, none of these is
 * needed, and none of them may be added. */

/* PERMISSION_DENIED unless some grant has each of the operations. */
bool rows_may(const rows_op *op, const char *table, unsigned ops, error *e);
/* Sees whether the operation must be held to grants, when the table is known. */
void rows_apply_grants(rows_op *op);
/* PERMISSION_DENIED for a column that is hidden. */
bool row_column_readable(const row_table *t, const row_column *c, error *e);
/* Whether every row that may be seen shows its key as it is. */
bool row_key_is_shown(const row_table *t);
/* PERMISSION_DENIED unless one grant has the operation for all of these columns. */
bool rows_may_write(const row_table *t, access_op op, const row_values *v, error *e);

/* The column as it may be seen. */
void row_sql_shown(row_sql *s, const row_column *c);
/* Terms: of rows that may be read; that may be written in these columns (NULL: deleted). */
void row_sql_visible(row_sql *s);
void row_sql_writable(row_sql *s, access_op op, const row_values *v);
/* Ends what is RETURNING: the row may be as it has become by an INSERT, an UPDATE or either of them
 * (what they give values to; NULL: it is not that); it may be read. */
void row_sql_written(row_sql *s, const row_values *inserted, const row_values *updated);

/* What stands behind the columns of a row that the present statement gives: sets r->refusal, or
 * says whether the row may be seen. Engine threads. */
bool rows_judge(run *r, const rows_op *op, const value *extra);

#endif
