/* The token of root: 256 random bits in DIR/root.token, of which the database keeps the hash. */
#ifndef AUTH_ROOT_TOKEN_H
#define AUTH_ROOT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "engine/engine.h"

enum { ROOT_HASH_BYTES = 32 }; /* SHA-256 */

typedef struct root_token {
    unsigned char hash[ROOT_HASH_BYTES]; /* set once, then only read */
} root_token;

/* Loads the hash; makes DIR/root.token (mode 0600) where the database has none yet, or the file is
 * gone (then the old token stops working, and the log says so). Blocks; for start-up. */
bool root_token_load(root_token *t, engine *g, const char *dir, error *e);
/* Whether this is the token, compared in constant time. Any thread. */
bool root_token_is(const root_token *t, const char *token, size_t n);

#endif
