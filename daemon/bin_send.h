/* Answers and other messages of rustydb.bin.v1 to one connection. Reactor thread. */
#ifndef DAEMON_BIN_SEND_H
#define DAEMON_BIN_SEND_H

#include "daemon/conn.h"
#include "daemon/ws_protocol.h"
#include "wire/bin_message.h"

/* A connection for which memory is out is cut. */
void bin_send(conn *c, const bin_message *m);

/* These are ws_protocol's functions. request_id is the id itself. */
void bin_welcome_send(conn *c);
void bin_subscribed_send(conn *c, const char *request_id, const sub_info *s);
void bin_failed_send(conn *c, const char *request_id, const error *e, const char *subscription_id);
void bin_closing_send(conn *c);

#endif
