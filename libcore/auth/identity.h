/* Somebody who has shown who he is: immutable, counted, shared between threads. Requests,
 * connections and jobs hold one; a NULL identity is a stranger. */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/rights.h"
#include "base/error.h"
#include "engine/access.h"

enum { IDENTITY_NAME = 64, IDENTITY_ID = 40, IDENTITY_OWNER = 120 };

typedef enum identity_kind {
    IDENTITY_ROOT,  /* by the token in DIR/root.token */
    IDENTITY_USER,  /* of this database: a session, a client certificate, a Unix socket's peer */
    IDENTITY_KEY,   /* an API key */
    IDENTITY_TOKEN, /* a token of another issuer */
} identity_kind;

typedef struct identity {
    atomic_uint refs;
    identity_kind kind;
    char name[IDENTITY_NAME]; /* for logs and answers, and current_user() */
    rights *rights;           /* held */
    viewer eyes;              /* what jobs see with; points into this and rights */
    char *claims;             /* owned; NULL: none */
    int64_t expires_us;       /* wall clock; 0: never */
    char session[IDENTITY_ID], key[IDENTITY_ID]; /* ids of what it came by; empty: none */
    unsigned char signer[32]; /* of a token: the print of the issuer's key (jwt_key.h) */
    char *mark;               /* owned: the mark of a user (store.h) that it came by; NULL: none */
    int rate;                 /* requests a second of an API key; 0: no limit of its own */
    uint64_t generation;      /* what the store of identities was like when it was made (auth.h) */
} identity;

/* Takes over `rights`; copies the rest. The caller holds it. NULL when memory is out (then the
 * rights are released). claims: JSON text or NULL. */
identity *identity_new(identity_kind kind, const char *name, rights *r, const char *claims);
identity *identity_hold(const identity *who); /* NULL is fine, here and below */
void identity_release(const identity *who);

/* "root", "user", "key", "token". */
const char *identity_kind_name(identity_kind kind);

/* Who it is, in a text that nobody else has: what belongs to somebody (transactions, answers that
 * are kept for him) is known by it. A key is somebody else than the user who made it. */
void identity_owner(const identity *who, char out[IDENTITY_OWNER]);
bool identity_same(const identity *a, const identity *b);

/* PERMISSION_DENIED, with the scope in the hint, unless he has it (SCOPE_*; 0: none is needed). */
bool identity_check(const identity *who, unsigned scope, error *e);

/* scope: SCOPE_*, stream: STREAM_*. A stranger may nothing. */
static inline bool identity_may(const identity *who, unsigned scope)
{
    return who && rights_scopes(who->rights) & scope;
}
static inline bool identity_may_stream(const identity *who, unsigned stream)
{
    return who && rights_streams(who->rights) & stream;
}
static inline bool identity_may_channel(const identity *who, const char *channel, unsigned what)
{
    return who && rights_channel(who->rights, channel, what);
}
/* What his jobs see with. */
static inline const viewer *identity_eyes(const identity *who)
{
    return who ? &who->eyes : &viewer_nobody;
}

#endif
