/* Views: the statement that makes one, and the SELECT in such a statement. Any thread. */
#ifndef DAEMON_DDL_VIEW_H
#define DAEMON_DDL_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* CREATE VIEW of this name for a body with `sql` and perhaps `columns`. INVALID_MESSAGE when `sql`
 * does not begin as a SELECT does; what else is wrong with it SQLite finds. */
bool ddl_create_view(const char *name, const json_t *doc, buf *out, error *e);

/* The SELECT in the statement that made a view, as the schema has it; borrowed from it. */
const char *ddl_view_select(const char *create);

#endif
