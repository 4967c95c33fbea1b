/* The endpoint /api/v1/ws/metrics: subscriptions to metrics, and nothing else. */
#include "daemon/envelope.h"
#include "daemon/ws_json.h"

static const char *const types[] = {"auth",      "ping",        "pong", "close",
                                    "subscribe", "unsubscribe", NULL};

const ws_protocol ws_protocol_metrics = {
    .form = FORM_JSON,
    .text = true,
    .endpoint = "/api/v1/ws/metrics",
    .types = types,
    .topic = "metrics",
    .opened = ws_json_welcome,
    .message = ws_json_message,
    ENVELOPE_ANSWERS,
};
