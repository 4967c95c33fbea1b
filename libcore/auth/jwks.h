/* The public keys of an issuer: a JSON Web Key Set (RFC 7517, 5), read with limits, immutable and
 * counted, so that a newer one can take its place while threads still look at it. */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include <stdbool.h>
#include <stddef.h>

#include "auth/jwt_key.h"
#include "base/error.h"

enum {
    JWKS_MAX = 262144, /* bytes of the document */
    JWKS_KEYS_MAX = 64,
};

typedef struct jwks jwks;

/* Reads a document. Keys that cannot verify a token here (other kinds, for encryption, weak) are
 * left out. INVALID_MESSAGE when the document is malformed or has too many keys, MESSAGE_TOO_BIG,
 * INTERNAL_ERROR when memory is out. The caller gets the one reference. */
jwks *jwks_read(const char *text, size_t n, error *e);

/* Any thread. */
jwks *jwks_hold(jwks *s);
void jwks_release(jwks *s); /* NULL is fine */

int jwks_count(const jwks *s);    /* keys that can verify */
int jwks_left_out(const jwks *s); /* keys of the document that cannot */

/* The key with this id that serves the algorithm. A token that names no key (kid is NULL) gets the
 * only one that serves the algorithm. NULL when there is none, or more than one to choose from.
 * Borrowed from the set. Any thread. */
const jwt_key *jwks_find(const jwks *s, const char *kid, jwt_algorithm a);
/* Whether the key of this print is in the set. */
bool jwks_has(const jwks *s, const unsigned char print[JWT_PRINT]);
/* Whether two sets hold the same keys. */
bool jwks_alike(const jwks *a, const jwks *b);

#endif
