/* Requests about topics: subscribe, unsubscribe, publish. */
#include "base/mem.h"
#include "daemon/hub_publish.h"
#include "daemon/hub_subs.h"
#include "daemon/metrics_streams.h"
#include "daemon/params.h"
#include "daemon/topic_rights.h"
#include "daemon/ws.h"
#include "daemon/ws_requests.h"
#include "feed/position.h"
#include "json/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_ops(json_t *list_of, const char *where, op_set *ops, error *e)
{
    size_t i;
    json_t *item;
    if (json_array_size(list_of) == 0)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s.ops is empty; leave it out to get every operation", where);
    json_array_foreach(list_of, i, item)
    {
        const char *name = json_string_value(item);
        int op = OP_INSERT;
        while (op <= OP_DELETE && (!name || strcmp(name, log_op_name((log_op)op)) != 0))
            op++;
        if (op > OP_DELETE)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "%s.ops[%zu] is not \"insert\", \"update\" or \"delete\"", where, i);
        *ops |= 1u << op;
    }
    return true;
}

bool ws_request_names(json_t *list_of, const char *where, const char *what, const char **to,
                      int room, int *n, error *e)
{
    size_t i;
    json_t *item;
    if (list_of && (json_array_size(list_of) == 0 || json_array_size(list_of) > (size_t)room))
        return error_set(e, ERR_INVALID_MESSAGE, "%s.%s has %zu names; 1 to %d are allowed", where,
                         what, json_array_size(list_of), room);
    json_array_foreach(list_of, i, item)
    {
        to[i] = json_string_value(item);
        if (!to[i])
            return error_set(e, ERR_INVALID_MESSAGE, "%s.%s[%zu] is not a string", where, what, i);
        *n = (int)i + 1;
    }
    return true;
}

static bool read_since(json_t *since, const char *where, sub_request *s, char *log_id, error *e)
{
    position at;
    if (!position_read(since, where, log_id, &at, e))
        return false;
    s->since = at.lsn;
    s->log_id = at.log_id;
    s->has_since = true;
    return true;
}

/* Which metrics, and how often (milliseconds). */
static bool read_metrics(json_t *names, int64_t interval_ms, const char *where, sub_request *s,
                         error *e)
{
    char name[64];
    snprintf(name, sizeof name, "%s.metrics", where);
    s->of_metrics = names || interval_ms;
    s->interval_ms = interval_ms ? interval_ms : METRICS_INTERVAL_MS;
    return metric_set_read(&s->metrics, names, name, e);
}

/* What an endpoint lets out, and what it does not let in. */
static bool find_topic(const ws_protocol *p, sub_request *s, json_t *tables, bool query, error *e)
{
    if (!s->topic && !tables && !query)
        s->topic = p->of_tables ? "tables:*" : p->topic;
    if (!query && !s->topic == !tables)
        return error_set(e, ERR_INVALID_MESSAGE, "%s: either topic, tables or query is wanted",
                         p->input);
    if (p->of_tables && (query || (s->topic && strncmp(s->topic, "table", 5) != 0)))
        return error_set(e, ERR_INVALID_MESSAGE, "the topics of this endpoint are tables");
    if (p->topic && (tables || query || strcmp(s->topic, p->topic) != 0))
        return error_set(e, ERR_INVALID_MESSAGE, "the topic of this endpoint is %s", p->topic);
    return true;
}

/* A live query's fields. */
typedef struct query_fields {
    const char *sql;
    json_t *params;
    int64_t min_interval_ms;
} query_fields;

static bool subscribe_query(conn *c, const char *id, const query_fields *f, const sub_request *s,
                            error *e)
{
    arena mem = ARENA_INIT;
    engine_stmt stmt = {0};
    sub_request q = *s;
    char where[64];
    snprintf(where, sizeof where, "%s.", c->ws->protocol->input);
    q.query = &stmt;
    q.min_interval_ms = f->min_interval_ms;
    bool ok =
        params_fill_stmt(&stmt, &mem, f->sql, f->params, where, e) && hub_subscribe(c, &q, id, e);
    arena_free(&mem);
    return ok;
}

/* Replication has options of its own. */
static bool is_of_replication(const conn *c, json_t *input)
{
    const ws_protocol *p = c->ws->protocol;
    const char *topic = json_string_value(json_object_get(input, "topic"));
    if (p->of_tables || (p->topic && topic && strcmp(topic, p->topic) != 0))
        return false; /* refused in a moment */
    topic = topic ? topic : p->topic;
    return topic && strcmp(topic, "replication") == 0;
}

