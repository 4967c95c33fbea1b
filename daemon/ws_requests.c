#include "daemon/ws_requests.h"
#include "base/mem.h"
#include "daemon/encode.h"
#include "daemon/params.h"
#include "daemon/ws.h"
#include "json/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ws_request_read(const conn *c, json_t *input, const json_field *fields, int n, error *e)
{
    json_t *none = input ? NULL : json_object();
    bool ok = json_read_object_at(input ? input : none, c->ws->protocol->input, fields, n, e);
    json_decref(none);
    return ok;
}

bool ws_request_auth(conn *c, const char *id, json_t *input, error *e)
{
    const char *token;
    json_t *metadata = NULL;
    const json_field fields[] = {
        {"token", FIELD_STR, true, &token, 0, 0},
        {"metadata", FIELD_OBJECT, false, &metadata, 0, 0},
    };
    buf out = BUF_INIT;
    json_writer w;
    principal who;
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e) ||
        !auth_check(c->r->d->auth, token, strlen(token), &who, e) ||
        (metadata && !ws_set_metadata(c, metadata, e)))
        return false;
    c->ws->who = who;
    c->ws->protocol->begin_result(&w, &out, id, RESULT_AUTHENTICATED);
    jw_key(&w, "user");
    jw_str(&w, who.name);
    c->ws->protocol->end_result(&w, c, id);
    return true;
}

/* ---- statements --------------------------------------------------------------------------------
 */

static void send_chunk(run *r, refbuf *data)
{
    conn_queue(r->c, data, r, 0);
}

static void sql_done(run *r)
{
    r->c->ws->protocol->finish(r);
    run_free(r);
}

static run *new_run(conn *c, const char *id, job_kind kind, error *e)
{
    if (c->n_runs >= daemon_config(c->r->d)->max_pending) {
        error_set(e, ERR_BUSY, "%d requests of this connection are under way", c->n_runs);
        error_hint(e, "Wait for answers, or open another connection.");
        return NULL;
    }
    bool has_rows = kind == JOB_QUERY || kind == JOB_TX_QUERY;
    run *r = run_new(c, has_rows ? c->ws->protocol->encoder(id) : &encode_none, kind);
    r->deflate_bits = c->ws->deflate_bits;
    r->on_chunk = send_chunk;
    r->on_done = sql_done;
    if (id) {
        r->request_id = arena_strndup(&r->job.mem, id, strlen(id));
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

bool ws_request_query(conn *c, const char *id, json_t *input, error *e)
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
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    run *r = new_run(c, id, transaction ? JOB_TX_QUERY : JOB_QUERY, e);
    if (!r)
        return false;
    if (!params_fill_job(&r->job, &s, e) ||
        (transaction && !params_set_id(r->job.tx, transaction, "transaction", e))) {
        run_free(r);
        return false;
    }
    const char *name = id ? c->ws->protocol->json_id(id) : NULL;
    if (name && !engine_id(c, name, r->job.id))
        r->job.id[0] = '\0'; /* too long to cancel by */
    run_submit(r);
    return true;
}

bool ws_request_cancel(conn *c, const char *id, json_t *input, error *e)
{
    char name[ENGINE_ID_MAX + 1];
    json_t *target = NULL;
    const json_field fields[] = {{"id", FIELD_ANY, true, &target, 0, 0}};
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    char *text = json_dumps(target, JSON_ENCODE_ANY | JSON_COMPACT);
    bool found =
        text && engine_id(c, text, name) && engine_cancel_id(c->r->d->engine, name, ERR_CANCELLED);
    free(text);
    if (!found)
        return error_set(e, ERR_NOT_FOUND, "no query with this id runs on this connection");
    buf out = BUF_INIT;
    json_writer w;
    c->ws->protocol->begin_result(&w, &out, id, RESULT_DONE);
    jw_key(&w, "cancelled");
    jw_bool(&w, true);
    c->ws->protocol->end_result(&w, c, id);
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
        c->ws->protocol->failed(c, r->request_id, &r->err, NULL);
        run_free(r);
        return;
    }
    c->ws->protocol->begin_result(&w, &out, r->request_id, RESULT_DONE);
    jw_key(&w, "transaction");
    jw_str(&w, r->job.tx);
    if (r->job.kind != JOB_TX_BEGIN) {
        jw_key(&w, "lsn");
        jw_int(&w, r->sum.lsn);
    }
    c->ws->protocol->end_result(&w, c, r->request_id);
    run_free(r);
}

static bool submit_tx(conn *c, const char *id, job_kind kind, const char *tx, error *e)
{
    run *r = new_run(c, id, kind, e);
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

bool ws_request_begin(conn *c, const char *id, json_t *input, error *e)
{
    return ws_request_read(c, input, NULL, 0, e) && submit_tx(c, id, JOB_TX_BEGIN, NULL, e);
}

static bool end_tx(conn *c, const char *id, json_t *input, job_kind kind, error *e)
{
    const char *tx;
    const json_field fields[] = {{"transaction", FIELD_STR, true, &tx, 0, 0}};
    return ws_request_read(c, input, fields, JSON_FIELDS(fields), e) &&
           submit_tx(c, id, kind, tx, e);
}

bool ws_request_commit(conn *c, const char *id, json_t *input, error *e)
{
    return end_tx(c, id, input, JOB_TX_COMMIT, e);
}

bool ws_request_rollback(conn *c, const char *id, json_t *input, error *e)
{
    return end_tx(c, id, input, JOB_TX_ROLLBACK, e);
}
