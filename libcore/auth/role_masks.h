/* Reading the parts of a role: expressions, and masks, which become SQL. */
#ifndef AUTH_ROLE_MASKS_H
#define AUTH_ROLE_MASKS_H

#include "auth/role.h"

/* The masks of a grant from {COLUMN:{"kind",...}} (NULL: none); `where` names the grant in
 * messages. INVALID_MESSAGE. */
bool role_read_masks(auth_document *d, json_t *masks, const char *where, access_grant *to,
                     error *e);

/* Whether a text can be an expression in a larger statement without changing what is around it: it
 * closes what it opens, and has no comments, parameters or ';'. INVALID_MESSAGE. */
bool role_check_expression(const char *sql, const char *what, error *e);

#endif
