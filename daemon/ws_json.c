/* The subprotocol rustydb.json.v1: what each message type asks for. */
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/encode.h"
#include "daemon/envelope.h"
#include "daemon/hub.h"
#include "daemon/params.h"
#include "daemon/ws.h"
#include "json/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ID = 256 }; /* bytes of a message's id */

/* A message taken apart. Everything is borrowed from `root`, id_text apart. */
typedef struct message {
    conn *c;
    const char *type;
    json_t *payload; /* NULL when there is none */
    char *id_text;   /* the id as JSON text, NULL when there is none; owned */
} message;

typedef struct message_type {
    const char *name;
    bool (*handle)(message *m, error *e);
    bool before_auth; /* allowed without credentials */
} message_type;

static bool read_payload(message *m, const json_field *fields, int n, error *e)
{
    json_t *none = m->payload ? NULL : json_object();
    bool ok = json_read_object_at(m->payload ? m->payload : none, "payload", fields, n, e);
    json_decref(none);
    return ok;
}

/* ---- connection --------------------------------------------------------------------------------
 */

static void welcome(conn *c)
{
    const config *cfg = daemon_config(c->r->d);
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
    jw_bool(&w, c->ws->who.kind != PRINCIPAL_NONE);
    if (c->ws->who.kind != PRINCIPAL_NONE) { /* strangers learn nothing of the data */
        jw_key(&w, "log_id");
        jw_str(&w, c->r->d->log_id);
        jw_key(&w, "lsn");
        jw_int(&w, stats.log_head);
    }
    jw_key(&w, "limits");
    jw_begin_object(&w);
    jw_key(&w, "max_message");
    jw_int(&w, cfg->max_message);
    jw_key(&w, "max_subscriptions");
    jw_int(&w, cfg->max_subscriptions);
    jw_key(&w, "max_pending");
    jw_int(&w, cfg->max_pending);
    jw_end_object(&w);
    jw_end_object(&w);
    envelope_end(&w, c);
}

