/* Giving a user another password, for threads that may block. */
#ifndef DAEMON_USER_PASSWORD_H
#define DAEMON_USER_PASSWORD_H

#include "auth/document.h"
#include "daemon/daemon.h"

/* Keeps the hash of a password in the user's document. CONFLICT when the document is no longer what
 * is kept. */
bool user_password_set(server *d, const auth_document *user, const char *hash, error *e);

#endif
