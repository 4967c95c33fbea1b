/* Secrets that are random: API keys, refresh tokens, names of sessions. Each has one spelling that
 * is checked before it is looked up. What is kept of a secret is its SHA-256; 256 random bits need
 * no salt and no slow hash (passwords do: password.h).
 *
 *     API key         rdb_ and 43 characters
 *     refresh token   rdr_, the session's id, a point, 43 characters
 *
 * Whoever holds a secret wipes it when done. Any thread, never blocks. */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define SECRET_KEY_PREFIX     "rdb_"
#define SECRET_REFRESH_PREFIX "rdr_"

enum {
    SECRET_HASH_BYTES = 32, /* SHA-256 */
    SECRET_HASH_TEXT = 64,  /* its hexadecimal digits */
    SECRET_ID_LENGTH = 32,  /* 128 random bits as hexadecimal digits */
    SECRET_KEY_LENGTH = 47,
    SECRET_REFRESH_LENGTH = 80,
};

/* n random bytes. False and INTERNAL_ERROR when the system gives none. */
bool secret_random(void *out, size_t n, error *e);

/* A new id, API key, or refresh token of the session `id`, with a NUL. Errors as above. */
bool secret_make_id(char out[SECRET_ID_LENGTH + 1], error *e);
bool secret_make_key(char out[SECRET_KEY_LENGTH + 1], error *e);
bool secret_make_refresh(const char id[SECRET_ID_LENGTH + 1], char out[SECRET_REFRESH_LENGTH + 1],
                         error *e);

/* Whether a text begins as an API key does, well-formed or not: then it is nothing else. */
bool secret_looks_like_key(const char *p, size_t n);
/* Whether a text is an API key that could have been made here. */
bool secret_is_key(const char *p, size_t n);
/* The same for a refresh token; `id` gets the session that it names. */
bool secret_read_refresh(const char *p, size_t n, char id[SECRET_ID_LENGTH + 1]);

/* The SHA-256 of n bytes, as bytes or as hexadecimal digits with a NUL. INTERNAL_ERROR when out of
 * memory. */
bool secret_hash(const char *p, size_t n, unsigned char out[SECRET_HASH_BYTES], error *e);
bool secret_hash_text(const char *p, size_t n, char out[SECRET_HASH_TEXT + 1], error *e);

/* Compares n bytes in a time that does not depend on what they are. */
bool secret_equal(const void *a, const void *b, size_t n);

/* Overwrites n bytes in a way that the compiler does not leave out. */
void secret_wipe(void *p, size_t n);

#endif
