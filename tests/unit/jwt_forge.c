#include "jwt_forge.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/base64url.h"

static void must(int ok)
{
    if (!ok)
        abort();
}

/* Signs as `algorithm` says, whatever the token itself says. */
static size_t sign(const char *text, const char *algorithm, EVP_PKEY *key, unsigned char *out,
                   size_t room)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_PKEY_CTX *p;
    must(EVP_DigestSignInit(c, &p, strcmp(algorithm, "EdDSA") == 0 ? NULL : EVP_sha256(), NULL,
                            key) == 1);
    if (strcmp(algorithm, "PS256") == 0)
        must(EVP_PKEY_CTX_set_rsa_padding(p, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(p, RSA_PSS_SALTLEN_DIGEST) == 1);
    must(EVP_DigestSign(c, out, &room, (const unsigned char *)text, strlen(text)) == 1);
    EVP_MD_CTX_free(c);
    return room;
}

/* From DER to r and s. */
static size_t flat(unsigned char *signature, size_t n)
{
    const unsigned char *der = signature;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
    must(s != NULL);
    must(BN_bn2binpad(ECDSA_SIG_get0_r(s), signature, 32) == 32);
    must(BN_bn2binpad(ECDSA_SIG_get0_s(s), signature + 32, 32) == 32);
    ECDSA_SIG_free(s);
    return 64;
}

char *forge_with(const char *header, const char *claims, const void *signature, size_t n)
{
    size_t h = strlen(header), c = strlen(claims);
    char *out = malloc(BASE64URL_LENGTH(h) + BASE64URL_LENGTH(c) + BASE64URL_LENGTH(n) + 3);
    must(out != NULL);
    base64url_write(header, h, out);
    strcat(out, ".");
    base64url_write(claims, c, out + strlen(out));
    strcat(out, ".");
    base64url_write(signature, n, out + strlen(out));
    return out;
}

char *forge(const char *header, const char *claims, const char *algorithm, EVP_PKEY *key,
            const void *secret, size_t n_secret)
{
    unsigned char signature[1024];
    char *text = forge_with(header, claims, "", 0);
    size_t n = 32;
    text[strlen(text) - 1] = '\0';
    if (strcmp(algorithm, "HS256") == 0)
        must(HMAC(EVP_sha256(), secret, (int)n_secret, (const unsigned char *)text, strlen(text),
                  signature, NULL) != NULL);
    else
        n = sign(text, algorithm, key, signature, sizeof signature);
    if (strcmp(algorithm, "ES256") == 0)
        n = flat(signature, n);
    free(text);
    return forge_with(header, claims, signature, n);
}

EVP_PKEY *forge_rsa(int bits)
{
    EVP_PKEY *k = EVP_RSA_gen((unsigned)bits);
    must(k != NULL);
    return k;
}

EVP_PKEY *forge_ec(const char *curve)
{
    EVP_PKEY *k = EVP_EC_gen(curve);
    must(k != NULL);
    return k;
}

EVP_PKEY *forge_ed25519(void)
{
    EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    must(k != NULL);
    return k;
}

/* A parameter of a key as base64url; freed with free(). */
static char *parameter(EVP_PKEY *key, const char *name, int width)
{
    unsigned char raw[1024];
    BIGNUM *number = NULL;
    must(EVP_PKEY_get_bn_param(key, name, &number) == 1);
    int n = width ? width : BN_num_bytes(number);
    must(BN_bn2binpad(number, raw, n) == n);
    BN_free(number);
    char *out = malloc(BASE64URL_LENGTH((size_t)n) + 1);
    must(out != NULL);
    base64url_write(raw, (size_t)n, out);
    return out;
}

static void print_members(FILE *f, EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA")) {
        char *n = parameter(key, OSSL_PKEY_PARAM_RSA_N, 0);
        char *e = parameter(key, OSSL_PKEY_PARAM_RSA_E, 0);
        fprintf(f, "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", n, e);
        free(n);
        free(e);
    } else if (EVP_PKEY_is_a(key, "EC")) {
        int width = (EVP_PKEY_get_bits(key) + 7) / 8;
        char *x = parameter(key, OSSL_PKEY_PARAM_EC_PUB_X, width);
        char *y = parameter(key, OSSL_PKEY_PARAM_EC_PUB_Y, width);
        fprintf(f, "\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"",
                EVP_PKEY_get_bits(key), x, y);
        free(x);
        free(y);
    } else {
        unsigned char raw[32];
        char x[BASE64URL_LENGTH(32) + 1];
        size_t n = sizeof raw;
        must(EVP_PKEY_get_raw_public_key(key, raw, &n) == 1);
        base64url_write(raw, n, x);
        fprintf(f, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", x);
    }
}

char *forge_jwk(EVP_PKEY *key, const char *kid, const char *more)
{
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    must(f != NULL);
    fprintf(f, "{\"kid\":\"%s\",", kid);
    print_members(f, key);
    fprintf(f, "%s%s}", more ? "," : "", more ? more : "");
    fclose(f);
    return text;
}
