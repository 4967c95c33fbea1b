#include "auth/jwt_key.h"

#include <cjose/cjose.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"
#include "auth/secret.h"
#include "base/mem.h"

enum {
    RSA_MIN_BITS = 2048,
    RSA_MAX_BITS = 8192,
    EXPONENT_MAX = 8, /* bytes */
    P256_BYTES = 32,
    ED25519_BYTES = 32,
    ED25519_SIGNATURE = 64,
};

/* Exactly one of secret, jwk and edwards is there. */
struct jwt_key {
    char kid[JWT_KID_MAX + 1];
    unsigned char print[JWT_PRINT];
    unsigned algorithms; /* bits: 1 << jwt_algorithm */
    unsigned char *secret;
    size_t n_secret;
    cjose_jwk_t *jwk;  /* RSA, EC */
    EVP_PKEY *edwards; /* Ed25519, which cjose does not have */
};

/* ---- algorithms --------------------------------------------------------------------------------
 */

static const char *const names[JWT_ALGORITHMS] = {
    [JWT_HS256] = "HS256", [JWT_RS256] = "RS256", [JWT_PS256] = "PS256",
    [JWT_ES256] = "ES256", [JWT_EDDSA] = "EdDSA",
};

const char *jwt_algorithm_name(jwt_algorithm a)
{
    return names[a];
}

int jwt_algorithm_find(const char *name)
{
    for (int i = 0; i < JWT_ALGORITHMS; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

bool jwt_key_serves(const jwt_key *k, jwt_algorithm a)
{
    return (k->algorithms & 1U << a) != 0;
}

const unsigned char *jwt_key_print(const jwt_key *k)
{
    return k->print;
}

const char *jwt_key_id(const jwt_key *k)
{
    return k->kid;
}

/* ---- making and freeing ------------------------------------------------------------------------
 */

void jwt_key_free(jwt_key *k)
{
    if (!k)
        return;
    if (k->secret)
        secret_wipe(k->secret, k->n_secret);
    mem_free(k->secret);
    if (k->jwk)
        cjose_jwk_release(k->jwk);
    EVP_PKEY_free(k->edwards);
    mem_free(k);
}

static jwt_key *out_of_memory(jwt_key *k, error *e)
{
    error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    jwt_key_free(k);
    return NULL;
}

static jwt_key *new_key(const char *kid, error *e)
{
    if (strlen(kid) > JWT_KID_MAX) {
        error_set(e, ERR_INVALID_MESSAGE, "the key's \"kid\" has more than %d bytes", JWT_KID_MAX);
        return NULL;
    }
    jwt_key *k = mem_zalloc(sizeof *k);
    if (!k)
        return out_of_memory(NULL, e);
    strcpy(k->kid, kid);
    return k;
}

jwt_key *jwt_key_secret(const char *kid, const void *p, size_t n, error *e)
{
    if (n < JWT_SECRET_MIN) {
        error_set(e, ERR_INVALID_MESSAGE, "a secret has at least %d bytes", JWT_SECRET_MIN);
        return NULL;
    }
    jwt_key *k = new_key(kid, e);
    if (!k)
        return NULL;
    k->algorithms = 1U << JWT_HS256;
    k->n_secret = n;
    k->secret = (unsigned char *)mem_strndup(p, n);
    return k->secret ? k : out_of_memory(k, e);
}

/* ---- public keys -------------------------------------------------------------------------------
 */

/* A member that holds a number or a point, checked to be base64url of `min` to `max` bytes. */
static const char *member(const json_t *jwk, const char *name, size_t min, size_t max, error *e)
{
    unsigned char raw[RSA_MAX_BITS / 8];
    size_t n;
    const json_t *j = json_object_get(jwk, name);
    if (json_is_string(j) &&
        base64url_read(json_string_value(j), json_string_length(j), raw, sizeof raw, &n) &&
        n >= min && n <= max)
        return json_string_value(j);
    error_set(e, ERR_INVALID_MESSAGE,
              "the key's \"%s\" must be base64url of %zu to %zu bytes without padding", name, min,
              max);
    return NULL;
}

/* cjose gets the public members alone. */
static bool import(jwt_key *k, json_t *members, error *e)
{
    char *text = members ? json_dumps(members, JSON_COMPACT) : NULL;
    json_decref(members);
    cjose_err why;
    if (text)
        k->jwk = cjose_jwk_import(text, strlen(text), &why);
    free(text);
    return k->jwk || error_set(e, ERR_INVALID_MESSAGE, "the key is no valid public key");
}

static bool take_rsa(jwt_key *k, const json_t *jwk, error *e)
{
    const char *n = member(jwk, "n", RSA_MIN_BITS / 8, RSA_MAX_BITS / 8, e);
    const char *x = n ? member(jwk, "e", 1, EXPONENT_MAX, e) : NULL;
    if (!x || !import(k, json_pack("{s:s,s:s,s:s}", "kty", "RSA", "n", n, "e", x), e))
        return false;
    k->algorithms = 1U << JWT_RS256 | 1U << JWT_PS256;
    cjose_err why;
    return cjose_jwk_get_keysize(k->jwk, &why) >= RSA_MIN_BITS ||
           error_set(e, ERR_INVALID_MESSAGE, "an RSA key has at least %d bits", RSA_MIN_BITS);
}

static bool take_ec(jwt_key *k, const json_t *jwk, error *e)
{
    const char *curve = json_string_value(json_object_get(jwk, "crv"));
    if (!curve || strcmp(curve, "P-256") != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "of the EC keys only those on P-256 are known");
    const char *x = member(jwk, "x", P256_BYTES, P256_BYTES, e);
    const char *y = x ? member(jwk, "y", P256_BYTES, P256_BYTES, e) : NULL;
    k->algorithms = 1U << JWT_ES256;
    return y &&
           import(k, json_pack("{s:s,s:s,s:s,s:s}", "kty", "EC", "crv", curve, "x", x, "y", y), e);
}

static bool take_edwards(jwt_key *k, const json_t *jwk, error *e)
{
    unsigned char raw[ED25519_BYTES];
    size_t n;
    const char *curve = json_string_value(json_object_get(jwk, "crv"));
    if (!curve || strcmp(curve, "Ed25519") != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "of the OKP keys only Ed25519 is known");
    const char *x = member(jwk, "x", ED25519_BYTES, ED25519_BYTES, e);
    if (!x || !base64url_read(x, strlen(x), raw, sizeof raw, &n))
        return false;
    k->algorithms = 1U << JWT_EDDSA;
    k->edwards = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, n);
    return k->edwards || error_set(e, ERR_INVALID_MESSAGE, "the key is no valid public key");
}

/* "use", "key_ops" and "alg" narrow what a key is for (RFC 7517, 4.2 to 4.4). */
static bool may_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    size_t i;
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (!ops)
        return true;
    json_array_foreach(ops, i, op)
    {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
            return true;
    }
    return false;
}

