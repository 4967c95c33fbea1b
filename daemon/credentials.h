/* What connections show of who is at the other end. Reactor thread only. */
#ifndef DAEMON_CREDENTIALS_H
#define DAEMON_CREDENTIALS_H

#include "auth/auth.h"
#include "daemon/conn.h"

/* Whose token it is (n bytes with a NUL behind them), coming from this address. Errors as of
 * auth_identify. */
identity *conn_identify(const conn *c, const ip_address *from, const char *token, size_t n,
                        error *e);

/* Who it is by the connection itself: the client's certificate, or the uid at the other end of a
 * Unix socket. NULL without an error (ERR_NONE) when it shows neither; otherwise errors as of
 * auth_identify. */
identity *conn_identify_peer(const conn *c, error *e);

#endif
