/* Who is asking: credentials become an identity (identity.h), or are refused.
 *
 * Authenticators stand in a chain; each says yes, no, or not mine. The first knows root by the
 * token in DIR/root.token. Users, roles and API keys are documents of the store (store.h). */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/identity.h"
#include "auth/issuer.h"
#include "auth/sessions.h"
#include "auth/store.h"
#include "base/error.h"
#include "engine/engine.h"

typedef struct auth auth;

typedef enum credential_kind {
    CREDENTIAL_TOKEN,       /* `text` is a bearer token or an API key */
    CREDENTIAL_CERTIFICATE, /* `text` is the subject of a certificate that TLS has verified */
    CREDENTIAL_PEER,        /* `uid` is the user at the other end of a Unix socket */
} credential_kind;

/* What somebody shows; borrowed for the call. */
typedef struct credential {
    credential_kind kind;
    const char *text; /* n bytes, and a NUL behind them */
    size_t n;
    int64_t uid;
    const char *address; /* the client's, as text; NULL: not known */
} credential;

/* Loads the stored hash; makes DIR/root.token (mode 0600, 256 random bits) where the database has
 * none yet, or the file is gone (then the old token stops working, and the log says so). */
auth *auth_open(engine *g, const char *dir, error *e);
/* When the engine has closed: until then changes may end. Identities that are still held live on.
 */
void auth_close(auth *a);
auth_store *auth_store_of(auth *a);
/* Those who are logged in. Until sessions_limit is called their limits are 0, and no session
 * lives. */
sessions *auth_sessions_of(auth *a);
/* Takes tokens of an issuer from now on, where the options name one. Once, before any other thread
 * asks. INVALID_MESSAGE when the options do not fit together or its keys cannot be read. */
bool auth_trust_issuer(auth *a, const issuer_options *o, error *e);
/* What these roles give together; names of roles that there are not give nothing. The caller holds
 * it. Any thread, never blocks. NULL when memory is out. */
rights *auth_rights_of(auth *a, const char *const *roles, int n, error *e);

/* Whose credential it is, compared in constant time; the caller holds it. Any thread, never blocks.
 * NULL with AUTH_FAILED when it is not known, AUTH_EXPIRED when it was good once. */
identity *auth_identify(auth *a, const credential *c, error *e);

/* A number that grows with every change of what is known here. Any thread. */
uint64_t auth_generation(const auth *a);
/* The same somebody as he is known now, for one whose generation is an older one, or who may have
 * expired: the caller holds it. NULL with AUTH_EXPIRED or AUTH_FAILED: he has lost his rights.
 * Any thread, never blocks. */
identity *auth_renew(auth *a, const identity *who, error *e);

#endif
