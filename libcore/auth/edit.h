/* Changes of users, roles and API keys that somebody asks for: what they name is there, what is
 * used is not removed, and nobody gives or touches more than he may himself. */
#ifndef AUTH_EDIT_H
#define AUTH_EDIT_H

#include "auth/auth.h"
#include "auth/store.h"

typedef struct auth_edit {
    const identity *who;     /* who asks; held by the asker, as are the documents */
    auth_document *was, *is; /* what the asker believes to be there, NULL: nothing; what is to be in
                                its place, NULL: it is removed */
    void (*done)(struct auth_edit *x);

    auth_call call; /* failed and err say what became of it */
    auth *owner;    /* its own */
} auth_edit;

/* Any thread. The edit must live until `done`, which is called on an engine thread or the asker's.
 * CONFLICT: it is another one by now, or is used; PERMISSION_DENIED; INVALID_MESSAGE: it names what
 * is not there. A user goes with his API keys. */
void auth_edit_start(auth *a, auth_edit *x);

/* Whether somebody may see to a document as it is: he may everything, or
 *   - a user has no roles and no claims that he has not,
 *   - a role gives nothing but what it inherits of roles that he has, and scopes and streams that
 *     he has himself,
 *   - an API key is of such a user, or has no roles that he has not.
 * PERMISSION_DENIED says what is too much. Any thread. */
bool auth_may_manage(auth *a, const identity *who, const auth_document *d, error *e);

#endif