static bool on_auth(message *m, error *e)
{
    const char *token;
    const json_field fields[] = {{"token", FIELD_STR, true, &token, 0, 0}};
    conn *c = m->c;
    buf out = BUF_INIT;
    json_writer w;
    principal who;
    if (!read_payload(m, fields, JSON_FIELDS(fields), e))
        return false;
    if (!auth_check(c->r->d->auth, token, strlen(token), &who, e)) {
        envelope_begin(&w, &out, m->id_text, "auth_error");
        jw_begin_object(&w);
        jw_key(&w, "code");
        jw_str(&w, error_describe(e->code)->name);
        jw_key(&w, "message");
        jw_str(&w, e->message);
        jw_end_object(&w);
        envelope_end(&w, c);
        return true; /* it may try again until its time is over */
    }
    c->ws->who = who;
    envelope_begin(&w, &out, m->id_text, "auth_success");
    jw_begin_object(&w);
    jw_key(&w, "user");
    jw_str(&w, who.name);
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

static bool on_close(message *m, error *e)
{
    (void)e;
    conn_end(m->c, 1000, "closed on request");
    return true;
}

/* ---- statements --------------------------------------------------------------------------------
 */

static void run_chunk(run *r, refbuf *data)
{
    conn_queue(r->c, data, r, 0);
}

static void run_done(run *r)
{
    conn *c = r->c;
    if (r->last) {
        conn_queue(c, r->last, NULL, 0);
        r->last = NULL;
    }
    if (r->failed)
        envelope_failed(c, r->request_id, &r->err, NULL);
    run_free(r);
}

static run *new_run(message *m, job_kind kind, error *e)
{
    conn *c = m->c;
    if (c->n_runs >= daemon_config(c->r->d)->max_pending) {
        error_set(e, ERR_BUSY, "%d requests of this connection are under way", c->n_runs);
        error_hint(e, "Wait for answers, or open another connection.");
        return NULL;
    }
    run *r =
        run_new(c, kind == JOB_QUERY || kind == JOB_TX_QUERY ? &encode_ws : &encode_none, kind);
    r->deflate_bits = c->ws->deflate_bits;
    r->on_chunk = run_chunk;
    r->on_done = run_done;
    if (m->id_text) {
        r->request_id = arena_strndup(&r->job.mem, m->id_text, strlen(m->id_text));
        if (!r->request_id) {
            run_free(r);
            error_set(e, ERR_INTERNAL_ERROR, "out of memory");
            return NULL;
        }
    }
    return r;
}

/* The engine cancels by an id that is unique in the daemon; the client's own is so only within its
 * connection. False when it does not fit. */
static bool engine_id(const conn *c, const char *client_id, char out[ENGINE_ID_MAX + 1])
{
    int n =
        snprintf(out, ENGINE_ID_MAX + 1, "ws:%llu:%s", (unsigned long long)c->serial, client_id);
    return n > 0 && n <= ENGINE_ID_MAX;
}

static bool on_query(message *m, error *e)
{
    const char *transaction = NULL;
    sql_request s = {0};
    const json_field fields[] = {
        {"sql", FIELD_STR, true, &s.sql, 0, 0},
        {"params", FIELD_ANY, false, &s.params, 0, 0},
        {"timeout_ms", FIELD_INT, false, &s.timeout_ms, 1, MAX_TIMEOUT_MS},
        {"max_rows", FIELD_INT, false, &s.max_rows, 1, INT64_MAX},
        {"transaction", FIELD_STR, false, &transaction, 0, 0},
    };
    if (!read_payload(m, fields, JSON_FIELDS(fields), e))
        return false;
    run *r = new_run(m, transaction ? JOB_TX_QUERY : JOB_QUERY, e);
    if (!r)
        return false;
    if (!params_fill_job(&r->job, &s, e) ||
        (transaction && !params_set_id(r->job.tx, transaction, "transaction", e))) {
        run_free(r);
        return false;
    }
    if (m->id_text && !engine_id(m->c, m->id_text, r->job.id))
        r->job.id[0] = '\0'; /* too long to cancel by */
    run_submit(r);
    return true;
}

static bool on_cancel(message *m, error *e)
{
    char id[ENGINE_ID_MAX + 1];
    json_t *target = NULL;
    const json_field fields[] = {{"id", FIELD_ANY, true, &target, 0, 0}};
    if (!read_payload(m, fields, JSON_FIELDS(fields), e))
        return false;
    char *text = json_dumps(target, JSON_ENCODE_ANY | JSON_COMPACT);
    bool found = text && engine_id(m->c, text, id) &&
                 engine_cancel_id(m->c->r->d->engine, id, ERR_CANCELLED);
    free(text);
    if (!found)
        return error_set(e, ERR_NOT_FOUND, "no query with this id runs on this connection");
    buf out = BUF_INIT;
    json_writer w;
    envelope_begin_end(&w, &out, m->id_text);
    jw_key(&w, "cancelled");
    jw_bool(&w, true);
    envelope_end_end(&w, m->c);
    return true;
}

/* ---- transactions ------------------------------------------------------------------------------
 */

static void tx_done(run *r)
{
    conn *c = r->c;
    buf out = BUF_INIT;
    json_writer w;
    if (r->failed) {
        envelope_failed(c, r->request_id, &r->err, NULL);
        run_free(r);
        return;
    }
    envelope_begin_end(&w, &out, r->request_id);
    jw_key(&w, "transaction");
    jw_str(&w, r->job.tx);
    if (r->job.kind != JOB_TX_BEGIN) {
        jw_key(&w, "lsn");
        jw_int(&w, r->sum.lsn);
    }
    envelope_end_end(&w, c);
    run_free(r);
}

static bool submit_tx(message *m, job_kind kind, const char *tx, error *e)
{
    run *r = new_run(m, kind, e);
    if (!r)
        return false;
    r->on_done = tx_done;
    if (tx && !params_set_id(r->job.tx, tx, "transaction", e)) {
        run_free(r);
        return false;
    }
    run_submit(r);
    return true;
}

static bool on_begin(message *m, error *e)
{
    return read_payload(m, NULL, 0, e) && submit_tx(m, JOB_TX_BEGIN, NULL, e);
}

static bool end_tx(message *m, job_kind kind, error *e)
{
    const char *tx;
    const json_field fields[] = {{"transaction", FIELD_STR, true, &tx, 0, 0}};
    return read_payload(m, fields, JSON_FIELDS(fields), e) && submit_tx(m, kind, tx, e);
}

static bool on_commit(message *m, error *e)
{
    return end_tx(m, JOB_TX_COMMIT, e);
}

static bool on_rollback(message *m, error *e)
{
    return end_tx(m, JOB_TX_ROLLBACK, e);
}

/* ---- topics ------------------------------------------------------------------------------------
 */

static bool read_ops(json_t *list_of, op_set *ops, error *e)
{
    size_t i;
    json_t *item;
    if (json_array_size(list_of) == 0)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "payload.ops is empty; leave it out to get every operation");
    json_array_foreach(list_of, i, item)
    {
        const char *name = json_string_value(item);
        int op = OP_INSERT;
        while (op <= OP_DELETE && (!name || strcmp(name, log_op_name((log_op)op)) != 0))
            op++;
        if (op > OP_DELETE)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "payload.ops[%zu] is not \"insert\", \"update\" or \"delete\"", i);
        *ops |= 1u << op;
    }
    return true;
}

