/* Throws documents at the reading of JSON Web Key Sets. What is taken has its keys within the
 * limits, each of which serves an algorithm of public keys and none of secrets, and may be asked to
 * verify anything. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/jwks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const tokens[] = {
    [JWT_HS256] = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA", [JWT_RS256] = "eyJhbGciOiJSUzI1NiJ9.e30.AAAA",
    [JWT_PS256] = "eyJhbGciOiJQUzI1NiJ9.e30.AAAA", [JWT_ES256] = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
    [JWT_EDDSA] = "eyJhbGciOiJFZERTQSJ9.e30.AAAA",
};

static void use(const jwt_key *k, jwt_algorithm a, const uint8_t *data, size_t size)
{
    unsigned char mac[JWT_HS256_BYTES];
    jwt_signed s = {tokens[a], strlen(tokens[a]), strlen(tokens[a]) - 5, data,
                    size < JWT_SIGNATURE_MAX ? size : JWT_SIGNATURE_MAX};
    jwt_key_verify(k, a, &s);
    if (strlen(jwt_key_id(k)) > JWT_KID_MAX || jwt_key_sign(k, "x", 1, mac))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error e;
    error_clear(&e);
    jwks *s = jwks_read((const char *)data, size, &e);
    if (!s) {
        if ((e.code != ERR_INVALID_MESSAGE && e.code != ERR_MESSAGE_TOO_BIG) || !*e.message)
            abort();
        return 0;
    }
    if (jwks_count(s) + jwks_left_out(s) > JWKS_KEYS_MAX || jwks_find(s, NULL, JWT_HS256))
        abort();
    for (int a = 0; a < JWT_ALGORITHMS; a++) {
        const jwt_key *k = jwks_find(s, NULL, (jwt_algorithm)a);
        if (k)
            use(k, (jwt_algorithm)a, data, size);
        if ((k = jwks_find(s, "1", (jwt_algorithm)a)))
            use(k, (jwt_algorithm)a, data, size);
    }
    jwks_release(s);
    return 0;
}
