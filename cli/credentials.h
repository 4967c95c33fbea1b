/* Logins that were saved: a file of this user's alone, credentials.json in $XDG_CONFIG_HOME/rustydb
 * or ~/.config/rustydb, with what there is for each daemon. One thread.
 *
 * The file is trusted only when it belongs to this user and is closed to everyone else. It is
 * replaced as a whole, so that it is the old one or the new one whenever this process ends. */
#ifndef CLI_CREDENTIALS_H
#define CLI_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* What is kept of a login. All texts are owned; credentials_free wipes them. */
typedef struct saved_login {
    char *user;
    char *token;         /* what requests carry */
    char *refresh_token; /* gives the next one; NULL: the token is an API key */
    int64_t expires_at;  /* of the token, wall clock, seconds; 0: not known, or never */
} saved_login;

void credentials_free(saved_login *l);

/* The login for this daemon, by the URL that endpoint.base has (or "unix:PATH"). NOT_FOUND when
 * there is none; PERMISSION_DENIED when the file is open to others; CLIENT_ERROR when it cannot be
 * read. */
bool credentials_find(const char *url, saved_login *out, error *e);
/* Keeps it in place of what was there; NULL forgets it. CLIENT_ERROR when that is impossible. */
bool credentials_save(const char *url, const saved_login *l, error *e);

/* Waits until no other process changes the file. -1 with e set; else a descriptor for unlock. */
int credentials_lock(error *e);
void credentials_unlock(int lock);

#endif
