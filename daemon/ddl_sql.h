/* Schema statements from their description in JSON, as openapi/tags/ddl.yaml has it: tables, their
 * changes, indexes. Names go in quoted, defaults as literals, and an expression must be whole by
 * itself, so that no part of a description can become more than its own place in the statement.
 *
 * The descriptions fit their schemas already; what a schema cannot say is INVALID_MESSAGE here.
 * The texts are appended to `out`, whose `failed` the caller checks. Any thread. */
#ifndef DAEMON_DDL_SQL_H
#define DAEMON_DDL_SQL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* CREATE TABLE for the body of createTable. */
bool ddl_create_table(const json_t *doc, buf *out, error *e);

/* What alterTable does to the columns of a table; `column` is an item of add_columns, at which
 * place in it. */
bool ddl_add_column(const char *table, const json_t *column, size_t at, buf *out, error *e);
bool ddl_drop_column(const char *table, const json_t *name, buf *out, error *e);
bool ddl_rename_column(const char *table, const char *from, const json_t *to, buf *out, error *e);
bool ddl_rename_table(const char *table, const json_t *to, buf *out, error *e);

/* CREATE INDEX for the body of createIndex; `columns` are those of the table, as it is described.
 */
bool ddl_create_index(const char *table, const json_t *columns, const json_t *doc, buf *out,
                      error *e);

/* ---- parts ----
 * `where` names the place in messages. */

/* The text of a member, which may be absent (then it is NULL). INVALID_MESSAGE when it holds a NUL,
 * which SQL text cannot; `where` goes before the name in the message. */
bool ddl_text(const json_t *from, const char *name, const char *where, const char **out, error *e);
/* A name in quotes. */
bool ddl_put_name(const json_t *name, const char *where, buf *out, error *e);
/* An expression in parentheses; INVALID_MESSAGE when it could reach beyond them. */
bool ddl_put_expression(const json_t *text, const char *where, buf *out, error *e);
/* A column as CREATE TABLE and ADD COLUMN have it, without being a primary key. `where` ends in a
 * dot. */
bool ddl_put_column(const json_t *column, const char *where, buf *out, error *e);
/* What a foreign key does: on_delete, on_update, deferred. */
void ddl_put_actions(const json_t *key, buf *out);
/* Whether one of the columns (objects with a name) has this name, in whatever case its ASCII
 * letters are, as SQLite has it. */
bool ddl_has_column(const json_t *columns, const char *name);

#endif
