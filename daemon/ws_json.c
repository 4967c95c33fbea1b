/* The subprotocol rustydb.json.v1: its envelope, and the request behind each message type. */
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/envelope.h"
#include "daemon/guest.h"
#include "daemon/ws.h"
#include "daemon/ws_asks.h"
#include "daemon/ws_direct.h"
#include "daemon/ws_json.h"
#include "daemon/ws_requests.h"
#include "daemon/ws_status.h"
#include "json/read.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ID = 256 }; /* bytes of a message's id */

/* A message taken apart. Everything is borrowed from `root`, id_text apart. */
typedef struct message {
    conn *c;
    const char *type;
    json_t *payload; /* NULL when there is none */
    char *id_text;   /* the id as JSON text, NULL when there is none; owned */
    const char *from, *to;
    json_t *metadata;
    bool in_batch; /* itself part of one */
    bool is_batch; /* what it comes to is the matter of its messages */
} message;

typedef struct message_type {
    const char *name;
    bool (*handle)(message *m, error *e); /* NULL: the request does it */
    ws_request *request;
    ws_ask asks;
    bool before_auth; /* allowed without credentials */
} message_type;

/* ---- connection --------------------------------------------------------------------------------
 */

void ws_json_welcome(conn *c)
{
    engine_stats stats;
    buf out = BUF_INIT;
    json_writer w;
    engine_stats_get(c->r->d->engine, &stats);
    envelope_begin(&w, &out, NULL, "welcome");
    jw_begin_object(&w);
    jw_key(&w, "connection_id");
    jw_str(&w, c->ws->id);
    jw_key(&w, "version");
    jw_str(&w, RUSTYDB_VERSION);
    jw_key(&w, "authenticated");
    jw_bool(&w, c->ws->who);
    if (c->ws->who) { /* strangers learn nothing of the data */
        jw_key(&w, "log_id");
        jw_str(&w, c->r->d->log_id);
        jw_key(&w, "lsn");
        jw_int(&w, stats.log_head);
    }
    jw_key(&w, "limits");
    ws_limits_write(&w, daemon_config(c->r->d));
    jw_end_object(&w);
    envelope_end(&w, c);
}

/* A token that is not known has an answer of its own; it may try again until its time is over. */
static bool on_auth(message *m, error *e)
{
    conn *c = m->c;
    buf out = BUF_INIT;
    json_writer w;
    if (ws_request_auth(c, m->id_text, m->payload, e))
        return true;
    if (e->code == ERR_INVALID_MESSAGE)
        return false;
    envelope_begin(&w, &out, m->id_text, "auth_error");
    jw_begin_object(&w);
    jw_key(&w, "code");
    jw_str(&w, error_describe(e->code)->name);
    jw_key(&w, "message");
    jw_str(&w, e->message);
    jw_end_object(&w);
    envelope_end(&w, c);
    return true;
}

static bool on_ping(message *m, error *e)
{
    buf out = BUF_INIT;
    json_writer w;
    (void)e;
    envelope_begin(&w, &out, m->id_text, "pong");
    char *payload = m->payload ? json_dumps(m->payload, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    if (payload)
        jw_raw(&w, payload, strlen(payload));
    else
        jw_null(&w);
    free(payload);
    envelope_end(&w, m->c);
    return true;
}

static bool on_pong(message *m, error *e)
{
    (void)m;
    (void)e;
    return true;
}

/* A message to another connection. Who it is from is not for the sender to say. */
static bool on_direct(message *m, error *e)
{
    return ws_direct_send(m->c, m->id_text, strcmp(m->type, "text") == 0 ? "text" : "binary", m->to,
                          m->payload, m->metadata, e);
}

static bool on_close(message *m, error *e)
{
    (void)e;
    conn_end(m->c, 1000, "closed on request");
    return true;
}

static bool on_batch(message *m, error *e);

/* ---- dispatch ----------------------------------------------------------------------------------
 */

static const message_type types[] = {
    {"auth", on_auth, NULL, WS_ASK_auth, true},
    {"ping", on_ping, NULL, WS_ASK_nothing, false},
    {"pong", on_pong, NULL, WS_ASK_nothing, false},
    {"close", on_close, NULL, WS_ASK_nothing, true},
    {"batch", on_batch, NULL, WS_ASK_nothing, true},
    {"text", on_direct, NULL, WS_ASK_direct, false},
    {"binary", on_direct, NULL, WS_ASK_direct, false},
    {"query", NULL, ws_request_query, WS_ASK_statement, false},
    {"execute", NULL, ws_request_query, WS_ASK_statement, false},
    {"begin", NULL, ws_request_begin, WS_ASK_transaction, false},
    {"commit", NULL, ws_request_commit, WS_ASK_transaction, false},
    {"rollback", NULL, ws_request_rollback, WS_ASK_transaction, false},
    {"savepoint", NULL, ws_request_savepoint, WS_ASK_transaction, false},
    {"status", NULL, ws_request_status, WS_ASK_status, false},
    {"cancel", NULL, ws_request_cancel, WS_ASK_cancel, false},
    {"subscribe", NULL, ws_request_subscribe, WS_ASK_subscribe, false},
    {"unsubscribe", NULL, ws_request_unsubscribe, WS_ASK_unsubscribe, false},
    {"ack", NULL, ws_request_ack, WS_ASK_ack, false},
    {"publish", NULL, ws_request_publish, WS_ASK_publish, false},
};

/* Whether the endpoint takes it. */
static bool is_taken(const conn *c, const char *name)
{
    const char *const *types_of = c->ws->protocol->types;
    while (types_of && *types_of && strcmp(*types_of, name) != 0)
        types_of++;
    return !types_of || *types_of;
}

static const message_type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    }
    return NULL;
}

