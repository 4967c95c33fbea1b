#include "daemon/ws_requests.h"
#include "daemon/audit.h"
#include "base/mem.h"
#include "daemon/credentials.h"
#include "daemon/encode.h"
#include "daemon/http.h"
#include "daemon/params.h"
#include "daemon/renewal.h"
#include "daemon/system_events.h"
#include "daemon/ws.h"
#include "daemon/ws_status.h"
#include "json/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const ws_protocol *ws_request_protocol(const conn *c)
{
    return c->ws ? c->ws->protocol : c->req->protocol;
}

bool ws_request_read(const conn *c, json_t *input, const json_field *fields, int n, error *e)
{
    json_t *none = input ? NULL : json_object();
    bool ok =
        json_read_object_at(input ? input : none, ws_request_protocol(c)->input, fields, n, e);
    json_decref(none);
    return ok;
}

static identity *identify(conn *c, const char *token, error *e)
{
    identity *who = conn_identify(c, &c->from.ip, token, strlen(token), e);
    explicit_bzero((char *)(uintptr_t)token, strlen(token)); /* in the tree that it came in */
    if (!who)
        audit_conn(c, AUDIT_AUTH_FAILED, NULL, e, NULL);
    return who;
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
    identity *who;
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e) ||
        !(who = identify(c, token, e)))
        return false;
    if (metadata && !ws_set_metadata(c, metadata, e)) {
        identity_release(who);
        return false;
    }
    renewal_take(c, who);
    ws_request_protocol(c)->begin_result(&w, &out, id, RESULT_AUTHENTICATED);
    jw_key(&w, "user");
    jw_str(&w, who->name);
    ws_request_protocol(c)->end_result(&w, c, id);
    return true;
}

bool ws_request_status(conn *c, const char *id, json_t *input, error *e)
{
    const ws_protocol *p = ws_request_protocol(c);
    engine_stats stats;
    buf out = BUF_INIT;
    json_writer w;
    if (!ws_request_read(c, input, NULL, 0, e))
        return false;
    engine_stats_get(c->r->d->engine, &stats);
    p->begin_result(&w, &out, id, RESULT_DONE);
    ws_status_write(&w, c->r->d);
    jw_key(&w, "version");
    jw_str(&w, RUSTYDB_VERSION);
    jw_key(&w, "log_id");
    jw_str(&w, c->r->d->log_id);
    jw_key(&w, "lsn");
    jw_int(&w, stats.log_head);
    jw_key(&w, "limits");
    ws_limits_write(&w, daemon_config(c->r->d));
    if (c->ws) {
        jw_key(&w, "connection_id");
        jw_str(&w, c->ws->id);
        jw_key(&w, "user");
        jw_str(&w, c->ws->who->name);
    }
    p->end_result(&w, c, id);
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
    ws_request_protocol(r->c)->finish(r);
    run_free(r);
}

run *ws_request_run(conn *c, const char *id, job_kind kind, error *e)
{
    if (c->n_runs >= daemon_config(c->r->d)->max_pending) {
        error_set(e, ERR_BUSY, "%d requests of this connection are under way", c->n_runs);
        error_hint(e, "Wait for answers, or open another connection.");
        system_limit_hit(c->r->d, c, e);
        return NULL;
    }
    bool has_rows = kind == JOB_QUERY || kind == JOB_TX_QUERY;
    run *r = run_new(c, has_rows ? ws_request_protocol(c)->encoder(id) : &encode_none, kind);
    r->deflate_bits = c->ws ? c->ws->deflate_bits : 0;
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

void ws_run_name(run *r, const char *name)
{
    if (!engine_id(r->c, name, r->job.id))
        r->job.id[0] = '\0'; /* too long to cancel by */
}

bool ws_cancel(conn *c, const char *name, error *e)
{
    char id[ENGINE_ID_MAX + 1];
    if (!engine_id(c, name, id) || !engine_cancel_id(c->r->d->engine, id, ERR_CANCELLED))
        return error_set(e, ERR_NOT_FOUND, "no query with this id runs on this connection");
    return true;
}

bool ws_request_query(conn *c, const char *id, json_t *input, error *e)
{
    char name[ENGINE_ID_MAX + 1];
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
    run *r = ws_request_run(c, id, transaction ? JOB_TX_QUERY : JOB_QUERY, e);
    if (!r)
        return false;
    if (!params_fill_job(&r->job, &s, e) ||
        (transaction && !params_set_id(r->job.tx, transaction, "transaction", e))) {
        run_free(r);
        return false;
    }
    if (id && c->ws && ws_request_protocol(c)->cancel_name(id, name, sizeof name))
        ws_run_name(r, name);
    run_bound_rows(r);
    run_submit(r);
    return true;
}

bool ws_request_cancel(conn *c, const char *id, json_t *input, error *e)
{
    json_t *target = NULL;
    const json_field fields[] = {{"id", FIELD_ANY, true, &target, 0, 0}};
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    char *text = json_dumps(target, JSON_ENCODE_ANY | JSON_COMPACT);
    bool found = text ? ws_cancel(c, text, e) : error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    free(text);
    if (!found)
        return false;
    buf out = BUF_INIT;
    json_writer w;
    ws_request_protocol(c)->begin_result(&w, &out, id, RESULT_DONE);
    jw_key(&w, "cancelled");
    jw_bool(&w, true);
    ws_request_protocol(c)->end_result(&w, c, id);
    return true;
}
