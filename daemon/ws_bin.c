/* The subprotocol rustydb.bin.v1: what each message type asks for. Its request_id is the id
 * itself. */
#include "base/mem.h"
#include "daemon/bin_read.h"
#include "daemon/bin_send.h"
#include "daemon/encode.h"
#include "daemon/hub_publish.h"
#include "daemon/hub_subs.h"
#include "daemon/metrics_streams.h"
#include "daemon/params.h"
#include "daemon/topic_rights.h"
#include "daemon/ws.h"
#include "daemon/ws_asks.h"
#include "daemon/ws_requests.h"
#include "json/read.h"

#include <string.h>

/* A message taken apart. Everything is borrowed from the message and the arena. */
typedef struct request {
    conn *c;
    arena *mem;
    const char *id; /* NULL: none */
    const bin_message *m;
} request;

/* ---- statements --------------------------------------------------------------------------------
 */

static void finish(run *r)
{
    if (r->last) {
        conn_queue(r->c, r->last, NULL, 0);
        r->last = NULL;
    }
    if (r->failed)
        bin_failed_send(r->c, r->request_id, &r->err, NULL);
}

/* Its rows, or only what it came to. */
static bool run_statement(const request *q, const run_encoder *encoder, error *e)
{
    const bin_query *query = &q->m->query;
    if (!ws_may_ask(q->c, WS_ASK_statement, e))
        return false;
    run *r = ws_request_run(q->c, q->id, query->transaction.p ? JOB_TX_QUERY : JOB_QUERY, e);
    if (!r)
        return false;
    r->encoder = encoder;
    if (!bin_fill_job(&r->job, query, e)) {
        run_free(r);
        return false;
    }
    if (q->id)
        ws_run_name(r, q->id);
    run_bound_rows(r);
    run_submit(r);
    return true;
}

static bool on_query(const request *q, error *e)
{
    return run_statement(q, &encode_bin, e);
}

/* ---- transactions ------------------------------------------------------------------------------
 */

static void tx_done(run *r)
{
    bin_message m = {.type = BIN_EXECUTE_RESULT, .id = bin_str(r->request_id ? r->request_id : "")};
    if (r->failed) {
        bin_failed_send(r->c, r->request_id, &r->err, NULL);
    } else {
        m.form = r->job.kind == JOB_TX_BEGIN    ? BIN_DONE_BEGUN
                 : r->job.kind == JOB_TX_COMMIT ? BIN_DONE_COMMITTED
                                                : BIN_DONE_ROLLED_BACK;
        if (m.form == BIN_DONE_BEGUN)
            m.begun = (bin_begun){bin_str(r->job.tx)};
        else
            m.ended = (bin_ended){bin_str(r->job.tx), (uint64_t)r->sum.lsn};
        bin_send(r->c, &m);
    }
    run_free(r);
}

static bool run_tx(const request *q, job_kind kind, const char *transaction, error *e)
{
    run *r = ws_may_ask(q->c, WS_ASK_transaction, e) ? ws_request_run(q->c, q->id, kind, e) : NULL;
    if (!r)
        return false;
    r->on_done = tx_done;
    if (transaction && !params_set_id(r->job.tx, transaction, "transaction", e)) {
        run_free(r);
        return false;
    }
    run_submit(r);
    return true;
}

static bool on_begin(const request *q, error *e)
{
    return run_tx(q, JOB_TX_BEGIN, NULL, e);
}

static bool on_end(const request *q, error *e)
{
    const char *tx = bin_cstr(q->mem, q->m->end_txn.transaction, "transaction", e);
    return tx && run_tx(q, q->m->type == BIN_COMMIT ? JOB_TX_COMMIT : JOB_TX_ROLLBACK, tx, e);
}

/* ---- Execute -----------------------------------------------------------------------------------
 */

static bin_message done(const request *q, bin_done_form form)
{
    return (bin_message){.type = BIN_EXECUTE_RESULT, .id = q->m->id, .form = form};
}

static bool cancel(const request *q, error *e)
{
    bin_message m = done(q, BIN_DONE_CANCELLED);
    const char *id = bin_cstr(q->mem, q->m->cancel.id, "id", e);
    if (!id || !ws_cancel(q->c, id, e))
        return false;
    m.cancel = q->m->cancel;
    bin_send(q->c, &m);
    return true;
}

static void published(conn *c, void *arg, int64_t delivered)
{
    char *id = arg;
    const bin_message m = {
        .type = BIN_EXECUTE_RESULT,
        .id = bin_str(id),
        .form = BIN_DONE_PUBLISHED,
        .published = {(uint64_t)delivered},
    };
    if (c->state == CONN_WS)
        bin_send(c, &m);
    mem_free(id);
}

