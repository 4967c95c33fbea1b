/* Where people log in: threads of its own for what a password costs, and limits on how many
 * passwords are looked at, at once and one after the other. Sessions themselves are
 * auth/sessions.h.
 *
 * A user's name, known here or not, and an address may fail some times for nothing; then each has
 * to wait, longer every time (auth/attempts.h). So guessing is slow wherever it comes from, while
 * somebody who is guessed at is kept out for a minute at most. */
#ifndef DAEMON_LOGINS_H
#define DAEMON_LOGINS_H

#include "auth/sessions.h"
#include "daemon/errand.h"

typedef struct logins logins;

/* NULL with INTERNAL_ERROR when there is no thread to be had. */
logins *logins_start(error *e);
/* Finishes what is under way; the engine is still there. NULL is fine. */
void logins_stop(logins *l);

/* The limits on sessions that the settings name. */
session_limits logins_session_limits(const config *cfg);

/* ---- reactor thread ---- */
/* Whether a password may be tried for this user, by this request. BUSY, or RATE_LIMIT_EXCEEDED and
 * in *wait_s for how long. True: logins_start_try is called next. */
bool logins_admit(request *q, const char *user, int64_t *wait_s, error *e);
/* Runs an errand with that password. Once it knows, it calls logins_tried. */
void logins_start_try(request *q, errand *k);
/* Runs an errand about sessions, without a password. */
void logins_start_errand(request *q, errand *k);
/* Where a request comes from, as text without a port; "" when that is not known (a Unix socket).
 * The second is what limits are about: of IPv6, the network of 64 bits. */
void logins_address(const request *q, char out[SESSION_ADDRESS]);
void logins_limited_by(const request *q, char out[SESSION_ADDRESS]);

/* ---- any thread ---- */
/* The password was right, or was not. */
void logins_tried(server *d, const char *user, const char *address, bool right);
/* Has all sessions of a user end, in a while: he is gone, or shut out, or has another password. */
void logins_end_user(server *d, const char *user);

#endif
