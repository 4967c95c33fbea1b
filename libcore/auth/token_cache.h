/* Identities by the tokens that showed them lately, so that a token is taken apart and its
 * signature verified once and not with every request. Whoever finds an identity here still asks
 * whether it is good (its generation, its end, its session).
 *
 * Tokens are kept as they are, and wiped when another takes their place: hashing them anew each
 * time would cost more than all the rest, and who can read this memory finds the key that signs
 * them as well. One mutex guards the table, for a look-up. Any thread. */
#ifndef AUTH_TOKEN_CACHE_H
#define AUTH_TOKEN_CACHE_H

#include <stddef.h>

#include "auth/identity.h"

typedef struct token_cache token_cache;

token_cache *token_cache_new(void);    /* never NULL */
void token_cache_free(token_cache *t); /* NULL is fine */

/* The caller holds it; NULL: it is not there. */
identity *token_cache_find(token_cache *t, const char *token, size_t n);
/* Holds it, in the place of another that was there. What is too long, or finds no memory, is not
 * kept. */
void token_cache_put(token_cache *t, const char *token, size_t n, identity *who);

#endif
