#include "daemon/rpc.h"
#include "daemon/guest.h"
#include "base/mem.h"
#include "daemon/encode.h"
#include "daemon/http.h"
#include "daemon/problem.h"
#include "daemon/ws.h"
#include "json/read.h"
#include "wire/jsonrpc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_ID_ROOM = 24 + RPC_MAX_ID };

/* An array of requests; over HTTP a request by itself, too. */
typedef struct rpc_batch {
    list link; /* rpc_peer.batches */
    uint64_t number;
    bool array;
    char *text;      /* the message; owned */
    json_items rest; /* requests that have not begun, in `text` */
    buf out;         /* answers so far, in an array that is still open */
    int answers;
    bool running; /* its next requests are being started further up the stack */
    bool waiting; /* for the answer to a request */
} rpc_batch;

rpc_peer *rpc_peer_of(const conn *c)
{
    return c->ws ? c->ws->state : c->req->arg;
}

void rpc_peer_init(rpc_peer *p, conn *c, bool http, void (*deliver)(conn *c, const buf *text))
{
    *p = (rpc_peer){.c = c, .http = http, .deliver = deliver};
    list_init(&p->batches);
}

static void batch_free(rpc_batch *b)
{
    list_unlink(&b->link);
    buf_free(&b->out);
    mem_free(b->text);
    mem_free(b);
}

void rpc_peer_free(rpc_peer *p)
{
    list_each_safe(it, &p->batches) batch_free(list_entry(it, rpc_batch, link));
}

/* ---- ids ---------------------------------------------------------------------------------------
 */

json_slice rpc_id(const char *request_id)
{
    const char *colon = request_id ? strchr(request_id, ':') : NULL;
    return colon ? (json_slice){colon + 1, strlen(colon + 1)} : (json_slice){0};
}

uint64_t rpc_batch_number(const char *request_id)
{
    return request_id ? strtoull(request_id, NULL, 10) : 0;
}

