#include "daemon/ws_query.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/envelope.h"
#include "daemon/params.h"
#include "daemon/problem.h"
#include "daemon/ws.h"
#include "daemon/ws_asks.h"
#include "daemon/ws_requests.h"
#include "daemon/ws_status.h"
#include "json/read.h"

#include <stdlib.h>
#include <string.h>

enum {
    PROGRESS_MS = 1000, /* "progress": true */
    PROGRESS_MIN_MS = 250,
    PROGRESS_MAX_MS = 3600000,
    PROGRESS_UNREAD = 65536, /* who has as much to read is not told how far it is */
    MAX_ID = 256,            /* bytes of a query's id */
};

typedef struct query_state {
    run *now;         /* under way; NULL: none */
    uint64_t queries; /* so far */
} query_state;

/* ---- messages ----------------------------------------------------------------------------------
 */

void ws_query_begin(json_writer *w, buf *out, const ws_query *q, const char *type)
{
    jw_init(w, out);
    jw_begin_object(w);
    jw_key(w, "type");
    jw_str(w, type);
    if (!q)
        return;
    jw_key(w, "query");
    jw_uint(w, q->number);
    if (q->id) {
        jw_key(w, "id");
        jw_raw(w, q->id, strlen(q->id));
    }
}

static void say(json_writer *w, conn *c)
{
    jw_end_object(w);
    if (w->out->failed)
        conn_kill(c);
    else
        ws_send(c, WS_TEXT, w->out->data, w->out->len);
    buf_free(w->out);
}

/* q: NULL when it is the message that failed, and not a query. */
static void say_error(conn *c, const ws_query *q, const error *e, const char *type)
{
    buf out = BUF_INIT;
    json_writer w;
    ws_query_begin(&w, &out, q, type);
    problem_write_members(&w, e);
    say(&w, c);
    STAT_ADD(c->r->stats.errors, 1);
}

static void say_progress(conn *c, const run *r, int64_t now)
{
    const ws_query *q = r->arg;
    buf out = BUF_INIT;
    json_writer w;
    ws_query_begin(&w, &out, q, "progress");
    jw_key(&w, "rows");
    jw_int(&w, atomic_load(&r->rows));
    jw_key(&w, "elapsed_ms");
    jw_real(&w, (double)(now - q->asked_us) / 1000.0);
    jw_key(&w, "percent"); /* nobody knows how many rows there will be */
    jw_null(&w);
    jw_key(&w, "waiting"); /* in the engine's queue */
    jw_bool(&w, !atomic_load(&r->started_us));
    say(&w, c);
}

static void opened(conn *c)
{
    buf out = BUF_INIT;
    json_writer w;
    c->ws->state = xalloc(sizeof(query_state));
    ws_query_begin(&w, &out, NULL, "welcome");
    jw_key(&w, "connection_id");
    jw_str(&w, c->ws->id);
    jw_key(&w, "version");
    jw_str(&w, RUSTYDB_VERSION);
    jw_key(&w, "authenticated");
    jw_bool(&w, c->ws->who);
    jw_key(&w, "limits");
    ws_limits_write(&w, daemon_config(c->r->d));
    say(&w, c);
}

static void closed(conn *c)
{
    mem_free(c->ws->state);
    c->ws->state = NULL;
}

/* ---- a query -----------------------------------------------------------------------------------
 */

static void send_chunk(run *r, refbuf *data)
{
    conn_queue(r->c, data, r, 0);
}

static void query_done(run *r)
{
    conn *c = r->c;
    query_state *s = c->ws->state;
    s->now = NULL;
    if (r->last) {
        conn_queue(c, r->last, NULL, 0);
        r->last = NULL;
    }
    if (r->failed)
        say_error(c, r->arg, &r->err, "error");
    run_free(r);
}

/* true, or how often in milliseconds. */
static bool read_progress(const json_t *progress, int64_t *us, error *e)
{
    int64_t ms = json_is_true(progress) ? PROGRESS_MS : json_integer_value(progress);
    bool off = !progress || json_is_null(progress) || json_is_false(progress);
    *us = off ? 0 : ms * 1000;
    if (off || (ms >= PROGRESS_MIN_MS && ms <= PROGRESS_MAX_MS))
        return true;
    return error_set(e, ERR_INVALID_MESSAGE,
                     "progress is neither true nor false nor milliseconds from %d to %d",
                     PROGRESS_MIN_MS, PROGRESS_MAX_MS);
}