static bool narrow(jwt_key *k, const json_t *jwk, error *e)
{
    const json_t *alg = json_object_get(jwk, "alg");
    if (!alg)
        return true;
    int a = json_is_string(alg) ? jwt_algorithm_find(json_string_value(alg)) : -1;
    k->algorithms &= a < 0 ? 0 : 1U << a;
    return k->algorithms ||
           error_set(e, ERR_INVALID_MESSAGE,
                     "the key's \"alg\" is not one that a key of its kind has here");
}

static bool take_public(jwt_key *k, const json_t *jwk, error *e)
{
    const char *kind = json_string_value(json_object_get(jwk, "kty"));
    if (!may_verify(jwk))
        return error_set(e, ERR_INVALID_MESSAGE, "the key is not for verifying signatures");
    bool ok = kind && strcmp(kind, "RSA") == 0   ? take_rsa(k, jwk, e)
              : kind && strcmp(kind, "EC") == 0  ? take_ec(k, jwk, e)
              : kind && strcmp(kind, "OKP") == 0 ? take_edwards(k, jwk, e)
                                                 : error_set(e, ERR_INVALID_MESSAGE,
                                                             "the key's \"kty\" must be RSA, EC or "
                                                             "OKP");
    return ok && narrow(k, jwk, e);
}

static bool take_print(jwt_key *k, const json_t *jwk, error *e)
{
    char *text = json_dumps(jwk, JSON_COMPACT | JSON_SORT_KEYS);
    bool ok = text && secret_hash(text, strlen(text), k->print, NULL);
    free(text);
    return ok || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

jwt_key *jwt_key_public(const json_t *jwk, error *e)
{
    const json_t *kid = json_object_get(jwk, "kid");
    if (!json_is_object(jwk) ||
        (kid &&
         (!json_is_string(kid) || memchr(json_string_value(kid), '\0', json_string_length(kid))))) {
        error_set(e, ERR_INVALID_MESSAGE, "a key is an object, and its \"kid\" is text");
        return NULL;
    }
    jwt_key *k = new_key(kid ? json_string_value(kid) : "", e);
    if (k && (!take_public(k, jwk, e) || !take_print(k, jwk, e))) {
        jwt_key_free(k);
        return NULL;
    }
    return k;
}

/* ---- signatures --------------------------------------------------------------------------------
 */

bool jwt_key_sign(const jwt_key *k, const char *p, size_t n, unsigned char out[JWT_HS256_BYTES])
{
    return k->secret && HMAC(EVP_sha256(), k->secret, (int)k->n_secret, (const unsigned char *)p, n,
                             out, NULL) != NULL;
}

static bool verify_secret(const jwt_key *k, const jwt_signed *s)
{
    unsigned char made[JWT_HS256_BYTES];
    bool same = s->n_signature == sizeof made && jwt_key_sign(k, s->text, s->n_signed, made) &&
                secret_equal(made, s->signature, sizeof made);
    secret_wipe(made, sizeof made);
    return same;
}

static bool verify_edwards(const jwt_key *k, const jwt_signed *s)
{
    EVP_MD_CTX *c = s->n_signature == ED25519_SIGNATURE ? EVP_MD_CTX_new() : NULL;
    bool same = c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k->edwards) == 1 &&
                EVP_DigestVerify(c, s->signature, s->n_signature, (const unsigned char *)s->text,
                                 s->n_signed) == 1;
    EVP_MD_CTX_free(c);
    return same;
}

/* cjose reads the algorithm from the token's header itself: it is the one that was checked, since
 * the header names each member once. */
static bool verify_jwk(const jwt_key *k, jwt_algorithm a, const jwt_signed *s)
{
    cjose_err why;
    if (a == JWT_ES256 && s->n_signature != 2 * P256_BYTES)
        return false;
    cjose_jws_t *jws = cjose_jws_import(s->text, s->n, &why);
    if (!jws)
        return false;
    bool same = cjose_jws_verify(jws, k->jwk, &why);
    cjose_jws_release(jws);
    return same;
}

bool jwt_key_verify(const jwt_key *k, jwt_algorithm a, const jwt_signed *s)
{
    if (!jwt_key_serves(k, a))
        return false;
    return k->secret    ? verify_secret(k, s)
           : k->edwards ? verify_edwards(k, s)
                        : verify_jwk(k, a, s);
}
