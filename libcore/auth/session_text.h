/* Inside auth: a session as the database keeps it. */
#ifndef AUTH_SESSION_TEXT_H
#define AUTH_SESSION_TEXT_H

#include "auth/sessions.h"

typedef struct session {
    session_info info;
    char refresh_hash[SECRET_HASH_TEXT + 1]; /* of the one token that is good */
    bool ending;                             /* it is over, and being removed */
} session;

/* From and to JSON. NULL with INVALID_MESSAGE, or INTERNAL_ERROR when out of memory; the writer's
 * errors are the buf's. */
session *session_read(const char *json, size_t n, error *e);
void session_write(const session *x, buf *out);
void session_discard(session *x); /* NULL is fine */

/* Takes what a client calls itself, without control characters and cut to fit. */
void session_set_agent(session_info *i, const char *agent);

#endif
