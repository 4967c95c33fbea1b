/* The subprotocol raw: a connection belongs to one channel, named in the URL. What it sends is
 * published there, and the channel's messages arrive as plain frames (raw_form.h). Nothing else is
 * said to it; what goes wrong ends the connection. */
#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/bin_read.h"
#include "daemon/hub_publish.h"
#include "daemon/hub_subs.h"
#include "daemon/http.h"
#include "daemon/params.h"
#include "daemon/topic_rights.h"
#include "daemon/ws.h"

#include <stdio.h>
#include <string.h>

typedef struct raw_state {
    char topic[TOPIC_ROOM];
    char subscription_id[32];
} raw_state;

static const char own_request[] = "channel"; /* the request_id of its own subscription */

/* The channel is all that the URL may name. */
static bool check_query(const request *q, error *e)
{
    for (const char *at = q->query; *at; at += strlen(at) + 1) {
        size_t n = strcspn(at, "=");
        if (n != strlen("channel") || strncmp(at, "channel", n) != 0)
            return error_set(e, ERR_INVALID_MESSAGE, "there is no query parameter '%.*s'",
                             (int)(n < 60 ? n : 60), at);
    }
    return true;
}

static bool upgrade(const request *q, void **state, error *e)
{
    char name[QUERY_MAX_LEN];
    if (!check_query(q, e))
        return false;
    if (!http_query_param(q, "channel", name, sizeof name)) {
        error_set(e, ERR_INVALID_MESSAGE, "the channel is missing");
        return error_hint(e, "Name it in the URL: ?channel=NAME.");
    }
    if (utf8_valid(name, strlen(name)) != strlen(name))
        return error_set(e, ERR_INVALID_MESSAGE, "the channel's name is not UTF-8");
    if (!params_check_channel(name, e))
        return false;
    raw_state *s = xalloc(sizeof *s);
    params_channel_topic(name, s->topic);
    *state = s;
    return true;
}

static void end_with(conn *c, const error *e)
{
    int code = error_describe(e->code)->close_code;
    conn_end(c, code ? code : 1011, e->message);
}

static void opened(conn *c)
{
    const raw_state *s = c->ws->state;
    const sub_request q = {.topic = s->topic};
    error e;
    if (!hub_subscribe(c, &q, own_request, &e))
        end_with(c, &e);
}

static void closed(conn *c)
{
    mem_free(c->ws->state);
    c->ws->state = NULL;
}

static void published(conn *c, void *arg, int64_t delivered)
{
    (void)c;
    (void)arg;
    (void)delivered;
}

static void take_message(conn *c, bool binary, const char *p, size_t n)
{
    const raw_state *s = c->ws->state;
    const bin_body body = {.form = binary ? BIN_BODY_BINARY : BIN_BODY_TEXT, .p = p, .n = n};
    broadcast_request b = {.channel = s->topic + strlen("channel:")};
    error e;
    if (topic_rights_publish(c, b.channel, &e))
        b.message = bin_body_json(&body, &e);
    publication *made = b.message ? params_broadcast(&b, &e) : NULL;
    json_decref(b.message);
    if (made)
        hub_publish(c, s->topic, made, published, NULL);
    else
        end_with(c, &e);
}

static void subscribed(conn *c, const char *request_id, const sub_info *info)
{
    raw_state *s = c->ws->state;
    if (request_id)
        snprintf(s->subscription_id, sizeof s->subscription_id, "%s", info->subscription_id);
}

/* Without its channel the connection has nothing to do. */
static void failed(conn *c, const char *request_id, const error *e, const char *subscription_id)
{
    const raw_state *s = c->ws->state;
    if (request_id || !subscription_id ||
        (subscription_id && strcmp(subscription_id, s->subscription_id) == 0))
        end_with(c, e);
}

const ws_protocol ws_protocol_raw = {
    .name = "raw",
    .form = FORM_RAW,
    .text = true,
    .binary = true,
    .needs_header = true,
    .input = "payload",
    .upgrade = upgrade,
    .opened = opened,
    .closed = closed,
    .message = take_message,
    .subscribed = subscribed,
    .failed = failed,
};
