/* POST /query, /batch and /query/{id}/cancel. */
#include "daemon/api/api.h"
#include "daemon/encode.h"
#include "daemon/params.h"
#include "json/read.h"

#include <stdio.h>
#include <string.h>

static bool wants_ndjson(const request *q)
{
    return strstr(q->accept, "application/x-ndjson") != NULL;
}

/* Reads the body of a request for one statement into a new run; NULL when it was answered. */
static run *read_query(request *q, job_kind kind)
{
    const char *id = NULL;
    sql_request s = {0};
    const json_field fields[] = {
        {"sql", FIELD_STR, true, &s.sql, 0, 0},
        {"params", FIELD_ANY, false, &s.params, 0, 0},
        {"id", FIELD_STR, false, &id, 0, 0},
        {"timeout_ms", FIELD_INT, false, &s.timeout_ms, 1, MAX_TIMEOUT_MS},
        {"max_rows", FIELD_INT, false, &s.max_rows, 1, INT64_MAX},
    };
    error e;
    json_t *root = json_read_text(http_body(q), &e);
    run *r = run_new(q->c, wants_ndjson(q) ? &encode_ndjson : &encode_object, kind);
    bool ok = root && json_read_object(root, fields, JSON_FIELDS(fields), &e) &&
              params_fill_job(&r->job, &s, &e) && (!id || params_set_id(r->job.id, id, "id", &e));
    json_decref(root);
    if (ok)
        return r;
    run_free(r);
    http_reply_error(q, &e);
    return NULL;
}

void api_query(request *q)
{
    run *r = read_query(q, JOB_QUERY);
    if (!r)
        return;
    http_answer_with(q, r);
    run_submit(r);
}

void api_tx_query(request *q)
{
    error e;
    run *r = read_query(q, JOB_TX_QUERY);
    if (!r)
        return;
    if (!params_set_id(r->job.tx, q->params[0], "the transaction's id", &e)) {
        run_free(r);
        http_reply_error(q, &e);
        return;
    }
    http_answer_with(q, r);
    run_submit(r);
}

static bool fill_batch(request *q, job *j, json_t *statements, error *e)
{
    size_t n = json_array_size(statements), i;
    int64_t most = daemon_config(q->c->r->d)->max_statements;
    json_t *item;
    char where[40];
    if (n == 0 || n > (size_t)most)
        return error_set(e, ERR_INVALID_MESSAGE, "statements has %zu items; 1 to %lld are allowed",
                         n, (long long)most);
    engine_stmt *stmts = arena_alloc(&j->mem, sizeof *stmts * n);
    if (!stmts)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    json_array_foreach(statements, i, item)
    {
        const char *sql;
        json_t *params = NULL;
        const json_field fields[] = {
            {"sql", FIELD_STR, true, &sql, 0, 0},
            {"params", FIELD_ANY, false, &params, 0, 0},
        };
        snprintf(where, sizeof where, "statements[%zu]", i);
        if (!json_read_object_at(item, where, fields, JSON_FIELDS(fields), e))
            return false;
        snprintf(where, sizeof where, "statements[%zu].", i);
        if (!params_fill_stmt(&stmts[i], &j->mem, sql, params, where, e))
            return false;
    }
    j->stmts = stmts;
    j->n_stmts = (int)n;
    return true;
}

void api_batch(request *q)
{
    json_t *statements = NULL;
    const char *id = NULL;
    int64_t timeout_ms = 0;
    bool atomic = false;
    const json_field fields[] = {
        {"statements", FIELD_ARRAY, true, &statements, 0, 0},
        {"atomic", FIELD_BOOL, false, &atomic, 0, 0},
        {"timeout_ms", FIELD_INT, false, &timeout_ms, 1, MAX_TIMEOUT_MS},
        {"id", FIELD_STR, false, &id, 0, 0},
    };
    error e;
    json_t *root = json_read_text(http_body(q), &e);
    run *r = run_new(q->c, &encode_batch, JOB_BATCH);
    bool ok = root && json_read_object(root, fields, JSON_FIELDS(fields), &e) &&
              fill_batch(q, &r->job, statements, &e) &&
              (!id || params_set_id(r->job.id, id, "id", &e));
    json_decref(root);
    if (!ok) {
        run_free(r);
        http_reply_error(q, &e);
        return;
    }
    if (atomic)
        r->job.kind = JOB_ATOMIC;
    if (timeout_ms)
        r->job.timeout_us = timeout_ms * 1000;
    http_answer_with(q, r);
    run_submit(r);
}

void api_cancel(request *q)
{
    error e;
    buf out;
    json_writer w;
    if (!engine_cancel_id(q->c->r->d->engine, q->params[0], ERR_CANCELLED)) {
        error_set(&e, ERR_NOT_FOUND, "no query with the id '%s' runs", q->params[0]);
        http_reply_error(q, &e);
        return;
    }
    http_begin_json(&w, &out);
    jw_key(&w, "id");
    jw_str(&w, q->params[0]);
    jw_key(&w, "cancelled");
    jw_bool(&w, true);
    http_end_json(q, 200, &w);
}
