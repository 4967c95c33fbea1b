/* Passwords: kept as yescrypt hashes (through libxcrypt), which are slow and large on purpose. The
 * default cost takes some 60 ms of a processor and 16 MB.
 *
 * Hashing and checking block for that long: never on a reactor. Any other thread. Memory that held
 * something of a password is wiped; the password itself is the caller's to wipe. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum {
    PASSWORD_MIN = 8,   /* characters */
    PASSWORD_MAX = 511, /* bytes; libxcrypt takes no more */
    PASSWORD_COST_MIN = 1,
    PASSWORD_COST_MAX = 11,  /* each step takes twice the time and the memory */
    PASSWORD_HASH_MAX = 384, /* with the NUL */
};

/* Whether this may become a password: UTF-8 of at least PASSWORD_MIN characters and at most
 * PASSWORD_MAX bytes without control characters. INVALID_MESSAGE with what is wrong. Does not
 * block. */
bool password_acceptable(const char *p, size_t n, error *e);

/* The hash of an acceptable password with a new salt, as text "$y$...". INVALID_MESSAGE when the
 * password is not acceptable, INTERNAL_ERROR when memory or random numbers are out. */
bool password_hash(const char *p, size_t n, int cost, char out[PASSWORD_HASH_MAX], error *e);

/* Whether the password is the one of a hash. A hash that is malformed matches nothing. A password
 * that could be nobody's (empty, too long, with a NUL) is refused without being hashed, whoever it
 * is for. */
bool password_check(const char *hash, const char *p, size_t n);

/* Says no, after the work that checking a password of somebody known takes: for unknown users, so
 * that the time tells nothing. `cost` is the one that new hashes get. */
bool password_check_nobody(const char *p, size_t n, int cost);

/* Whether a hash was made with another cost or method than new ones get: then it is to be made anew
 * when its password is known, at a login. Does not block. */
bool password_is_outdated(const char *hash, int cost);

#endif
