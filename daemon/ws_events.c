/* The endpoint /api/v1/ws/events: subscriptions to the changes of tables, and nothing else. */
#include "daemon/envelope.h"
#include "daemon/ws_json.h"

static const char *const types[] = {"auth",      "ping",        "pong", "close",
                                    "subscribe", "unsubscribe", NULL};

const ws_protocol ws_protocol_events = {
    .form = FORM_JSON,
    .text = true,
    .types = types,
    .of_tables = true,
    .opened = ws_json_welcome,
    .message = ws_json_message,
    ENVELOPE_ANSWERS,
};
