/* What the parts of auth share: the authenticators that stand in the chain (auth.c), and what they
 * make identities from. */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include <sys/types.h>

#include "auth/auth.h"
#include "auth/role_sets.h"
#include "auth/root_token.h"
#include "auth/store.h"

struct auth {
    root_token root;
    identity *root_identity;
    auth_store *store;
    role_sets *sets;
    uid_t own_uid; /* of the process when it started */
};

typedef enum verdict { VERDICT_NOT_MINE, VERDICT_YES, VERDICT_NO } verdict;

/* Yes: *who is set and the caller holds it. No: e is set. Any thread, never blocks. */
typedef verdict authenticator(auth *a, const credential *c, identity **who, error *e);
authenticator auth_by_root_token, auth_by_certificate, auth_by_peer;

/* The identity of a user's document as it is now, which is shared by all who ask for it with the
 * same mark (store.h; NULL: none). The caller holds it. AUTH_FAILED when he is disabled. */
identity *auth_identity_of_user(auth *a, auth_document *user, const char *mark, error *e);
/* One that nobody else has, to be added to (a session, an end) before anybody sees it. */
identity *auth_make_identity_of_user(auth *a, const auth_document *user, error *e);

#endif
