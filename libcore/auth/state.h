/* What the parts of auth share: the authenticators that stand in the chain (auth.c), and what they
 * make identities from. */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

#include <sys/types.h>

#include "auth/auth.h"
#include "auth/issuer.h"
#include "auth/role_sets.h"
#include "auth/root_token.h"
#include "auth/sessions.h"
#include "auth/store.h"
#include "auth/token_cache.h"

struct auth {
    root_token root;
    identity *root_identity;
    auth_store *store;
    role_sets *sets;
    sessions *sessions;
    issuer *issuer;      /* NULL: tokens of others are not taken */
    token_cache *tokens; /* those seen lately */
    uid_t own_uid;       /* of the process when it started */

    auth_call uses;       /* writes when keys were used */
    atomic_llong uses_at; /* monotonic: when that is due; INT64_MAX: it is under way */
};

typedef enum verdict { VERDICT_NOT_MINE, VERDICT_YES, VERDICT_NO } verdict;

/* Yes: *who is set and the caller holds it. No: e is set. Any thread, never blocks. */
typedef verdict authenticator(auth *a, const credential *c, identity **who, error *e);
authenticator auth_by_root_token, auth_by_key, auth_by_jwt, auth_by_certificate, auth_by_peer;

/* The identity of a user's document as it is now, which is shared by all who ask for it with the
 * same mark (store.h; NULL: none). The caller holds it. AUTH_FAILED when he is disabled. */
identity *auth_identity_of_user(auth *a, auth_document *user, const char *mark, error *e);
/* auth_renew for who came by a key. */
identity *auth_renew_key(auth *a, const identity *who, error *e);
/* One that nobody else has, to be added to (a session, an end) before anybody sees it. */
identity *auth_make_identity_of_user(auth *a, const auth_document *user, error *e);

/* auth_renew of those who came by a session's token, or by a token of the issuer. */
identity *auth_renew_session(auth *a, const identity *who, error *e);
identity *auth_renew_token(auth *a, const identity *who, error *e);

#endif
