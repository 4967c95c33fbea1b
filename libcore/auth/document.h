/* Documents about identities: users, roles, API keys. A document is a JSON object that is checked
 * when it is made, from wherever it comes, and then never changes; it is counted and shared between
 * threads.
 *
 * Each kind (auth_kind) has a file of its own that reads it: user.h, role.h, key.h. */
#ifndef AUTH_DOCUMENT_H
#define AUTH_DOCUMENT_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "auth/identity.h"
#include "base/arena.h"
#include "base/error.h"

typedef enum auth_kind { AUTH_USER, AUTH_ROLE, AUTH_KEY, AUTH_KINDS } auth_kind;

enum { AUTH_NAME_MAX = 63 }; /* bytes of a user's, role's or key's name, and of an id */

typedef struct auth_document {
    atomic_uint refs;
    auth_kind kind;
    arena mem;        /* holds what is below */
    const char *name; /* what it is kept under: a name, or the id of a key */
    const char *json; /* the object as text */
    size_t len;
    const void *is;     /* an auth_user, auth_role or auth_key */
    const char *owner;  /* the user that it goes with; NULL: none */
    int n_marks;        /* by which it is found besides: no two documents have the same, */
    const char **marks; /* such as "uid 1000" */

    atomic_llong used_us; /* of a key: wall clock of its last use */
    identity *seen;       /* whom it identifies; the store's (store.h), guarded by its lock */
} auth_document;

/* From an object, which is taken over (NULL: memory was out). NULL with INVALID_MESSAGE when it is
 * not what the kind wants. The caller holds it. */
auth_document *auth_document_make(auth_kind kind, json_t *object, error *e);
auth_document *auth_document_hold(const auth_document *d); /* NULL is fine, here and below */
void auth_document_release(const auth_document *d);
/* The object once more, for another to be made from; the caller's to decref. NULL: out of memory.
 */
json_t *auth_document_object(const auth_document *d);

/* "user", "role", "key". */
const char *auth_kind_name(auth_kind kind);
/* The kind of this name; AUTH_KINDS: none. */
auth_kind auth_kind_of(const char *name);
/* How many there may be of a kind. */
int auth_kind_max(auth_kind kind);

/* ---- for those who read a kind ---- */
/* Sets name, is, owner, marks from the object; everything in d->mem, nothing in the object, which
 * does not live on. */
typedef bool auth_reader(auth_document *d, json_t *object, error *e);
auth_reader auth_read_user, auth_read_role, auth_read_key;

/* A copy in the document's memory. */
bool auth_keep_text(auth_document *d, const char *text, const char **to, error *e);
/* An array (NULL: none) of at most `max` texts of 1 to `longest` bytes, none twice. `what` names it
 * in messages. */
bool auth_keep_texts(auth_document *d, json_t *array, const char *what, int max, int longest,
                     int *n, const char *const **to, error *e);
/* A value (NULL: none, and *to is NULL) as JSON text of `longest` bytes at most. */
bool auth_keep_json(auth_document *d, const json_t *value, const char *what, size_t longest,
                    const char **to, error *e);
/* Adds a mark. */
bool auth_mark(auth_document *d, const char *what, const char *value, error *e);
/* Whether a text can be the name of a user, role or key: 1 to AUTH_NAME_MAX letters, digits and
 * ". _ - @", the first of them a letter or digit. INVALID_MESSAGE. */
bool auth_check_name(const char *name, const char *what, error *e);
/* Whether a text is 1 (or 0, where `empty` is true) to `longest` bytes long. INVALID_MESSAGE. */
bool auth_check_length(const char *text, const char *what, bool empty, size_t longest, error *e);

#endif