/* A string, kept as JSON text. */
static bool read_id(const json_t *id, arena *mem, const char **to, error *e)
{
    if (!id || json_is_null(id))
        return true;
    if (!json_is_string(id) || json_string_length(id) > MAX_ID)
        return error_set(e, ERR_INVALID_MESSAGE, "id is not a string of up to %d bytes", MAX_ID);
    char *text = json_dumps(id, JSON_ENCODE_ANY);
    *to = text ? arena_strndup(mem, text, strlen(text)) : NULL;
    free(text);
    return *to || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static run *make_run(conn *c, json_t *root, error *e)
{
    sql_request s = {0};
    int64_t batch_size = BATCH_ROWS;
    json_t *progress = NULL, *id = NULL;
    const json_field fields[] = {
        {"sql", FIELD_STR, true, &s.sql, 0, 0},
        {"params", FIELD_ANY, false, &s.params, 0, 0},
        {"batch_size", FIELD_INT, false, &batch_size, 1, BATCH_ROWS_MAX},
        {"progress", FIELD_ANY, false, &progress, 0, 0},
        {"timeout_ms", FIELD_INT, false, &s.timeout_ms, 1, MAX_TIMEOUT_MS},
        {"max_rows", FIELD_INT, false, &s.max_rows, 1, INT64_MAX},
        {"id", FIELD_ANY, false, &id, 0, 0},
    };
    if (!json_read_object(root, fields, JSON_FIELDS(fields), e))
        return NULL;
    run *r = run_new(c, &encode_query, JOB_QUERY);
    ws_query *q = arena_alloc(&r->job.mem, sizeof *q);
    r->arg = q;
    if (!q)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (q && params_fill_job(&r->job, &s, e) && read_progress(progress, &q->progress_us, e) &&
        read_id(id, &r->job.mem, &q->id, e)) {
        q->batch_size = (int)batch_size;
        return r;
    }
    run_free(r);
    return NULL;
}

static bool on_query(conn *c, json_t *root, error *e)
{
    query_state *s = c->ws->state;
    if (!ws_may_ask(c, WS_ASK_statement, e))
        return false;
    if (s->now) {
        error_set(e, ERR_BUSY, "a query of this connection is under way");
        return error_hint(e, "Wait for its end, cancel it with {\"cancel\":true}, or open another "
                             "connection.");
    }
    run *r = make_run(c, root, e);
    if (!r)
        return false;
    ws_query *q = r->arg;
    q->number = ++s->queries;
    q->asked_us = q->told_us = clock_mono_us();
    r->deflate_bits = c->ws->deflate_bits;
    r->on_chunk = send_chunk;
    r->on_done = query_done;
    s->now = r;
    run_bound_rows(r);
    run_submit(r);
    return true;
}

/* It is answered by the query's own error, or end when that was quicker. */
static bool on_cancel(conn *c, json_t *root, error *e)
{
    query_state *s = c->ws->state;
    bool cancel = false;
    const json_field fields[] = {{"cancel", FIELD_BOOL, true, &cancel, 0, 0}};
    if (!json_read_object(root, fields, JSON_FIELDS(fields), e))
        return false;
    if (!cancel)
        return error_set(e, ERR_INVALID_MESSAGE, "cancel can only be true");
    if (!s->now)
        return error_set(e, ERR_NOT_FOUND, "no query of this connection is under way");
    engine_cancel(c->r->d->engine, &s->now->job, ERR_CANCELLED);
    return true;
}

static bool on_token(conn *c, json_t *root, error *e)
{
    if (ws_request_auth(c, NULL, root, e))
        return true;
    if (e->code != ERR_AUTH_FAILED)
        return false;
    say_error(c, NULL, e, "auth_error"); /* it may try again until its time is over */
    return true;
}

/* ---- the protocol ------------------------------------------------------------------------------
 */

static bool dispatch(conn *c, json_t *root, error *e)
{
    if (json_object_get(root, "token"))
        return on_token(c, root, e);
    if (!c->ws->who) {
        error_set(e, ERR_AUTH_REQUIRED, "this connection has not authenticated");
        return error_hint(e, "Send {\"token\":\"...\"} first.");
    }
    if (json_object_get(root, "sql"))
        return on_query(c, root, e);
    if (json_object_get(root, "cancel"))
        return on_cancel(c, root, e);
    error_set(e, ERR_INVALID_MESSAGE, "the message has neither sql nor cancel");
    return error_hint(e, "Send {\"sql\":\"...\"} or {\"cancel\":true}.");
}

static void take_message(conn *c, bool binary, const char *text, size_t n)
{
    error e;
    (void)binary;
    error_clear(&e);
    json_t *root = json_read_text(text, n, &e);
    if (root && dispatch(c, root, &e)) {
        ws_good_message(c);
    } else {
        say_error(c, NULL, &e, "error");
        if (e.code == ERR_INVALID_MESSAGE)
            ws_bad_message(c);
    }
    json_decref(root);
}

static void tick(conn *c, int64_t now)
{
    const query_state *s = c->ws->state;
    ws_query *q = s->now ? s->now->arg : NULL;
    if (!q || !q->progress_us || now - q->told_us < q->progress_us ||
        c->out.bytes > PROGRESS_UNREAD)
        return;
    q->told_us = now;
    say_progress(c, s->now, now);
}

static void begin_result(json_writer *w, buf *out, const char *id, result_kind kind)
{
    (void)id;
    ws_query_begin(w, out, NULL, kind == RESULT_AUTHENTICATED ? "auth_success" : "done");
}

static void end_result(json_writer *w, conn *c, const char *id)
{
    (void)id;
    say(w, c);
}

static void closing(conn *c)
{
    buf out = BUF_INIT;
    json_writer w;
    ws_query_begin(&w, &out, NULL, "system");
    closing_write(&w, c);
    say(&w, c);
}

static void failed(conn *c, const char *id, const error *e, const char *subscription_id)
{
    (void)id;
    (void)subscription_id;
    say_error(c, NULL, e, "error");
}

const ws_protocol ws_protocol_query = {
    .endpoint = "/api/v1/ws/query",
    .form = FORM_JSON,
    .text = true,
    .opened = opened,
    .closed = closed,
    .tick = tick,
    .message = take_message,
    .begin_result = begin_result,
    .end_result = end_result,
    .failed = failed,
    .closing = closing,
};
