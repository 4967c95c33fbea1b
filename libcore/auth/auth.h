/* Who is asking. Today there is one identity, root, known by the token in DIR/root.token; users,
 * keys and roles will be further kinds of principal behind the same function. */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "engine/engine.h"

typedef enum principal_kind { PRINCIPAL_NONE, PRINCIPAL_ROOT } principal_kind;

typedef struct principal {
    principal_kind kind;
    char name[64]; /* for logs and answers: "root" */
} principal;

typedef struct auth auth;

/* Loads the stored hash; makes DIR/root.token (mode 0600, 256 random bits) where the database has
 * none yet, or the file is gone (then the old token stops working, and the log says so). */
auth *auth_open(engine *g, const char *dir, error *e);
void auth_close(auth *a);

/* Checks a bearer token in constant time. Any thread, never blocks. AUTH_FAILED when it is not
 * known. */
bool auth_check(const auth *a, const char *token, size_t n, principal *who, error *e);

#endif
