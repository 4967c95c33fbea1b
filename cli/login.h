/* Logging in and out, and using a login that was saved. One thread. */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H

#include <stdbool.h>

#include "base/error.h"
#include "cli/client.h"

/* The name of the endpoint among saved logins. Borrowed from it. */
const char *login_url(const endpoint *ep);

/* Gives the endpoint the token of a saved login, where there is one and it has none of its own. A
 * token that is about to expire is exchanged for the next one first, and that is saved. False with
 * e set: the file cannot be used, or the login has ended (AUTH_EXPIRED: it has to be made anew). */
bool login_use(endpoint *ep, error *e);

/* Logs in with a name and a password, and saves what comes. The errors of the request, of the file,
 * and what the daemon says. */
bool login_make(client *c, const char *user, const char *password, error *e);
/* Saves an API key or another token, when the daemon takes it. */
bool login_keep_token(client *c, const char *token, error *e);
/* Ends the session at the daemon, where there is one, and forgets it here. *was: somebody was
 * logged in. The login is forgotten though the daemon cannot be reached; e then says so. */
bool login_end(client *c, bool *was, error *e);

#endif
