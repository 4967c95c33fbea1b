/* POST /ws/broadcast. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/audience.h"
#include "daemon/conn_describe.h"
#include "daemon/params.h"
#include "json/read.h"

enum { MAX_TARGETS = 1000 };

static void put_named(json_writer *w, const audience_reached *r)
{
    char id[24];
    jw_key(w, "connections");
    jw_begin_array(w);
    for (size_t i = 0; i < r->n_named; i++) {
        snprintf(id, sizeof id, "c%llu", (unsigned long long)r->named[i]);
        jw_str(w, id);
    }
    jw_end_array(w);
}

static void done(conn *c, void *arg, const audience_reached *r)
{
    char *channel = arg;
    buf out;
    json_writer w;
    if (c->state != CONN_DEAD && c->req) {
        http_begin_json(&w, &out);
        jw_key(&w, "channel");
        jw_str(&w, channel);
        jw_key(&w, "delivered");
        jw_int(&w, r->n);
        if (r->list)
            put_named(&w, r);
        http_end_json(c->req, 200, &w);
    }
    mem_free(channel);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool read_targets(json_t *ids, uint64_t to[MAX_TARGETS], audience *a, error *e)
{
    size_t i;
    json_t *item;
    if (!ids)
        return true;
    if (json_array_size(ids) == 0 || json_array_size(ids) > MAX_TARGETS)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "target_connections has %zu items; 1 to %d are allowed",
                         json_array_size(ids), MAX_TARGETS);
    json_array_foreach(ids, i, item)
    {
        const char *id = json_string_value(item);
        if (!id || !(to[i] = conn_parse_id(id)))
            return error_set(e, ERR_INVALID_MESSAGE,
                             "target_connections[%zu] is not the id of a connection", i);
    }
    qsort(to, json_array_size(ids), sizeof *to, by_number);
    a->connections = to;
    a->n_connections = 1;
    for (i = 1; i < json_array_size(ids); i++) { /* one that is named twice gets it once */
        if (to[i] != to[a->n_connections - 1])
            to[a->n_connections++] = to[i];
    }
    return true;
}

void api_ws_broadcast(request *q)
{
    static const char *const allowed[] = {NULL};
    broadcast_request b = {0};
    audience to = {0};
    uint64_t targets[MAX_TARGETS];
    char topic[TOPIC_ROOM];
    json_t *ids = NULL;
    const json_field fields[] = {
        {"message", FIELD_ANY, true, &b.message, 0, 0},
        {"channel", FIELD_STR, false, &b.channel, 0, 0},
        {"event", FIELD_STR, false, &b.event, 0, 0},
        {"metadata", FIELD_OBJECT, false, &b.metadata, 0, 0},
        {"target_connections", FIELD_ARRAY, false, &ids, 0, 0},
        {"subscription_type", FIELD_STR, false, &to.type, 0, 0},
        {"user_id", FIELD_STR, false, &to.user, 0, 0},
        {"list_connections", FIELD_BOOL, false, &to.list, 0, 0},
    };
    error e;
    json_t *root = http_check_params(q, allowed, &e) ? json_read_text(http_body(q), &e) : NULL;
    publication *p = root && json_read_object(root, fields, JSON_FIELDS(fields), &e) &&
                             read_targets(ids, targets, &to, &e)
                         ? params_broadcast(&b, &e)
                         : NULL;
    if (!p) {
        http_reply_error(q, &e);
    } else {
        to.list = to.list || to.connections || to.user || to.type;
        if (b.channel) {
            params_channel_topic(b.channel, topic);
            to.topic = topic;
        }
        audience_send(q->c, &to, p, done, b.channel ? xstrdup(b.channel) : NULL);
    }
    json_decref(root);
}
