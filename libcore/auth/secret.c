#include "auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "auth/base64url.h"

enum {
    ID_BYTES = 16,
    SECRET_BYTES = 32,
    PREFIX = 4, /* length of each prefix */
    BODY = BASE64URL_LENGTH(SECRET_BYTES),
};
_Static_assert(2 * ID_BYTES == SECRET_ID_LENGTH, "an id");
_Static_assert(PREFIX + BODY == SECRET_KEY_LENGTH, "a key");
_Static_assert(PREFIX + SECRET_ID_LENGTH + 1 + BODY == SECRET_REFRESH_LENGTH, "a refresh token");

bool secret_random(void *out, size_t n, error *e)
{
    return RAND_bytes(out, (int)n) == 1 ||
           error_set(e, ERR_INTERNAL_ERROR, "the system gives no random numbers");
}

static bool random_text(size_t n, char *out, error *e)
{
    unsigned char raw[SECRET_BYTES];
    if (!secret_random(raw, n, e))
        return false;
    base64url_write(raw, n, out);
    secret_wipe(raw, sizeof raw);
    return true;
}

/* By hand: with snprintf it was a seventh of a point read by API key. */
static void write_hexadecimal(const unsigned char *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
    *out = '\0';
}

bool secret_make_id(char out[SECRET_ID_LENGTH + 1], error *e)
{
    unsigned char raw[ID_BYTES];
    if (!secret_random(raw, sizeof raw, e))
        return false;
    write_hexadecimal(raw, sizeof raw, out);
    return true;
}

bool secret_make_key(char out[SECRET_KEY_LENGTH + 1], error *e)
{
    memcpy(out, SECRET_KEY_PREFIX, PREFIX);
    return random_text(SECRET_BYTES, out + PREFIX, e);
}

bool secret_make_refresh(const char id[SECRET_ID_LENGTH + 1], char out[SECRET_REFRESH_LENGTH + 1],
                         error *e)
{
    int n = snprintf(out, SECRET_REFRESH_LENGTH + 1, "%s%.32s.", SECRET_REFRESH_PREFIX, id);
    return random_text(SECRET_BYTES, out + n, e);
}

static bool is_random_text(const char *p, size_t length, size_t bytes)
{
    unsigned char raw[SECRET_BYTES];
    size_t n;
    bool ok = base64url_read(p, length, raw, sizeof raw, &n) && n == bytes;
    secret_wipe(raw, sizeof raw);
    return ok;
}

static bool is_id(const char *p)
{
    for (int i = 0; i < SECRET_ID_LENGTH; i++) {
        if (!p[i] || !strchr("0123456789abcdef", p[i]))
            return false;
    }
    return true;
}

bool secret_looks_like_key(const char *p, size_t n)
{
    return n >= PREFIX && memcmp(p, SECRET_KEY_PREFIX, PREFIX) == 0;
}

bool secret_is_key(const char *p, size_t n)
{
    return n == SECRET_KEY_LENGTH && secret_looks_like_key(p, n) &&
           is_random_text(p + PREFIX, BODY, SECRET_BYTES);
}

bool secret_read_refresh(const char *p, size_t n, char id[SECRET_ID_LENGTH + 1])
{
    const char *session = p + PREFIX, *point = session + SECRET_ID_LENGTH;
    if (n != SECRET_REFRESH_LENGTH || memcmp(p, SECRET_REFRESH_PREFIX, PREFIX) != 0 ||
        !is_id(session) || *point != '.' || !is_random_text(point + 1, BODY, SECRET_BYTES))
        return false;
    memcpy(id, session, SECRET_ID_LENGTH);
    id[SECRET_ID_LENGTH] = '\0';
    return true;
}

/* Found once, and kept for as long as the process lives: OpenSSL's search for it costs more than a
 * short hash. */
static EVP_MD *sha256;

static void find_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

bool secret_hash(const char *p, size_t n, unsigned char out[SECRET_HASH_BYTES], error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_sha256);
    return (sha256 && EVP_Digest(p, n, out, NULL, sha256, NULL) == 1) ||
           error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

bool secret_hash_text(const char *p, size_t n, char out[SECRET_HASH_TEXT + 1], error *e)
{
    unsigned char hash[SECRET_HASH_BYTES];
    if (!secret_hash(p, n, hash, e))
        return false;
    write_hexadecimal(hash, sizeof hash, out);
    return true;
}

bool secret_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void secret_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
