/* From names of roles to rights. Everybody with the same roles shares the same rights, and so what
 * the engine and the feed keep for them; rights stay what they are for as long as none of their
 * roles changes, whatever else does.
 *
 * One mutex guards the sets that are known; it is held while one is put together, which takes no
 * longer than its roles are many. */
#ifndef AUTH_ROLE_SETS_H
#define AUTH_ROLE_SETS_H

#include "auth/rights.h"
#include "auth/store.h"

enum {
    ROLE_CLOSURE_MAX = 256, /* roles that are inherited, all in all */
    ROLE_DEPTH_MAX = 10,    /* levels of inheritance */
};

typedef struct role_sets role_sets;

/* NULL: out of memory. */
role_sets *role_sets_new(auth_store *s);
void role_sets_free(role_sets *r); /* NULL is fine */

/* The rights of these roles and all that they inherit, in any order; names of roles that there are
 * not give nothing. The caller holds them. NULL: out of memory. Any thread. */
rights *role_sets_rights(role_sets *r, const char *const *names, int n, error *e);

/* Whether a role could be made or replaced as far as what it inherits goes: its roles are there, it
 * does not inherit itself, the limits are kept. */
bool role_sets_check(auth_store *s, const auth_document *role, error *e);

#endif
