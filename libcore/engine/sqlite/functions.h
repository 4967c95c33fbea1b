/* The SQL functions that policies are written with: who the viewer is, and masks. What they do
 * stands in engine/policy.h.
 *
 * They are not deterministic in SQLite's sense, so that no index, generated column or CHECK can
 * keep what one viewer sees. The masks are meant for policies alone: the guard refuses them to
 * clients. One thread at a time, that of the connection. */
#ifndef ENGINE_SQLITE_FUNCTIONS_H
#define ENGINE_SQLITE_FUNCTIONS_H

#include <jansson.h>
#include <sqlite3.h>

#include "base/error.h"
#include "engine/access.h"

enum { MASK_KEY_SIZE = 32 };

/* What the functions of one connection look at. */
typedef struct functions {
    const viewer *viewer;     /* NULL: the daemon itself */
    char *text;               /* owned: the claims that were asked for last, */
    json_t *claims;           /* owned: and what they say; NULL: nothing */
    const unsigned char *key; /* MASK_KEY_SIZE bytes, which outlive the connection */
} functions;

/* Makes the functions known to a connection; f and key must live as long. */
bool functions_install(functions *f, sqlite3 *db, const unsigned char *key, error *e);
/* From now on they tell of this viewer, who must live until the next call. */
void functions_see(functions *f, const viewer *v);
/* After the connection was closed; also zeroed. */
void functions_free(functions *f);

/* Whether clients with restricted rights may not call it: masks, and what reaches files. */
bool functions_are_closed(const char *name);

#endif
