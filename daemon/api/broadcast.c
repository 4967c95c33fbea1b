/* POST /ws/broadcast. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/audience.h"
#include "daemon/conn_describe.h"
#include "daemon/params.h"
#include "daemon/topic_rights.h"

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

void api_broadcast(request *q)
{
    const json_t *d = q->doc;
    broadcast_request b = {
        .message = json_object_get(d, "message"),
        .channel = json_string_value(json_object_get(d, "channel")),
        .event = json_string_value(json_object_get(d, "event")),
        .metadata = json_object_get(d, "metadata"),
    };
    audience to = {
        .type = json_string_value(json_object_get(d, "subscription_type")),
        .user = json_string_value(json_object_get(d, "user_id")),
        .list = json_is_true(json_object_get(d, "list_connections")),
    };
    uint64_t targets[MAX_TARGETS];
    char topic[TOPIC_ROOM];
    error e;
    bool may = !b.channel || topic_rights_publish(q->c, b.channel, &e);
    publication *p = may && read_targets(json_object_get(d, "target_connections"), targets, &to, &e)
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
}
