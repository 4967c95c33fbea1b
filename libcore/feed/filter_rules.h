/* What a filter may do: the authorizer's rules, and a clock that notices being looked at. */
#ifndef FEED_FILTER_RULES_H
#define FEED_FILTER_RULES_H

#include <stdbool.h>
#include <sqlite3.h>

#include "engine/engine.h"

/* What the compiler is doing on behalf of which filter. */
typedef struct filter_rules {
    const table_shape *shape; /* NULL: no filter, the statement is our own */
    const char *prefix;       /* names of the tables that may be read start with it */
    int selects;              /* SELECTs seen so far: two are ours */
    char reason[160];         /* why the compiler was stopped; empty when it was not */
} filter_rules;

/* For sqlite3_set_authorizer, with a filter_rules as argument. */
int filter_authorize(void *rules, int action, const char *a, const char *b, const char *schema,
                     const char *trigger);

/* The name of an SQLite VFS whose clock stands still and remembers being asked, so that
 * date('now') in any disguise is found out. NULL when it cannot be made. */
const char *filter_vfs(void);
/* Whether this thread asked that clock since the last call. */
bool filter_clock_was_read(void);

#endif
