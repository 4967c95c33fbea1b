/* Keys that sign tokens: a secret of ours (HS256), or a public key of an issuer, read from a JSON
 * Web Key (RFC 7517, 7518, 8037): RSA of 2,048 to 8,192 bits, EC on P-256, Ed25519.
 *
 * A key knows the algorithms that it serves, and no other ever reaches it: a public key is never
 * the secret of an HMAC. Immutable once made, so that any thread may verify with it. */
#ifndef AUTH_JWT_KEY_H
#define AUTH_JWT_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef enum jwt_algorithm {
    JWT_HS256,
    JWT_RS256,
    JWT_PS256,
    JWT_ES256, /* the signature is r and s, 32 bytes each */
    JWT_EDDSA, /* Ed25519 */
    JWT_ALGORITHMS
} jwt_algorithm;

enum {
    JWT_KID_MAX = 256,        /* bytes of a key's id */
    JWT_SECRET_MIN = 32,      /* bytes of a secret (RFC 7518, 3.2) */
    JWT_SIGNATURE_MAX = 1024, /* bytes: RSA of 8,192 bits */
    JWT_HS256_BYTES = 32,
};

typedef struct jwt_key jwt_key;

/* A secret of ours, copied. INVALID_MESSAGE when it is too short, INTERNAL_ERROR when out of
 * memory. Freed (and wiped) with jwt_key_free. */
jwt_key *jwt_key_secret(const char *kid, const void *p, size_t n, error *e);
/* A public key. Private parts are not looked at. INVALID_MESSAGE with the reason when the key is
 * malformed, weak, of another kind, or not for signatures ("use", "key_ops", "alg"). */
jwt_key *jwt_key_public(const json_t *jwk, error *e);
void jwt_key_free(jwt_key *k); /* NULL is fine */

const char *jwt_key_id(const jwt_key *k); /* "" when it has none */
/* What tells a public key from all others: a hash of its JSON Web Key, its id included. */
enum { JWT_PRINT = 32 };
const unsigned char *jwt_key_print(const jwt_key *k);
bool jwt_key_serves(const jwt_key *k, jwt_algorithm a);

/* What is signed: a whole token in compact form, and its parts, already taken apart (jwt.h). */
typedef struct jwt_signed {
    const char *text;
    size_t n;        /* of the whole token */
    size_t n_signed; /* of the two parts that are signed, with the point between them */
    const unsigned char *signature;
    size_t n_signature;
} jwt_signed;

/* Whether the key made the signature by this algorithm. False when the key does not serve it. */
bool jwt_key_verify(const jwt_key *k, jwt_algorithm a, const jwt_signed *s);
/* HMAC-SHA256 with a secret. False when the key is none or memory is out. */
bool jwt_key_sign(const jwt_key *k, const char *p, size_t n, unsigned char out[JWT_HS256_BYTES]);

/* "RS256"; -1 when the name (case counts) is none of them, "none" included. */
const char *jwt_algorithm_name(jwt_algorithm a);
int jwt_algorithm_find(const char *name);

#endif
