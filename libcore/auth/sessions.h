/* Who is logged in. A session begins with a password and has two tokens: an access token, which
 * requests carry for some minutes (a JSON Web Token signed by a key of ours, so that it needs no
 * look at the disk), and a refresh token, which gives the next pair, once. A refresh token that
 * comes again was stolen, or its answer was: then the session ends.
 *
 * Sessions are kept by the database (kind "session") and all in memory, so that one that was ended
 * is refused at once. What is kept of a refresh token is its hash. When it was last used is written
 * with the next refresh only.
 *
 * One mutex guards the table; it is held for a look-up. */
#ifndef AUTH_SESSIONS_H
#define AUTH_SESSIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/identity.h"
#include "auth/jwt.h"
#include "auth/secret.h"
#include "base/error.h"
#include "engine/engine.h"

#define SESSION_KIND "session" /* of the database's texts */

enum { SESSION_ADDRESS = 64, SESSION_AGENT = 128 };

typedef struct sessions sessions;

/* Times are of the wall clock, in microseconds. */
typedef struct session_info {
    char id[SECRET_ID_LENGTH + 1];
    char user[IDENTITY_NAME];
    char address[SESSION_ADDRESS]; /* where it began; "" when that is not known */
    char agent[SESSION_AGENT];     /* what the client called itself; may be "" */
    int64_t created_us, used_us;
    int64_t expires_us; /* the latest end, however much it is used */
} session_info;

typedef struct session_limits {
    int64_t access_us; /* life of an access token */
    int64_t idle_us;   /* a session that is not used for so long ends */
    int64_t max_us;    /* longest life of a session */
    int max,
        per_user; /* sessions in all; of one user: one more ends the one that is idle longest */
} session_limits;

/* Makes the key that signs access tokens, or reads it. `generation` grows whenever a session ends;
 * it must outlive this. NULL with the engine's error. */
sessions *sessions_new(engine *g, const session_limits *limits, atomic_ullong *generation,
                       error *e);
/* Has other limits from now on, for sessions that have begun, too. Any thread. */
void sessions_limit(sessions *s, const session_limits *limits);
/* Takes one that was kept; for start-up. One that cannot be read is passed over, with a line in
 * the log. False when memory is out. */
bool sessions_load(sessions *s, const auth_text *t, error *e);
/* When the engine has closed. NULL is fine. */
void sessions_free(sessions *s);

/* ---- access tokens, any thread, never blocks ---- */
/* Whether a token (jwt_read) names our key: then it is no other issuer's. */
bool sessions_made(const sessions *s, const jwt *t);
/* Checks signature, time, and that the session lives; notes that it is used. AUTH_FAILED,
 * AUTH_EXPIRED. *expires_us (may be NULL) gets when the token expires. */
bool sessions_check(sessions *s, jwt *t, session_info *out, int64_t *expires_us, error *e);
/* Whether a session lives, by its id: the first tells what it is, the second notes that it is used.
 * Errors as above. */
bool sessions_find(sessions *s, const char *id, session_info *out, error *e);
bool sessions_use(sessions *s, const char *id, error *e);

/* ---- changes ---- */
/* Two tokens. */
typedef struct session_grant {
    buf access_token;
    int64_t access_expires_us;
    char refresh_token[SECRET_REFRESH_LENGTH + 1];
    session_info session;
} session_grant;

typedef struct session_call {
    /* Once: on an engine's thread, or on the caller's before the function returns. */
    void (*done)(struct session_call *c);

    /* valid at done */
    bool failed;
    error err;
    session_grant grant; /* of begin and refresh; session_call_end wipes it */
    bool reused;         /* refresh: the token had been used, and grant.session ended */
    int ended;           /* sessions that ended */

    /* the sessions' own */
    sessions *owner;
    job job;
    job_sink sink;
    arena mem;
    buf text;
    int n_changes;
    auth_change *changes;
    struct session *fresh; /* one that begins */
    bool turned;           /* one got another refresh token: from the first hash to the second */
    char old_hash[SECRET_HASH_TEXT + 1], new_hash[SECRET_HASH_TEXT + 1];
} session_call;

/* Any thread. The call lives until `done`, then to session_call_end. */
/* A session of this user, whose password was right. BUSY when there are too many. */
void sessions_begin(sessions *s, session_call *c, const char *user, const char *address,
                    const char *agent);
/* The next pair of tokens. AUTH_FAILED, AUTH_EXPIRED. */
void sessions_refresh(sessions *s, session_call *c, const char *token, size_t n);
/* Ends a session; NOT_FOUND when there is none. */
void sessions_end(sessions *s, session_call *c, const char *id);
/* Ends those of a user, except one (NULL: none is excepted). */
void sessions_end_user(sessions *s, session_call *c, const char *user, const char *except);
/* Frees what a call holds, and wipes its tokens. */
void session_call_end(session_call *c);

/* Copies those of a page, the newest first: of one user, or (NULL) of all. Returns how many; *total
 * gets how many there are. Any thread. */
int sessions_page(sessions *s, const char *user, int64_t offset, int limit, session_info *out,
                  int64_t *total);

#endif
