/* JSON Web Tokens in compact form (RFC 7519, 7515; with the advice of RFC 8725): three parts in
 * base64url, a header, claims, and a signature over both.
 *
 *     jwt t;
 *     if (jwt_read(&t, text, n, e)) {          the header, the form
 *         find a key by t.kid and t.algorithm
 *         jwt_verify(&t, key, e) &&             the signature; only then are claims looked at
 *             jwt_check(&t, &rules, now, e)     who made it, for whom, until when
 *         jwt_free(&t);
 *     }
 *
 * Everything is read strictly: one spelling of base64url, no member twice, no "crit", nothing
 * nested, and an algorithm that the key allows. Keys and addresses that a header brings along are
 * not looked at. What is wrong before the signature is checked is told in general terms. Any
 * thread, on a token that one thread owns; never blocks. */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/jwt_key.h"
#include "base/buf.h"
#include "base/error.h"

enum {
    JWT_MAX = 16384,       /* bytes of a token */
    JWT_HEADER_MAX = 4096, /* bytes of a header's JSON */
    JWT_DEPTH_MAX = 16,    /* arrays and objects inside one another */
};

typedef struct jwt {
    const char *text; /* borrowed: must outlive this */
    size_t n;
    size_t n_header, n_claims; /* characters of the first two parts */
    jwt_algorithm algorithm;
    const char *kid; /* of the header; NULL when it names none */
    json_t *header;  /* owned */
    json_t *claims;  /* owned; NULL until jwt_verify has said yes */
    unsigned char signature[JWT_SIGNATURE_MAX];
    size_t n_signature;
} jwt;

/* Whether a text has the form of a token (three parts, the first of which begins like a JSON
 * object): then it is no other kind of credential. */
bool jwt_looks_like_one(const char *text, size_t n);

/* Takes a token apart. False and AUTH_FAILED when it is malformed, too large, or asks for an
 * algorithm or an extension that is not known here; then there is nothing to free. */
bool jwt_read(jwt *t, const char *text, size_t n, error *e);
void jwt_free(jwt *t);

/* Checks the signature; then reads the claims. AUTH_FAILED. */
bool jwt_verify(jwt *t, const jwt_key *k, error *e);

typedef struct jwt_rules {
    const char *issuer;   /* "iss" must be this */
    const char *audience; /* "aud" must be this, or an array that has it; NULL: is not looked at */
    int64_t skew_s;       /* by how many seconds clocks may differ */
} jwt_rules;

/* Checks iss, aud, exp (which must be there), nbf and iat of a verified token against the wall
 * clock in seconds. AUTH_FAILED, or AUTH_EXPIRED when all but "exp" is right. *expires_s (may be
 * NULL) gets "exp". */
bool jwt_check(const jwt *t, const jwt_rules *rules, int64_t now_s, int64_t *expires_s, error *e);

/* A claim by its name; where there is none of that name, by its path with points between the names
 * ("realm_access.roles"). NULL when there is none. Borrowed from the claims. */
json_t *jwt_claim(const json_t *claims, const char *path);

/* Appends the token that says `claims` (a JSON object, as text), signed by a secret. INTERNAL_ERROR
 * when memory is out. */
bool jwt_sign(const jwt_key *secret, const char *claims, size_t n, buf *out, error *e);

#endif