static bool dispatch(message *m, json_t *root, error *e)
{
    json_t *id = NULL;
    const char *timestamp = NULL;
    const json_field fields[] = {
        {"id", FIELD_ANY, false, &id, 0, 0},
        {"type", FIELD_STR, true, &m->type, 0, 0},
        {"payload", FIELD_ANY, false, &m->payload, 0, 0},
        {"timestamp", FIELD_STR, false, &timestamp, 0, 0},
        {"from", FIELD_STR, false, &m->from, 0, 0},
        {"to", FIELD_STR, false, &m->to, 0, 0},
        {"metadata", FIELD_OBJECT, false, &m->metadata, 0, 0},
    };
    bool well_formed = json_read_object(root, fields, JSON_FIELDS(fields), e);
    if (id && !json_is_null(id)) {
        if (!json_is_string(id))
            return error_set(e, ERR_INVALID_MESSAGE, "id is not a string");
        if (json_string_length(id) > MAX_ID)
            return error_set(e, ERR_INVALID_MESSAGE, "id has more than %d bytes", MAX_ID);
        m->id_text = json_dumps(id, JSON_ENCODE_ANY);
    }
    if (!well_formed)
        return false;
    const message_type *t = find_type(m->type);
    if (!m->c->ws->who && !(t && t->before_auth)) {
        error_set(e, ERR_AUTH_REQUIRED, "this connection has not authenticated");
        return error_hint(e, "Send {\"type\":\"auth\",\"payload\":{\"token\":\"...\"}} first.");
    }
    if (!t)
        return error_set(e, ERR_INVALID_MESSAGE, "there is no message type '%s'", m->type);
    if (!is_taken(m->c, m->type))
        return error_set(e, ERR_INVALID_MESSAGE, "this endpoint takes no messages of type '%s'",
                         m->type);
    if (m->from && strcmp(m->from, m->c->ws->id) != 0)
        return error_set(e, ERR_PERMISSION_DENIED, "from is not this connection, which is %s",
                         m->c->ws->id);
    if (m->to && t->handle != on_direct)
        return error_set(e, ERR_INVALID_MESSAGE, "a message of type '%s' has no receiver", m->type);
    if (json_is_null(m->payload) && t->handle != on_direct)
        m->payload = NULL;
    if (!ws_may_ask(m->c, t->asks, e))
        return false;
    return t->handle ? t->handle(m, e) : t->request(m->c, m->id_text, m->payload, e);
}

static void take_one(conn *c, json_t *root, bool in_batch)
{
    message m = {.c = c, .in_batch = in_batch};
    error e;
    error_clear(&e);
    if (dispatch(&m, root, &e)) {
        if (!m.is_batch)
            ws_good_message(c);
    } else {
        envelope_failed(c, m.id_text, &e, NULL);
        if (e.code == ERR_INVALID_MESSAGE)
            ws_bad_message(c);
    }
    free(m.id_text);
}

/* Each message is taken as if it had come by itself; the batch has no answer of its own. */
static bool on_batch(message *m, error *e)
{
    int64_t most = daemon_config(m->c->r->d)->max_batch;
    json_t *messages, *one;
    size_t i;
    const json_field fields[] = {{"messages", FIELD_ARRAY, true, &messages, 0, 0}};
    if (!ws_request_read(m->c, m->payload, fields, JSON_FIELDS(fields), e))
        return false;
    if (m->in_batch)
        return error_set(e, ERR_INVALID_MESSAGE, "a batch has no batches in it");
    if (json_array_size(messages) == 0 || json_array_size(messages) > (size_t)most)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "payload.messages has %zu items; 1 to %lld are allowed",
                         json_array_size(messages), (long long)most);
    if (!guest_batch(m->c, (int64_t)json_array_size(messages), e))
        return false;
    m->is_batch = true;
    json_array_foreach(messages, i, one)
    {
        if (m->c->state == CONN_WS)
            take_one(m->c, one, true);
    }
    return true;
}

void ws_json_message(conn *c, bool binary, const char *text, size_t n)
{
    error e;
    (void)binary;
    error_clear(&e);
    json_t *root = json_read_text(text, n, &e);
    if (root) {
        take_one(c, root, false);
    } else {
        envelope_failed(c, NULL, &e, NULL);
        if (e.code == ERR_INVALID_MESSAGE)
            ws_bad_message(c);
    }
    json_decref(root);
}

const ws_protocol ws_protocol_json = {
    .name = "rustydb.json.v1",
    .form = FORM_JSON,
    .text = true,
    .opened = ws_json_welcome,
    .message = ws_json_message,
    .direct = envelope_direct,
    ENVELOPE_ANSWERS,
};
