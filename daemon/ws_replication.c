/* The topic `replication`, and the endpoint /api/v1/ws/replication, which has no other. */
#include "daemon/envelope.h"
#include "daemon/hub_subs.h"
#include "daemon/topic_rights.h"
#include "daemon/ws.h"
#include "daemon/ws_json.h"
#include "daemon/ws_requests.h"
#include "feed/position.h"
#include "feed/replication.h"
#include "json/read.h"

#include <string.h>

static bool ask(conn *c, replication_request *q, const char *id, error *e)
{
    const sub_request wanted = {
        .topic = "replication",
        .tables = q->tables,
        .n_tables = q->tables ? q->n_tables : 0,
        .has_since = q->has_since,
        .since = q->since,
    };
    sub *s = topic_rights_replicate(c, wanted.tables, wanted.n_tables, e)
                 ? hub_sub_new(c, &wanted, id, e)
                 : NULL;
    if (!s)
        return false;
    s->source = &c->r->d->consumers;
    q->listener = c->r->listener;
    q->sub = s->number;
    q->form = ws_form_of(c);
    q->connection = c->ws->id;
    q->user = c->ws->who->name;
    q->as = identity_eyes(c->ws->who);
    if (replication_subscribe(c->r->d->replication, q))
        return true;
    hub_sub_free(s);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static bool has_position(const json_t *since)
{
    return since && !json_is_null(since);
}

bool ws_request_replication(conn *c, const char *id, json_t *input, error *e)
{
    const char *topic = NULL, *tables[REPLICATION_TABLES];
    json_t *since = NULL, *names = NULL;
    char log_id[POSITION_LOG_ID_MAX];
    position from = {0};
    replication_request q = {0};
    const char *where = c->ws->protocol->input;
    const json_field fields[] = {
        {"topic", FIELD_STR, false, &topic, 0, 0},
        {"slot_name", FIELD_STR, false, &q.slot, 0, 0},
        {"create", FIELD_BOOL, false, &q.create, 0, 0},
        {"since", FIELD_ANY, false, &since, 0, 0},
        {"tables", FIELD_ARRAY, false, &names, 0, 0},
        {"ddl", FIELD_BOOL, false, &q.ddl, 0, 0},
    };
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e) ||
        (has_position(since) && !position_read(since, where, log_id, &from, e)) ||
        !ws_request_names(names, where, "tables", tables, REPLICATION_TABLES, &q.n_tables, e))
        return false;
    if (q.create && !q.slot)
        return error_set(e, ERR_INVALID_MESSAGE, "%s.create needs a slot_name", where);
    q.has_since = has_position(since);
    q.since = from.lsn;
    q.log_id = from.log_id;
    q.tables = names ? tables : NULL;
    return ask(c, &q, id, e);
}

/* A connection has at most one. */
static const sub *subscription(const conn *c)
{
    list_each(it, &c->ws->subs)
    {
        const sub *s = list_entry(it, sub, ws_link);
        if (s->source == &c->r->d->consumers)
            return s;
    }
    return NULL;
}

bool ws_request_ack(conn *c, const char *id, json_t *input, error *e)
{
    int64_t lsn = 0;
    const json_field fields[] = {{"lsn", FIELD_INT, true, &lsn, 0, INT64_MAX}};
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    const sub *s = subscription(c);
    if (!s)
        return error_set(e, ERR_NOT_FOUND, "this connection has no subscription to replication");
    if (!replication_confirm(c->r->d->replication, c->r->listener, s->number, lsn, e))
        return false;
    if (!id) /* nobody asks */
        return true;
    buf out = BUF_INIT;
    json_writer w;
    c->ws->protocol->begin_result(&w, &out, id, RESULT_DONE);
    jw_key(&w, "lsn");
    jw_int(&w, lsn);
    c->ws->protocol->end_result(&w, c, id);
    return true;
}

static const char *const types[] = {"auth",      "ping",        "pong", "close",
                                    "subscribe", "unsubscribe", "ack",  NULL};

const ws_protocol ws_protocol_replication = {
    .form = FORM_JSON,
    .text = true,
    .endpoint = "/api/v1/ws/replication",
    .types = types,
    .topic = "replication",
    .opened = ws_json_welcome,
    .message = ws_json_message,
    ENVELOPE_ANSWERS,
};
