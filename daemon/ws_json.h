/* Messages in the envelope of rustydb.json.v1, for it and for the endpoints that speak it. Their
 * ws_protocol says which types of messages they take. Reactor thread only. */
#ifndef DAEMON_WS_JSON_H
#define DAEMON_WS_JSON_H

#include "daemon/conn.h"

/* These are ws_protocol's functions. */
void ws_json_welcome(conn *c);
void ws_json_message(conn *c, bool binary, const char *text, size_t n);

#endif
