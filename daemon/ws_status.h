/* What the WebSocket side is doing, as members of a JSON object: GET /ws/status and the request
 * `status` tell it. Any thread. */
#ifndef DAEMON_WS_STATUS_H
#define DAEMON_WS_STATUS_H

#include "daemon/daemon.h"
#include "json/writer.h"

void ws_status_write(json_writer *w, server *d);
/* An object: what one connection may do. */
void ws_limits_write(json_writer *w, const config *cfg);

#endif
