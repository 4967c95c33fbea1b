/* GET /ws, GET /ws/status and POST /ws/broadcast. */
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/hub_publish.h"
#include "daemon/params.h"
#include "daemon/ws_status.h"
#include "json/read.h"

#include <string.h>

/* GET /ws without an upgrade. */
void api_ws_upgrade_required(request *q)
{
    error e;
    error_set(&e, ERR_UPGRADE_REQUIRED, "this is a WebSocket endpoint");
    error_hint(&e, "Connect with ws:// and a WebSocket client.");
    http_reply_problem(q, &e, NULL);
}

void api_ws_status(request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    ws_status_write(&w, q->c->r->d);
    http_end_json(q, 200, &w);
}

static void broadcast_done(conn *c, void *arg, int64_t delivered)
{
    char *channel = arg;
    buf out;
    json_writer w;
    if (c->state != CONN_DEAD && c->req) {
        http_begin_json(&w, &out);
        jw_key(&w, "channel");
        jw_str(&w, channel);
        jw_key(&w, "delivered");
        jw_int(&w, delivered);
        http_end_json(c->req, 200, &w);
    }
    mem_free(channel);
}

void api_ws_broadcast(request *q)
{
    broadcast_request b = {0};
    const json_field fields[] = {
        {"message", FIELD_ANY, true, &b.message, 0, 0},
        {"channel", FIELD_STR, false, &b.channel, 0, 0},
        {"event", FIELD_STR, false, &b.event, 0, 0},
        {"metadata", FIELD_OBJECT, false, &b.metadata, 0, 0},
    };
    error e;
    json_t *root = json_read_text(http_body(q), &e);
    char topic[TOPIC_ROOM];
    publication *p = root && json_read_object(root, fields, JSON_FIELDS(fields), &e)
                         ? params_broadcast(&b, &e)
                         : NULL;
    if (!p) {
        http_reply_error(q, &e);
    } else if (!b.channel) {
        hub_publish(q->c, NULL, p, broadcast_done, NULL);
    } else {
        params_channel_topic(b.channel, topic);
        hub_publish(q->c, topic, p, broadcast_done, xstrdup(b.channel));
    }
    json_decref(root);
}
