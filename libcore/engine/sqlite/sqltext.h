/* Looking at SQL text without parsing it: enough to route a statement to the readers or the writer
 * and to see that there is only one. SQLite's own parser has the last word. Any thread. */
#ifndef ENGINE_SQLITE_SQLTEXT_H
#define ENGINE_SQLITE_SQLTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef enum sql_route {
    ROUTE_READ,  /* looks like a statement that only reads */
    ROUTE_WRITE, /* goes into a group of the writer */
    ROUTE_ALONE, /* VACUUM, wal_checkpoint: the writer runs it outside any transaction */
} sql_route;

sql_route sql_guess_route(const char *sql);

/* The first byte that is neither blank, comment nor ';'. */
const char *sql_skip_empty(const char *sql);

/* True when the word stands in the text outside of comments and quotes, in any case of letters. */
bool sql_has_word(const char *sql, const char *word);

/* Whether the statement starts with this word (upper case), after blanks and comments. */
bool sql_starts_with(const char *sql, const char *word);

/* Refuses VACUUM INTO, which would write another file. */
bool sql_check_vacuum(const char *sql, error *e);

/* Internal tables, and names reserved for them, start so. */
bool sql_is_internal_name(const char *name);

#endif
