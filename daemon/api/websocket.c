/* GET /ws and GET /ws/status. */
#include "daemon/api/api.h"
#include "daemon/ws_status.h"

/* GET /ws without an upgrade. */
void api_upgrade_required(request *q)
{
    error e;
    error_set(&e, ERR_UPGRADE_REQUIRED, "this is a WebSocket endpoint");
    error_hint(&e, "Connect with ws:// and a WebSocket client.");
    http_reply_problem(q, &e, NULL);
}

void api_get_web_socket_status(request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    ws_status_write(&w, q->c->r->d);
    http_end_json(q, 200, &w);
}