static void write_request_id(char out[REQUEST_ID_ROOM], uint64_t batch, json_slice id)
{
    snprintf(out, REQUEST_ID_ROOM, "%" PRIu64 ":%.*s", batch, (int)id.n, id.n ? id.p : "");
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void run_batch(rpc_peer *p, rpc_batch *b);

static rpc_batch *find_batch(rpc_peer *p, uint64_t number)
{
    list_each(it, &p->batches)
    {
        rpc_batch *b = list_entry(it, rpc_batch, link);
        if (b->number == number)
            return b;
    }
    return NULL;
}

static void write_error(buf *out, json_slice id, int code, const error *e)
{
    json_writer w;
    rpc_begin_answer(&w, out, id);
    jw_key(&w, "error");
    problem_write_rpc(&w, e, code);
    jw_end_object(&w);
}

static void add_to_batch(rpc_batch *b, json_slice id, const buf *text, size_t most)
{
    error e;
    if (b->array)
        buf_addc(&b->out, b->answers++ ? ',' : '[');
    if (b->out.len + text->len <= most) {
        buf_add(&b->out, text->data, text->len);
        return;
    }
    error_set(&e, ERR_MESSAGE_TOO_BIG, "the answers of this batch have more than %zu bytes", most);
    error_hint(&e, "Send the requests one by one, or fewer in a batch.");
    write_error(&b->out, id, rpc_code(&e), &e);
}

void rpc_answer(conn *c, const char *request_id, buf *text)
{
    rpc_peer *p = rpc_peer_of(c);
    json_slice id = rpc_id(request_id);
    uint64_t number = rpc_batch_number(request_id);
    rpc_batch *b = number ? find_batch(p, number) : NULL;
    if (text->failed) {
        conn_kill(c);
    } else if (b) {
        if (id.n)
            add_to_batch(b, id, text, (size_t)daemon_config(c->r->d)->max_result);
        b->waiting = false;
        if (!b->running)
            run_batch(p, b);
    } else if (!number && id.n) {
        p->deliver(c, text);
    }
    buf_free(text);
}

void rpc_answer_with(conn *c, const char *request_id, const char *result, size_t n)
{
    buf out = BUF_INIT;
    json_writer w;
    rpc_begin_answer(&w, &out, rpc_id(request_id));
    jw_key(&w, "result");
    jw_raw(&w, result, n);
    jw_end_object(&w);
    rpc_answer(c, request_id, &out);
}

void rpc_answer_error(conn *c, const char *request_id, int code, const error *e)
{
    buf out = BUF_INIT;
    write_error(&out, rpc_id(request_id), code, e);
    rpc_answer(c, request_id, &out);
    STAT_ADD(c->r->stats.errors, 1);
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* Params as an object; NULL when there are none. */
static bool read_params(const rpc_request *q, const rpc_method *m, json_t **to, error *e)
{
    *to = NULL;
    if (!q->params.n)
        return true;
    json_t *params = json_read_text(q->params.p, q->params.n, e);
    if (json_is_array(params)) {
        json_t *named = rpc_named(params, m->params, m->n_params, e);
        json_decref(params);
        params = named;
    }
    *to = params;
    return params != NULL;
}

static bool may_ask(const conn *c, const rpc_method *m, error *e)
{
    if (!c->ws || c->ws->who || (m && m->flags & RPC_OPEN))
        return true;
    error_set(e, ERR_AUTH_REQUIRED, "this connection has not authenticated");
    return error_hint(e, "Call the method auth with a token first.");
}

static bool start(rpc_peer *p, const rpc_request *q, const char *request_id, error *e)
{
    rpc_method m;
    json_t *params = NULL;
    bool found = rpc_find_method(p, q->method, &m, e);
    if (!may_ask(p->c, found ? &m : NULL, e) || !found || !ws_may_ask(p->c, m.asks, e))
        return false;
    bool ok = read_params(q, &m, &params, e) && m.request(p->c, request_id, params, e);
    json_decref(params);
    return ok;
}

static void note(conn *c, bool good)
{
    if (!c->ws)
        return;
    if (good)
        ws_good_message(c);
    else
        ws_bad_message(c);
}

/* Starts one request; it is answered now or later, a notification to nobody. */
static void take_request(rpc_peer *p, json_slice text, uint64_t batch)
{
    char request_id[REQUEST_ID_ROOM];
    conn *c = p->c;
    rpc_request q;
    error e;
    error_clear(&e);
    if (!rpc_read(text, &q, &e)) {
        write_request_id(request_id, batch, q.id.n ? q.id : (json_slice){"null", 4});
        note(c, false);
        rpc_answer_error(c, request_id, RPC_INVALID_REQUEST, &e);
        return;
    }
    write_request_id(request_id, batch, q.id);
    if (start(p, &q, request_id, &e)) {
        note(c, true);
        return;
    }
    note(c, e.code != ERR_INVALID_MESSAGE);
    rpc_answer_error(c, request_id, rpc_code(&e), &e);
}

/* ---- batches -----------------------------------------------------------------------------------
 */

static rpc_batch *batch_new(rpc_peer *p, json_slice text, bool array)
{
    rpc_batch *b = xalloc(sizeof *b);
    b->text = mem_strndup(text.p, text.n);
    if (!b->text) {
        mem_free(b);
        return NULL;
    }
    b->array = array;
    b->number = ++p->last_batch;
    b->rest = json_items_of((json_slice){b->text, text.n});
    list_append(&p->batches, &b->link);
    return b;
}

static void batch_done(rpc_peer *p, rpc_batch *b)
{
    buf out = b->out;
    b->out = BUF_INIT;
    if (b->answers)
        buf_addc(&out, ']');
    conn *c = p->c;
    batch_free(b);
    if (out.failed)
        conn_kill(c);
    else
        p->deliver(c, out.len ? &out : NULL);
    buf_free(&out);
}

static void run_batch(rpc_peer *p, rpc_batch *b)
{
    json_slice text;
    b->running = true;
    while (!b->waiting) {
        if (p->c->ws && p->c->state != CONN_WS)
            break; /* closing: what has not begun does not run */
        if (!b->array || !json_items_next(&b->rest, NULL, &text)) {
            batch_done(p, b);
            return;
        }
        b->waiting = true;
        take_request(p, text, b->number);
    }
    b->running = false;
}

/* ---- messages ----------------------------------------------------------------------------------
 */

/* A message that has no requests: one error, which can name no id. */
static void refuse(rpc_peer *p, int code, const error *e)
{
    buf out = BUF_INIT;
    write_error(&out, (json_slice){0}, code, e);
    STAT_ADD(p->c->r->stats.errors, 1);
    note(p->c, e->code != ERR_INVALID_MESSAGE);
    if (out.failed)
        conn_kill(p->c);
    else
        p->deliver(p->c, &out);
    buf_free(&out);
}

static bool check_batch(const rpc_peer *p, json_slice array, error *e)
{
    const config *cfg = daemon_config(p->c->r->d);
    json_slice item;
    int64_t n = 0, open = 0;
    for (json_items at = json_items_of(array);
         n <= cfg->max_batch && json_items_next(&at, NULL, &item);)
        n++;
    if (n == 0)
        return error_set(e, ERR_INVALID_MESSAGE, "the batch is empty");
    if (n > cfg->max_batch)
        return error_set(e, ERR_INVALID_MESSAGE, "a batch may have %lld requests",
                         (long long)cfg->max_batch);
    list_each(it, &p->batches) open++;
    if (open >= cfg->max_pending)
        return error_set(e, ERR_BUSY, "%lld batches of this connection are under way",
                         (long long)open);
    return guest_batch(p->c, n, e);
}

static void take_batch(rpc_peer *p, json_slice array)
{
    error e;
    rpc_batch *b = NULL;
    if (!check_batch(p, array, &e)) {
        refuse(p, e.code == ERR_INVALID_MESSAGE ? RPC_INVALID_REQUEST : rpc_code(&e), &e);
    } else if (!(b = batch_new(p, array, true))) {
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        refuse(p, rpc_code(&e), &e);
    } else {
        run_batch(p, b);
    }
}

static void take_single(rpc_peer *p, json_slice text)
{
    rpc_batch *b = p->http ? batch_new(p, text, false) : NULL;
    if (b)
        b->waiting = true;
    take_request(p, text, b ? b->number : 0);
}

void rpc_message(rpc_peer *p, const char *text, size_t n)
{
    json_slice whole;
    error e;
    error_clear(&e);
    if (!json_slice_text(text, n, &whole, &e))
        refuse(p, RPC_PARSE_ERROR, &e);
    else if (*whole.p == '[')
        take_batch(p, whole);
    else
        take_single(p, whole);
}
