/* Tokens of another issuer: JSON Web Tokens that somebody else signs (Keycloak, Auth0, a company's
 * own service) and that are good here. Which issuer, for which audience, and where its public keys
 * are, is told by settings.
 *
 * One thread opens and closes; the rest is for any thread and never blocks. */
#ifndef AUTH_ISSUER_H
#define AUTH_ISSUER_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

#include "auth/identity.h"
#include "auth/jwt.h"
#include "base/error.h"

enum { ISSUER_ROLES_MAX = 64 }; /* names in a token; more are not looked at */

typedef struct issuer_options {
    const char *issuer, *audience;    /* "iss" and "aud" of its tokens; both are needed */
    const char *jwks_url, *jwks_file; /* where its keys are: one of them, "" for the other */
    int64_t refresh_ms;               /* how often they are read anew */
    int64_t skew_ms;                  /* by how much clocks may differ */
    const char *user_claim;           /* the claim that names the user */
    const char *roles_claim;          /* the claim that lists the names of roles */
    atomic_ullong *changes; /* grows when its keys have changed; outlives it; NULL: none */
} issuer_options;

typedef struct issuer issuer;

/* Copies the options. NULL without an error (e->code is ERR_NONE) when they name no keys: then
 * there is no issuer. INVALID_MESSAGE when they do not fit together, or the keys cannot be read. */
issuer *issuer_open(const issuer_options *o, error *e);
void issuer_close(issuer *i); /* NULL is fine */

/* What a token of the issuer says of somebody. */
typedef struct issuer_subject {
    char name[IDENTITY_NAME];
    const char *roles[ISSUER_ROLES_MAX]; /* names that the token lists, known here or not */
    int n_roles;
    char *role_text;              /* owned: what they point into */
    char *claims;                 /* owned: all claims as JSON text */
    int64_t expires_us;           /* wall clock */
    unsigned char key[JWT_PRINT]; /* of the key that signed; of issuer_check alone */
} issuer_subject;

/* Checks a token that was taken apart against the issuer's keys and rules. AUTH_FAILED,
 * AUTH_EXPIRED, or INTERNAL_ERROR when out of memory. A key that is not known is looked for, so
 * that a later try may succeed. */
bool issuer_check(issuer *i, jwt *t, int64_t now_us, issuer_subject *out, error *e);
/* Whether a key that signed a token is still one of the issuer's. */
bool issuer_trusts(issuer *i, const unsigned char key[JWT_PRINT]);
/* What claims say that were checked before. AUTH_FAILED when they name no user. */
bool issuer_describe(const issuer *i, const json_t *claims, issuer_subject *out, error *e);
void issuer_subject_free(issuer_subject *s);

#endif
