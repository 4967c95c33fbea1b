/* Where SQL text names tables: found by the words before them, without parsing. What WITH defines
 * is left out where it counts. May give a name that is no table's, where the text has tables and
 * expressions in one list; misses none that stands behind FROM, JOIN, IN, INTO, UPDATE or TABLE.
 * Any thread. */
#ifndef BASE_SQLTABLES_H
#define BASE_SQLTABLES_H

#include <stdbool.h>
#include <stddef.h>

/* Calls `each` with where a name of a table begins and ends, in the order of the text; it returns
 * false to stop. qualified: a schema and a dot stand before it. False when it was stopped, or the
 * text is nested deeper than a hundred brackets. */
bool sqltables_each(const char *sql,
                    bool (*each)(void *arg, const char *start, const char *end, bool qualified),
                    void *arg);

/* The name that a token spells, without its quotes, as a C string. False when it does not fit. */
bool sqltables_name(const char *start, const char *end, char *out, size_t room);

#endif
