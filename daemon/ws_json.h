/* The subprotocol rustydb.json.v1: what each message type asks for. Reactor thread only. */
#ifndef DAEMON_WS_JSON_H
#define DAEMON_WS_JSON_H

#include "daemon/conn.h"

void ws_json_welcome(conn *c);
/* Takes one whole message apart and acts on it; whatever is wrong with it is answered. */
void ws_json_message(conn *c, const char *text, size_t n);

#endif