/* N, or "LOG_ID:N". */
static bool read_since(json_t *since, sub_request *s, char *log_id, size_t room, error *e)
{
    const char *text = json_string_value(since), *colon = text ? strrchr(text, ':') : NULL;
    char *end = NULL;
    if (json_is_integer(since)) {
        s->since = json_integer_value(since);
    } else if (colon && (size_t)(colon - text) < room && colon[1] >= '0' && colon[1] <= '9') {
        memcpy(log_id, text, (size_t)(colon - text));
        log_id[colon - text] = '\0';
        s->log_id = log_id;
        s->since = strtoll(colon + 1, &end, 10);
    }
    if ((!json_is_integer(since) && (!end || *end)) || s->since < 0)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "payload.since is neither an lsn nor \"LOG_ID:LSN\"");
    s->has_since = true;
    return true;
}

static bool on_subscribe(message *m, error *e)
{
    char log_id[64];
    json_t *ops = NULL, *since = NULL;
    sub_request s = {0};
    const json_field fields[] = {
        {"topic", FIELD_STR, true, &s.topic, 0, 0},
        {"ops", FIELD_ARRAY, false, &ops, 0, 0},
        {"where", FIELD_STR, false, &s.where, 0, 0},
        {"since", FIELD_ANY, false, &since, 0, 0},
    };
    if (!read_payload(m, fields, JSON_FIELDS(fields), e))
        return false;
    if (ops && !read_ops(ops, &s.ops, e))
        return false;
    if (since && !json_is_null(since) && !read_since(since, &s, log_id, sizeof log_id, e))
        return false;
    return hub_subscribe(m->c, &s, m->id_text, e);
}

static bool on_unsubscribe(message *m, error *e)
{
    const char *id;
    const json_field fields[] = {{"subscription_id", FIELD_STR, true, &id, 0, 0}};
    buf out = BUF_INIT;
    json_writer w;
    if (!read_payload(m, fields, JSON_FIELDS(fields), e))
        return false;
    if (!hub_unsubscribe(m->c, id))
        return error_set(e, ERR_NOT_FOUND, "this connection has no subscription %s", id);
    envelope_begin(&w, &out, m->id_text, "unsubscribed");
    jw_begin_object(&w);
    jw_key(&w, "subscription_id");
    jw_str(&w, id);
    jw_end_object(&w);
    envelope_end(&w, m->c);
    return true;
}

