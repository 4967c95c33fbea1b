/* GET /replication/status, /consumers and /slots, and what is done with slots. */
#include "daemon/api/api.h"
#include "base/mem.h"
#include "feed/position.h"
#include "feed/replication.h"

#include <string.h>

/* A question to the replication's thread, on behalf of a request. */
typedef struct question {
    replication_call call;
    reactor_msg answer;
    conn *asker; /* held by n_runs */
    char *name;  /* owned */
    char log_id[POSITION_LOG_ID_MAX];
} question;

static void question_free(question *k)
{
    buf_free(&k->call.json);
    mem_free(k->name);
    mem_free(k);
}

static void reply_dropped(request *q, const char *name)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "name");
    jw_str(&w, name);
    jw_key(&w, "dropped");
    jw_bool(&w, true);
    http_end_json(q, 200, &w);
}

static void reply(request *q, const replication_call *call)
{
    if (call->failed)
        http_reply_error(q, &call->err);
    else if (call->op == REPLICATION_DROP)
        reply_dropped(q, call->name);
    else if (call->op == REPLICATION_CREATE)
        http_reply_created(q, "/api/v1/replication/slots/", call->name, call->json.data,
                           call->json.len);
    else
        http_reply(q, 200, call->json.data, call->json.len);
}

static void on_reactor(reactor *r, reactor_msg *m)
{
    (void)r;
    question *k = list_entry(m, question, answer);
    conn *c = k->asker;
    c->n_runs--;
    if (c->state != CONN_DEAD && c->req)
        reply(c->req, &k->call);
    conn_reap(c);
    question_free(k);
}

static void on_answer(replication_call *call)
{
    question *k = list_entry(call, question, call);
    reactor_post(k->asker->r, &k->answer);
}

static question *question_new(request *q, replication_op op, const char *name)
{
    question *k = xalloc(sizeof *k);
    k->asker = q->c;
    k->answer.handle = on_reactor;
    k->name = name ? xstrdup(name) : NULL;
    k->call.op = op;
    k->call.name = k->name;
    k->call.done = on_answer;
    return k;
}

static void ask(question *k)
{
    k->asker->n_runs++;
    replication_ask(k->asker->r->d->replication, &k->call);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static void ask_list(request *q, replication_op op)
{
    question *k = question_new(q, op, NULL);
    k->call.offset = http_int(q, "offset");
    k->call.limit = http_int(q, "limit");
    ask(k);
}

void api_list_replication_slots(request *q)
{
    ask_list(q, REPLICATION_SLOTS);
}

void api_list_replication_consumers(request *q)
{
    ask_list(q, REPLICATION_CONSUMERS);
}

void api_get_replication_status(request *q)
{
    ask(question_new(q, REPLICATION_STATUS, NULL));
}

void api_get_replication_slot(request *q)
{
    ask(question_new(q, REPLICATION_SLOT, q->params[0]));
}

/* ---- slots ------------------------------------------------------------------------------------
 */

void api_delete_replication_slot(request *q)
{
    ask(question_new(q, REPLICATION_DROP, q->params[0]));
}

static question *read_creation(request *q, error *e)
{
    json_t *since = json_object_get(q->doc, "since");
    question *k =
        question_new(q, REPLICATION_CREATE, json_string_value(json_object_get(q->doc, "name")));
    position at = {0};
    k->call.has_since = since && !json_is_null(since);
    if (k->call.has_since && !position_read(since, "body", k->log_id, &at, e)) {
        question_free(k);
        return NULL;
    }
    k->call.since = at.lsn;
    k->call.log_id = at.log_id;
    return k;
}

void api_create_replication_slot(request *q)
{
    error e;
    question *k = read_creation(q, &e);
    if (k)
        ask(k);
    else
        http_reply_error(q, &e);
}
