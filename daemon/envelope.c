#include "daemon/envelope.h"
#include "base/clock.h"
#include "daemon/encode.h"
#include "daemon/problem.h"
#include "daemon/ws.h"
#include "daemon/ws_direct.h"

#include <stdio.h>
#include <string.h>

void envelope_begin(json_writer *w, buf *out, const char *id, const char *type)
{
    jw_init(w, out);
    jw_begin_object(w);
    if (id) {
        jw_key(w, "id");
        jw_raw(w, id, strlen(id));
    }
    jw_key(w, "type");
    jw_str(w, type);
    jw_key(w, "payload");
}

void envelope_end(json_writer *w, conn *c)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_us(), stamp);
    jw_key(w, "timestamp");
    jw_str(w, stamp);
    jw_end_object(w);
    if (w->out->failed)
        conn_kill(c);
    else
        ws_send(c, WS_TEXT, w->out->data, w->out->len);
    buf_free(w->out);
}

const run_encoder *envelope_encoder(const char *id)
{
    (void)id;
    return &encode_ws;
}

bool envelope_cancel_name(const char *id, char *out, size_t room)
{
    return (size_t)snprintf(out, room, "%s", id) < room;
}

void envelope_finish(run *r)
{
    if (r->last) {
        conn_queue(r->c, r->last, NULL, 0);
        r->last = NULL;
    }
    if (r->failed)
        envelope_failed(r->c, r->request_id, &r->err, NULL);
}

void envelope_begin_result(json_writer *w, buf *out, const char *id, result_kind kind)
{
    static const char *const types[] = {
        [RESULT_DONE] = "query_result",
        [RESULT_AUTHENTICATED] = "auth_success",
        [RESULT_UNSUBSCRIBED] = "unsubscribed",
    };
    envelope_begin(w, out, id, types[kind]);
    jw_begin_object(w);
    if (kind == RESULT_DONE) {
        jw_key(w, "part");
        jw_str(w, "end");
    }
}

void envelope_end_result(json_writer *w, conn *c, const char *id)
{
    (void)id;
    jw_end_object(w);
    envelope_end(w, c);
}

void envelope_subscribed(conn *c, const char *id, const sub_info *s)
{
    buf out = BUF_INIT;
    json_writer w;
    envelope_begin(&w, &out, id, "subscribed");
    jw_begin_object(&w);
    sub_info_write(&w, s);
    jw_end_object(&w);
    envelope_end(&w, c);
}

void envelope_failed(conn *c, const char *id, const error *e, const char *subscription_id)
{
    buf out = BUF_INIT;
    json_writer w;
    envelope_begin(&w, &out, id, "error");
    problem_write_ws(&w, e, subscription_id);
    envelope_end(&w, c);
    STAT_ADD(c->r->stats.errors, 1);
}

void envelope_direct(conn *c, const ws_direct *m)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    jw_begin_object(&w);
    jw_key(&w, "type");
    jw_str(&w, m->type);
    ws_direct_write(&w, m);
    jw_end_object(&w);
    if (out.failed)
        conn_kill(c);
    else
        ws_send(c, WS_TEXT, out.data, out.len);
    buf_free(&out);
}

void envelope_closing(conn *c)
{
    buf out = BUF_INIT;
    json_writer w;
    envelope_begin(&w, &out, NULL, "system");
    jw_begin_object(&w);
    closing_write(&w, c);
    jw_end_object(&w);
    envelope_end(&w, c);
}
