/* What SQLite reads without asking its authorizer, as it shows in a statement's text:
 *
 * - INSERT INTO a SELECT * FROM b copies whole rows where both tables have the same form, and asks
 *   about neither the SELECT nor b.
 * - NATURAL and USING compare columns, and in a FULL JOIN show them, without naming them to it.
 * - FTS tables of which the content is another table (content=) read that one while they work.
 *
 * Any thread. */
#ifndef ENGINE_SQLITE_UNASKED_H
#define ENGINE_SQLITE_UNASKED_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/access.h"

/* Whether the text has this word, bare. */
bool unasked_word(const char *sql, const char *word);
/* The name of the table behind the text's first FROM. False when there is none, or it does not fit.
 */
bool unasked_source(const char *sql, char *name, size_t room);
/* Whether the text joins by NATURAL or USING. */
bool unasked_joins(const char *sql);
/* Whether t lets all columns be read that these joins may compare. */
bool unasked_may_join(const char *sql, const access_table *t);
/* Whether the text of a CREATE VIRTUAL TABLE gives it another table's content. */
bool unasked_content(const char *sql);

#endif
