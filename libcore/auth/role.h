/* Roles: what somebody may do, by name.
 *
 *     {"name","description"?,"inherits"?:[names],
 *      "tables"?:[{"table":"orders" | "*","operations":["select","insert","update","delete"],
 *                  "columns"?:[...],"where"?:"SQL","check"?:"SQL","masks"?:{COLUMN:{"kind":"null" |
 *                  "hash" | "partial" | "expression","keep"?,"sql"?}},"expose_key"?}],
 *      "channels"?:[{"channel":"news.*","operations":["subscribe","publish"]}],
 *      "streams"?:[...],"scopes"?:[...],"created_at","updated_at"}
 *
 * There is one role that is built in, may everything, and is no document: ROLE_ADMIN. */
#ifndef AUTH_ROLE_H
#define AUTH_ROLE_H

#include "auth/document.h"
#include "auth/rights.h"
#include "base/buf.h"

#define ROLE_ADMIN "admin"

enum {
    ROLE_INHERITS_MAX = 32,
    ROLE_GRANTS_MAX = 1000,
    ROLE_COLUMNS_MAX = 500,
    ROLE_IDENTIFIER_MAX = 255, /* bytes of a table's or column's name */
    ROLE_SQL_MAX = 8192,       /* bytes of a predicate or a mask's expression */
    ROLE_CHANNELS_MAX = 1000,
    ROLE_PATTERN_MAX = 255, /* bytes */
    ROLE_DESCRIPTION_MAX = 1000,
};

typedef struct auth_role {
    const char *name, *description;
    int n_inherits;
    const char *const *inherits;
    rights_role gives; /* without what it inherits */
    const char *created_at, *updated_at;
} auth_role;

static inline const auth_role *auth_role_of(const auth_document *d)
{
    return d->is;
}

/* A statement that the engine accepts when the expressions and columns of a grant make sense for
 * its table; TABLE_NOT_FOUND for it says no more than that they have the form of expressions.
 * False: the grant has none. */
bool auth_role_probe(const access_grant *g, buf *sql);

#endif
