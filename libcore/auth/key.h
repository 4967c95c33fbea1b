/* API keys: secrets of programs. A key belongs to a user, whose rights it has or those of some of
 * his roles; or it is a service by itself, with roles of its own.
 *
 *     {"id","description","user"?,"roles"?:[...],"hash","prefix","expires_us"?,"addresses":[...],
 *      "rate"?,"created_at","created_by","last_used_us"?} */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "auth/document.h"
#include "config/networks.h"

enum {
    KEY_DESCRIPTION_MAX = 500, /* bytes */
    KEY_ADDRESSES_MAX = 64,
    KEY_RATE_MAX = 1000000, /* requests a second */
    KEY_ROLES_MAX = 32,
    KEY_PREFIX_LENGTH = 8, /* of the key, for people */
};

#define KEY_MARK "key" /* the mark by which a key is found: this and the hash */

typedef struct auth_key {
    const char *id, *description;
    const char *user; /* NULL: a service */
    int n_roles;      /* of a user's key 0: it has all that he has */
    const char *const *roles;
    const char *hash;   /* SHA-256 of the key, in hexadecimal */
    const char *prefix; /* its first characters */
    int64_t expires_us; /* wall clock; 0: never */
    int n_addresses;    /* 0: it may come from anywhere */
    const char *const *addresses;
    networks from; /* the same */
    int rate;      /* requests a second; 0: no limit of its own */
    const char *created_at, *created_by;
    int64_t last_used_us; /* wall clock, as the database has it; 0: never */
} auth_key;

static inline const auth_key *auth_key_of(const auth_document *d)
{
    return d->is;
}

/* When the key was last used, by what is in memory. */
int64_t auth_key_used_us(const auth_document *d);

#endif