static void published(conn *c, void *arg, int64_t delivered)
{
    char *id = arg;
    buf out = BUF_INIT;
    json_writer w;
    if (c->state == CONN_WS) {
        envelope_begin_end(&w, &out, id);
        jw_key(&w, "delivered");
        jw_int(&w, delivered);
        envelope_end_end(&w, c);
    }
    mem_free(id);
}

static bool on_publish(message *m, error *e)
{
    broadcast_request b = {0};
    const json_field fields[] = {
        {"channel", FIELD_STR, true, &b.channel, 0, 0},
        {"message", FIELD_ANY, true, &b.message, 0, 0},
        {"event", FIELD_STR, false, &b.event, 0, 0},
        {"metadata", FIELD_OBJECT, false, &b.metadata, 0, 0},
    };
    if (!read_payload(m, fields, JSON_FIELDS(fields), e))
        return false;
    refbuf *frame = params_broadcast_frame(&b, e);
    if (!frame)
        return false;
    hub_publish(m->c, b.channel, frame, published, m->id_text ? xstrdup(m->id_text) : NULL);
    return true;
}

/* ---- dispatch ----------------------------------------------------------------------------------
 */

static const message_type types[] = {
    {"auth", on_auth, true},
    {"ping", on_ping, false},
    {"pong", on_pong, false},
    {"close", on_close, true},
    {"query", on_query, false},
    {"execute", on_query, false},
    {"begin", on_begin, false},
    {"commit", on_commit, false},
    {"rollback", on_rollback, false},
    {"cancel", on_cancel, false},
    {"subscribe", on_subscribe, false},
    {"unsubscribe", on_unsubscribe, false},
    {"publish", on_publish, false},
};

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
    json_t *id = NULL, *metadata = NULL;
    const char *timestamp = NULL, *from = NULL, *to = NULL;
    const json_field fields[] = {
        {"id", FIELD_ANY, false, &id, 0, 0},
        {"type", FIELD_STR, true, &m->type, 0, 0},
        {"payload", FIELD_ANY, false, &m->payload, 0, 0},
        {"timestamp", FIELD_STR, false, &timestamp, 0, 0},
        {"from", FIELD_STR, false, &from, 0, 0},
        {"to", FIELD_STR, false, &to, 0, 0},
        {"metadata", FIELD_OBJECT, false, &metadata, 0, 0},
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
    if (m->c->ws->who.kind == PRINCIPAL_NONE && !(t && t->before_auth)) {
        error_set(e, ERR_AUTH_REQUIRED, "this connection has not authenticated");
        return error_hint(e, "Send {\"type\":\"auth\",\"payload\":{\"token\":\"...\"}} first.");
    }
    if (!t)
        return error_set(e, ERR_INVALID_MESSAGE, "there is no message type '%s'", m->type);
    if (json_is_null(m->payload))
        m->payload = NULL;
    return t->handle(m, e);
}

static void take_message(conn *c, bool binary, const char *text, size_t n)
{
    message m = {.c = c};
    error e;
    (void)binary;
    error_clear(&e);
    json_t *root = json_read_text(text, n, &e);
    if (!root || !dispatch(&m, root, &e)) {
        envelope_failed(c, m.id_text, &e, NULL);
        if (e.code == ERR_INVALID_MESSAGE)
            ws_bad_message(c);
    } else {
        ws_good_message(c);
    }
    free(m.id_text);
    json_decref(root);
}

const ws_protocol ws_protocol_json = {
    .name = "rustydb.json.v1",
    .text = true,
    .opened = welcome,
    .message = take_message,
    .subscribed = envelope_subscribed,
    .failed = envelope_failed,
    .closing = envelope_closing,
};
