/* Answers of requests in the form of JSON-RPC: ws_protocol's functions, for WebSocket and HTTP. */
#include "daemon/encode.h"
#include "daemon/problem.h"
#include "daemon/rpc.h"
#include "daemon/ws.h"
#include "wire/jsonrpc.h"

#include <stdio.h>
#include <stdlib.h>

const run_encoder *rpc_encoder(const char *request_id)
{
    if (!rpc_id(request_id).n)
        return &encode_none;
    return rpc_batch_number(request_id) ? &encode_rpc_item : &encode_rpc;
}

/* Ids are compared as values: 1e0 and 1.0 are the same, and so are "a" and "\u0061". */
bool rpc_cancel_name(const char *request_id, char *out, size_t room)
{
    json_slice id = rpc_id(request_id);
    json_t *parsed = id.n && *id.p != 'n' ? json_loadb(id.p, id.n, JSON_DECODE_ANY, NULL) : NULL;
    char *text = parsed ? json_dumps(parsed, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    bool fits = text && (size_t)snprintf(out, room, "%s", text) < room;
    free(text);
    json_decref(parsed);
    return fits;
}

void rpc_finish(run *r)
{
    buf out = BUF_INIT;
    if (r->failed) {
        rpc_answer_error(r->c, r->request_id, rpc_code(&r->err), &r->err);
        return;
    }
    if (r->last && r->encoder->frames) {
        conn_queue(r->c, r->last, NULL, 0);
        r->last = NULL;
        return;
    }
    if (r->last)
        buf_add(&out, r->last->data, r->last->len);
    rpc_answer(r->c, r->request_id, &out);
}

void rpc_begin_result(json_writer *w, buf *out, const char *request_id, result_kind kind)
{
    (void)kind;
    rpc_begin_answer(w, out, rpc_id(request_id));
    jw_key(w, "result");
    jw_begin_object(w);
}

void rpc_end_result(json_writer *w, conn *c, const char *request_id)
{
    jw_end_object(w);
    jw_end_object(w);
    rpc_answer(c, request_id, w->out);
}

/* A notification; takes over its params. */
static void say(conn *c, const char *method, buf *params)
{
    if (params->failed)
        conn_kill(c);
    else
        ws_say(c, method, params->data, params->len);
    buf_free(params);
}

void rpc_subscribed(conn *c, const char *request_id, const sub_info *s)
{
    buf out = BUF_INIT;
    json_writer w;
    if (!request_id) { /* somebody else has asked for it: this client is told */
        jw_init(&w, &out);
        jw_begin_object(&w);
        sub_info_write(&w, s);
        jw_end_object(&w);
        say(c, "subscribed", &out);
        return;
    }
    rpc_begin_result(&w, &out, request_id, RESULT_DONE);
    sub_info_write(&w, s);
    rpc_end_result(&w, c, request_id);
}

void rpc_failed(conn *c, const char *request_id, const error *e, const char *subscription_id)
{
    if (!subscription_id) {
        rpc_answer_error(c, request_id ? request_id : "0:null", rpc_code(e), e);
        return;
    }
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    problem_write_ws(&w, e, subscription_id);
    say(c, "error", &out);
    STAT_ADD(c->r->stats.errors, 1);
}
