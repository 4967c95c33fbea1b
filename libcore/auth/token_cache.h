/* Identities by the tokens that showed them lately, so that a token is taken apart and its
 * signature verified once and not with every request. Tokens are known by their hashes. Whoever
 * finds an identity here still asks whether it is good (its generation, its end, its session).
 *
 * One mutex guards the table, for a look-up. Any thread. */
#ifndef AUTH_TOKEN_CACHE_H
#define AUTH_TOKEN_CACHE_H

#include "auth/identity.h"
#include "auth/secret.h"

typedef struct token_cache token_cache;

token_cache *token_cache_new(void);    /* never NULL */
void token_cache_free(token_cache *t); /* NULL is fine */

/* The caller holds it; NULL: it is not there. */
identity *token_cache_find(token_cache *t, const unsigned char hash[SECRET_HASH_BYTES]);
/* Holds it, in the place of another that was there. */
void token_cache_put(token_cache *t, const unsigned char hash[SECRET_HASH_BYTES], identity *who);

#endif