bool ws_request_subscribe(conn *c, const char *id, json_t *input, error *e)
{
    char log_id[POSITION_LOG_ID_MAX];
    const char *policy = NULL, *names[FEED_MAX_TABLES], *columns[FEED_MAX_COLUMNS];
    json_t *ops = NULL, *since = NULL, *list_of_columns = NULL, *tables = NULL;
    json_t *metric_names = NULL;
    int64_t interval_ms = 0;
    query_fields query = {0};
    sub_request s = {0};
    const char *where = c->ws->protocol->input;
    const json_field fields[] = {
        {"topic", FIELD_STR, false, &s.topic, 0, 0},
        {"tables", FIELD_ARRAY, false, &tables, 0, 0},
        {"columns", FIELD_ARRAY, false, &list_of_columns, 0, 0},
        {"ops", FIELD_ARRAY, false, &ops, 0, 0},
        {"where", FIELD_STR, false, &s.where, 0, 0},
        {"since", FIELD_ANY, false, &since, 0, 0},
        {"policy", FIELD_STR, false, &policy, 0, 0},
        {"initial", FIELD_BOOL, false, &s.initial, 0, 0},
        {"metrics", FIELD_ARRAY, false, &metric_names, 0, 0},
        {"query", FIELD_STR, false, &query.sql, 0, 0},
        {"params", FIELD_ANY, false, &query.params, 0, 0},
        {"min_interval", FIELD_INT, false, &query.min_interval_ms, 1, LIVE_MAX_INTERVAL_MS},
        {"interval", FIELD_INT, false, &interval_ms, METRICS_INTERVAL_MIN_MS,
         METRICS_INTERVAL_MAX_MS},
    };
    if (is_of_replication(c, input))
        return ws_request_replication(c, id, input, e);
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    if (!query.sql && (query.params || query.min_interval_ms))
        return error_set(e, ERR_INVALID_MESSAGE, "%s: params and min_interval go with query",
                         where);
    if (!find_topic(c->ws->protocol, &s, tables, query.sql != NULL, e))
        return false;
    s.tables = names;
    s.columns = columns;
    if (!ws_request_names(tables, where, "tables", names, FEED_MAX_TABLES, &s.n_tables, e) ||
        !ws_request_names(list_of_columns, where, "columns", columns, FEED_MAX_COLUMNS,
                          &s.n_columns, e))
        return false;
    if (ops && !read_ops(ops, where, &s.ops, e))
        return false;
    if (since && !json_is_null(since) && !read_since(since, where, &s, log_id, e))
        return false;
    if (policy && !sub_parse_policy(policy, &s.policy))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s.policy is not \"disconnect\", \"drop_oldest\" or \"replay\"", where);
    if (!read_metrics(metric_names, interval_ms, where, &s, e))
        return false;
    return query.sql ? subscribe_query(c, id, &query, &s, e) : hub_subscribe(c, &s, id, e);
}

bool ws_request_unsubscribe(conn *c, const char *id, json_t *input, error *e)
{
    const char *subscription;
    const json_field fields[] = {{"subscription_id", FIELD_STR, true, &subscription, 0, 0}};
    buf out = BUF_INIT;
    json_writer w;
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    if (!hub_unsubscribe(c, subscription))
        return error_set(e, ERR_NOT_FOUND, "this connection has no subscription %s", subscription);
    ws_request_protocol(c)->begin_result(&w, &out, id, RESULT_UNSUBSCRIBED);
    jw_key(&w, "subscription_id");
    jw_str(&w, subscription);
    ws_request_protocol(c)->end_result(&w, c, id);
    return true;
}

/* A publication under way: what its answer repeats. */
typedef struct publishing {
    char *id, *channel; /* owned; NULL: none, everyone */
    bool tell_channel;
} publishing;

static void published(conn *c, void *arg, int64_t delivered)
{
    publishing *pub = arg;
    buf out = BUF_INIT;
    json_writer w;
    if (c->state == CONN_WS || c->state == CONN_HTTP) {
        ws_request_protocol(c)->begin_result(&w, &out, pub->id, RESULT_DONE);
        if (pub->tell_channel) {
            jw_key(&w, "channel");
            jw_str(&w, pub->channel);
        }
        jw_key(&w, "delivered");
        jw_int(&w, delivered);
        ws_request_protocol(c)->end_result(&w, c, pub->id);
    }
    mem_free(pub->id);
    mem_free(pub->channel);
    mem_free(pub);
}

static bool publish(conn *c, const char *id, json_t *input, bool broadcast, error *e)
{
    broadcast_request b = {0};
    const json_field to_all[] = {
        {"message", FIELD_ANY, true, &b.message, 0, 0},
        {"channel", FIELD_STR, false, &b.channel, 0, 0},
        {"event", FIELD_STR, false, &b.event, 0, 0},
        {"metadata", FIELD_OBJECT, false, &b.metadata, 0, 0},
    };
    json_field fields[JSON_FIELDS(to_all)];
    memcpy(fields, to_all, sizeof fields);
    fields[1].required = !broadcast;
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e) ||
        !topic_rights_publish(c, b.channel, e))
        return false;
    char topic[TOPIC_ROOM];
    publication *p = params_broadcast(&b, e);
    if (!p)
        return false;
    publishing *pub = xalloc(sizeof *pub);
    *pub = (publishing){
        .id = id ? xstrdup(id) : NULL,
        .channel = b.channel ? xstrdup(b.channel) : NULL,
        .tell_channel = broadcast,
    };
    if (b.channel)
        params_channel_topic(b.channel, topic);
    hub_publish(c, b.channel ? topic : NULL, p, published, pub);
    return true;
}

bool ws_request_publish(conn *c, const char *id, json_t *input, error *e)
{
    return publish(c, id, input, false, e);
}

bool ws_request_broadcast(conn *c, const char *id, json_t *input, error *e)
{
    return publish(c, id, input, true, e);
}
