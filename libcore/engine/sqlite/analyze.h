/* What a statement would do, without running it: its plan, and what it is, reads and writes. It is
 * prepared with the guard up, as if it were to be run, so that what would be refused is refused
 * here too. The transaction they open
 * is left to whoever ends the job. One thread, that of the connection. */
#ifndef ENGINE_SQLITE_ANALYZE_H
#define ENGINE_SQLITE_ANALYZE_H

#include "engine/sqlite/dbconn.h"

/* The tables that the authorizer names while a statement is prepared. */
typedef struct touches {
    buf read, written; /* names, each with a NUL behind it, each once */
    int first_write;   /* what the statement itself, and no trigger, does: the authorizer's code
                          of INSERT, UPDATE or DELETE; 0: none of them */
} touches;

/* Notes one call of the authorizer; trigger: the trigger or view it comes from, NULL: none. False
 * when memory is out. */
bool touches_note(touches *t, int action, const char *table, const char *trigger);

/* Appends {"plan":[{"id","detail","children":[...]},...],"columns":[...],"readonly"}. Parameters
 * are bound where there are some, since a plan may depend on them. On false, e says why and out
 * holds something incomplete. */
bool analyze_explain(dbconn *c, const engine_stmt *from, buf *out, error *e);

/* Appends {"valid":true,"kind","readonly","columns","parameters","tables_read","tables_written"}.
 * On false, e says why the statement would be refused, or what else went wrong. */
bool analyze_validate(dbconn *c, const char *sql, buf *out, error *e);

#endif
