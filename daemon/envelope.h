/* Writing messages of rustydb.json.v1: {"id"?,"type","payload","timestamp"}. The protocol itself
 * and the endpoints that speak its envelope use it. Reactor thread only. */
#ifndef DAEMON_ENVELOPE_H
#define DAEMON_ENVELOPE_H

#include "daemon/conn.h"
#include "daemon/ws_protocol.h"
#include "json/writer.h"

/* Starts an envelope and leaves the payload to the caller, who ends with envelope_end. id: JSON
 * text, or NULL. */
void envelope_begin(json_writer *w, buf *out, const char *id, const char *type);
/* Sends it; a connection for which memory is out is cut. */
void envelope_end(json_writer *w, conn *c);

/* "query_result" with {"part":"end"; the caller adds members and ends with envelope_end_end. */
void envelope_begin_end(json_writer *w, buf *out, const char *id);
void envelope_end_end(json_writer *w, conn *c);

/* These are ws_protocol's functions, for every protocol that speaks this envelope. */
void envelope_subscribed(conn *c, const char *id, const sub_info *s);
void envelope_failed(conn *c, const char *id, const error *e, const char *subscription_id);
void envelope_closing(conn *c);

#endif
