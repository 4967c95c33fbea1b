/* How many connections an address may have, and open. An address over its limit is told so by a few
 * connections that are let in for that; more are closed unread. Addresses of trusted proxies, and
 * those that are not known, have no such limit. Any thread. */
#ifndef DAEMON_ADMISSION_H
#define DAEMON_ADMISSION_H

#include "daemon/conn.h"

typedef struct admission {
    account *account; /* held; NULL: no limit is set */
    conn_refusal refusal;
} admission;

/* False: it is to be closed unread, and *out holds nothing. */
bool admission_ask(server *d, const peer *from, admission *out);
/* The connection is gone, or did not come to be. */
void admission_undo(server *d, const admission *a);

/* What a connection that was let in to be told is told: CONNECTION_LIMIT, RATE_LIMIT_EXCEEDED. True
 * when it is in like any other. */
bool admission_check(const conn *c, error *e);

/* The account of the connection's address, where a limit is set; NULL: none is, or it is of a
 * proxy, which speaks for many. A connection that is older than the limit gets its account here.
 * Thread of the connection's reactor. */
account *admission_account(conn *c);

#endif