static bool publish_json(const request *q, broadcast_request *b, error *e)
{
    char topic[TOPIC_ROOM];
    publication *p = topic_rights_publish(q->c, b->channel, e) ? params_broadcast(b, e) : NULL;
    if (!p)
        return false;
    params_channel_topic(b->channel, topic);
    hub_publish(q->c, topic, p, published, xstrdup(q->id ? q->id : ""));
    return true;
}

static bool publish(const request *q, error *e)
{
    const bin_publish *p = &q->m->publish;
    broadcast_request b = {0};
    if (!(b.channel = bin_cstr(q->mem, p->channel, "channel", e)) ||
        !bin_opt_cstr(q->mem, p->event, "event", &b.event, e) ||
        !(b.message = bin_body_json(&p->message, e)))
        return false;
    if (p->metadata.p)
        b.metadata = json_read_text(p->metadata.p, p->metadata.n, e);
    bool ok = b.metadata || !p->metadata.p;
    if (b.metadata && !json_is_object(b.metadata))
        ok = error_set(e, ERR_INVALID_MESSAGE, "metadata is %s; expected an object",
                       json_kind(b.metadata));
    ok = ok && publish_json(q, &b, e);
    json_decref(b.message);
    json_decref(b.metadata);
    return ok;
}

static bool on_execute(const request *q, error *e)
{
    switch ((bin_execute_form)q->m->form) {
    case BIN_EXECUTE_STATEMENT:
        return run_statement(q, &encode_bin_end, e);
    case BIN_EXECUTE_CANCEL:
        return cancel(q, e);
    case BIN_EXECUTE_PUBLISH:
        return publish(q, e);
    case BIN_EXECUTE_FORMS:
        break;
    }
    return false;
}

/* ---- topics ------------------------------------------------------------------------------------
 */

/* A list of names; *n is 0 for none. */
static bool read_names(const request *q, const bin_texts *list_of, const char *what, int room,
                       const char **to, int *n, error *e)
{
    if (list_of->n > (size_t)room)
        return error_set(e, ERR_INVALID_MESSAGE, "%s has more than %d names", what, room);
    for (size_t i = 0; i < list_of->n; i++) {
        if (!(to[i] = bin_cstr(q->mem, list_of->v[i], what, e)))
            return false;
    }
    *n = (int)list_of->n;
    return true;
}

static bool read_options(const request *q, sub_request *s, error *e)
{
    static const sub_policy policies[] = {
        [BIN_POLICY_DISCONNECT] = POLICY_DISCONNECT,
        [BIN_POLICY_DROP_OLDEST] = POLICY_DROP_OLDEST,
        [BIN_POLICY_REPLAY] = POLICY_REPLAY,
    };
    static const log_op ops[] = {OP_INSERT, OP_UPDATE, OP_DELETE};
    const bin_subscribe *b = &q->m->subscribe;
    if (!bin_opt_cstr(q->mem, b->where, "where", &s->where, e) ||
        !bin_opt_cstr(q->mem, b->log_id, "log_id", &s->log_id, e))
        return false;
    if (b->since.is && b->since.v > INT64_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "since is beyond any position");
    s->has_since = b->since.is;
    s->initial = b->initial;
    s->since = (int64_t)b->since.v;
    for (size_t i = 0; i < BIN_OPS; i++)
        s->ops |= b->ops.set & 1u << i ? 1u << ops[i] : 0;
    s->policy = b->policy.is ? policies[b->policy.v] : POLICY_DISCONNECT;
    return true;
}

static bool subscribe_query(const request *q, const sub_request *options, error *e)
{
    const bin_subscribe *b = &q->m->subscribe;
    engine_stmt stmt = {0};
    sub_request s = *options;
    s.query = &stmt;
    return bin_fill_stmt(&stmt, q->mem, b->sql, &b->params, e) &&
           bin_opt_limit(b->min_interval_ms, "min_interval_ms", LIVE_MAX_INTERVAL_MS,
                         &s.min_interval_ms, e) &&
           hub_subscribe(q->c, &s, q->id, e);
}

static bool subscribe_metrics(const request *q, sub_request *s, error *e)
{
    const bin_subscribe *b = &q->m->subscribe;
    s->topic = "metrics";
    s->of_metrics = true;
    if (b->interval_ms.is && b->interval_ms.v < METRICS_INTERVAL_MIN_MS)
        return error_set(e, ERR_INVALID_MESSAGE, "interval_ms is below %d",
                         METRICS_INTERVAL_MIN_MS);
    if (!bin_opt_limit(b->interval_ms, "interval_ms", METRICS_INTERVAL_MAX_MS, &s->interval_ms, e))
        return false;
    if (b->metrics.n)
        s->metrics = (metric_set){0};
    for (size_t i = 0; i < b->metrics.n; i++) {
        const char *name = bin_cstr(q->mem, b->metrics.v[i], "metrics", e);
        if (!name || !metric_set_add(&s->metrics, name, e))
            return false;
    }
    return hub_subscribe(q->c, s, q->id, e);
}

