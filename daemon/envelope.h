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

/* These are ws_protocol's functions, for every protocol that speaks this envelope. */
const run_encoder *envelope_encoder(const char *id);
bool envelope_cancel_name(const char *id, char *out, size_t room);
void envelope_finish(run *r);
void envelope_begin_result(json_writer *w, buf *out, const char *id, result_kind kind);
void envelope_end_result(json_writer *w, conn *c, const char *id);
void envelope_subscribed(conn *c, const char *id, const sub_info *s);
void envelope_failed(conn *c, const char *id, const error *e, const char *subscription_id);
void envelope_direct(conn *c, const struct ws_direct *m);
void envelope_closing(conn *c);

#define ENVELOPE_ANSWERS                                                                           \
    .input = "payload", .encoder = envelope_encoder, .cancel_name = envelope_cancel_name,          \
    .finish = envelope_finish, .begin_result = envelope_begin_result,                              \
    .end_result = envelope_end_result, .subscribed = envelope_subscribed,                          \
    .failed = envelope_failed, .closing = envelope_closing

#endif
