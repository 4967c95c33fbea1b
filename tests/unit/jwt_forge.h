/* Makes tokens of every kind for the tests, good and forged, with OpenSSL alone. */
#ifndef TESTS_JWT_FORGE_H
#define TESTS_JWT_FORGE_H

#include <openssl/evp.h>
#include <stddef.h>

/* "HEADER.CLAIMS.SIGNATURE" from the JSON of the first two; freed with free(). `algorithm` is how
 * it is really signed, whatever the header says: "HS256" (secret, n), "RS256", "PS256", "ES256",
 * "ES256-DER" or "EdDSA" (key). */
char *forge(const char *header, const char *claims, const char *algorithm, EVP_PKEY *key,
            const void *secret, size_t n);
/* A token whose signature is these bytes. */
char *forge_with(const char *header, const char *claims, const void *signature, size_t n);

/* New keys. */
EVP_PKEY *forge_rsa(int bits);
EVP_PKEY *forge_ec(const char *curve);
EVP_PKEY *forge_ed25519(void);
/* A public key as a JSON Web Key, with the members of `more` ("\"use\":\"sig\"") or NULL; freed
 * with free(). */
char *forge_jwk(EVP_PKEY *key, const char *kid, const char *more);

#endif
