/* What a viewer with an access set may do, by what SQLite's authorizer names: every table, column
 * and operation must be granted, those inside views, triggers, subqueries and WITH clauses too.
 * What is not known to be harmless is refused.
 *
 * Views, triggers and the actions of foreign keys do what they do with the rights of whoever causes
 * it. A trigger that reads or writes what its causer may not makes the statement fail. That is why
 * a trigger may be made only by those who have all rights to every table that it names: whoever has
 * more rights would otherwise do another's bidding.
 *
 * A table to which there is no grant at all looks the same whether it is there or not.
 *
 * One thread, that of the connection. */
#ifndef ENGINE_SQLITE_PERMIT_H
#define ENGINE_SQLITE_PERMIT_H

#include "engine/sqlite/guard.h"

/* For actions on tables, columns and the schema; SQLITE_OK or SQLITE_DENY with g->refused set. */
int permit_action(guard *g, int action, const char *a, const char *b, const char *schema,
                  const char *context);
/* The few that a viewer may use. */
int permit_pragma(guard *g, const char *name, const char *arg, const char *schema);
int permit_function(guard *g, const char *name, const char *context);

/* Looks at a text before it is prepared. */
bool permit_begin(guard *g, const char *sql, error *e);
/* Notes a table that is joined by NATURAL or USING and needs a shadow, of which SQLite may not have
 * asked. After a text was prepared without error. */
void permit_joins_want(guard *g);
/* What only the whole text shows, once it was prepared. */
bool permit_text(guard *g, const char *sql, bool readonly, error *e);
/* Whether a text has this name in it, in quotes or not. */
bool permit_text_names(const char *sql, const char *name);
/* Makes the error of a text that could not be prepared tell nothing of tables that the viewer has
 * no grant for, nor of the names of shadows. */
void permit_conceal(const guard *g, const char *sql, error *e);
/* The same for one that came up while it ran. */
void permit_conceal_name(const guard *g, error *e);

#endif