static bool subscribe_topic(const request *q, sub_request *s, error *e)
{
    s->topic = bin_cstr(q->mem, q->m->subscribe.topic, "topic", e);
    return s->topic && hub_subscribe(q->c, s, q->id, e);
}

static bool subscribe_tables(const request *q, sub_request *s, error *e)
{
    const char *tables[FEED_MAX_TABLES];
    sub_request named = *s;
    named.tables = tables;
    if (!read_names(q, &q->m->subscribe.tables, "tables", FEED_MAX_TABLES, tables, &named.n_tables,
                    e))
        return false;
    if (named.n_tables == 0)
        return error_set(e, ERR_INVALID_MESSAGE, "tables is empty");
    return hub_subscribe(q->c, &named, q->id, e);
}

static bool on_subscribe(const request *q, error *e)
{
    const char *columns[FEED_MAX_COLUMNS];
    const bin_subscribe *b = &q->m->subscribe;
    sub_request s = {
        .columns = columns,
        .interval_ms = METRICS_INTERVAL_MS,
        .metrics = metric_set_all(),
    };
    if (!read_options(q, &s, e) ||
        !read_names(q, &b->columns, "columns", FEED_MAX_COLUMNS, columns, &s.n_columns, e))
        return false;
    switch ((bin_subscribe_form)q->m->form) {
    case BIN_SUBSCRIBE_TOPIC:
        return subscribe_topic(q, &s, e);
    case BIN_SUBSCRIBE_TABLES:
        return subscribe_tables(q, &s, e);
    case BIN_SUBSCRIBE_QUERY:
        return subscribe_query(q, &s, e);
    case BIN_SUBSCRIBE_METRICS:
        return subscribe_metrics(q, &s, e);
    case BIN_SUBSCRIBE_FORMS:
        break;
    }
    return false;
}

static bool on_unsubscribe(const request *q, error *e)
{
    bin_message m = done(q, BIN_DONE_UNSUBSCRIBED);
    const char *id = bin_cstr(q->mem, q->m->subscription.subscription_id, "subscription_id", e);
    if (!id)
        return false;
    if (!hub_unsubscribe(q->c, id))
        return error_set(e, ERR_NOT_FOUND, "this connection has no subscription %s", id);
    m.subscription = q->m->subscription;
    bin_send(q->c, &m);
    return true;
}

/* ---- dispatch ----------------------------------------------------------------------------------
 */

/* The types that a client sends. */
static bool (*const handlers[BIN_TYPES])(const request *q, error *e) = {
    [BIN_QUERY] = on_query,
    [BIN_EXECUTE] = on_execute,
    [BIN_BEGIN_TXN] = on_begin,
    [BIN_COMMIT] = on_end,
    [BIN_ROLLBACK] = on_end,
    [BIN_SUBSCRIBE] = on_subscribe,
    [BIN_UNSUBSCRIBE] = on_unsubscribe,
};

/* The id as the answer will have it; NULL: there is none that an answer can have. */
static bool take_id(request *q, error *e)
{
    if (q->m->id.n > BIN_MAX_ID)
        return error_set(e, ERR_INVALID_MESSAGE, "id has more than %d bytes", BIN_MAX_ID);
    return q->m->id.n == 0 || (q->id = bin_cstr(q->mem, q->m->id, "id", e)) != NULL;
}

static bool dispatch(request *q, error *e)
{
    if (!handlers[q->m->type])
        return error_set(e, ERR_INVALID_MESSAGE, "the daemon takes no messages of this type");
    return handlers[q->m->type](q, e);
}

static void take_message(conn *c, bool binary, const char *p, size_t n)
{
    arena mem = ARENA_INIT;
    bin_message m;
    request q = {.c = c, .mem = &mem, .m = &m};
    error e, no_id;
    (void)binary;
    error_clear(&e);
    bool whole = bin_message_get(&m, p, n, &mem, &e);
    if (!take_id(&q, whole ? &e : &no_id) || !whole || !dispatch(&q, &e)) {
        bin_failed_send(c, q.id, &e, NULL);
        if (e.code == ERR_INVALID_MESSAGE)
            ws_bad_message(c);
    } else {
        ws_good_message(c);
    }
    arena_free(&mem);
}

static const run_encoder *rows(const char *request_id)
{
    (void)request_id;
    return &encode_bin;
}

const ws_protocol ws_protocol_bin = {
    .name = "rustydb.bin.v1",
    .form = FORM_BIN,
    .binary = true,
    .needs_header = true,
    .opened = bin_welcome_send,
    .message = take_message,
    .input = "payload", /* where REST subscribes on a connection's behalf */
    .encoder = rows,
    .finish = finish,
    .subscribed = bin_subscribed_send,
    .failed = bin_failed_send,
    .closing = bin_closing_send,
};
