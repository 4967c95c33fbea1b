/* POST /query and /batch, and statements in a transaction. */
#include "daemon/api/api.h"
#include "daemon/encode.h"
#include "daemon/params.h"

#include <stdio.h>
#include <string.h>

const run_encoder *api_result_encoder(const request *q)
{
    return strstr(q->accept, "application/x-ndjson") ? &encode_ndjson : &encode_object;
}

static const char *text_in(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

/* The body of a request for one statement as a new run; NULL when it was answered. */
static run *read_query(request *q, job_kind kind)
{
    const char *id = text_in(q->doc, "id");
    const sql_request s = {
        .sql = text_in(q->doc, "sql"),
        .params = json_object_get(q->doc, "params"),
        .timeout_ms = json_integer_value(json_object_get(q->doc, "timeout_ms")),
        .max_rows = json_integer_value(json_object_get(q->doc, "max_rows")),
    };
    error e;
    run *r = run_new(q->c, api_result_encoder(q), kind);
    if (params_fill_job(&r->job, &s, &e) && (!id || params_set_id(r->job.id, id, "id", &e)))
        return r;
    run_free(r);
    http_reply_error(q, &e);
    return NULL;
}

void api_run_query(request *q)
{
    run *r = read_query(q, JOB_QUERY);
    if (!r)
        return;
    http_answer_with(q, r);
    run_bound_rows(r);
    run_submit(r);
}

void api_query_in_transaction(request *q)
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
    run_bound_rows(r);
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
        snprintf(where, sizeof where, "statements[%zu].", i);
        if (!params_fill_stmt(&stmts[i], &j->mem, text_in(item, "sql"),
                              json_object_get(item, "params"), where, e))
            return false;
    }
    j->stmts = stmts;
    j->n_stmts = (int)n;
    return true;
}

void api_run_batch(request *q)
{
    const char *id = text_in(q->doc, "id");
    int64_t timeout_ms = json_integer_value(json_object_get(q->doc, "timeout_ms"));
    error e;
    run *r = run_new(q->c, &encode_batch, JOB_BATCH);
    bool ok = fill_batch(q, &r->job, json_object_get(q->doc, "statements"), &e) &&
              (!id || params_set_id(r->job.id, id, "id", &e));
    if (!ok) {
        run_free(r);
        http_reply_error(q, &e);
        return;
    }
    if (json_is_true(json_object_get(q->doc, "atomic")))
        r->job.kind = JOB_ATOMIC;
    if (timeout_ms)
        r->job.timeout_us = timeout_ms * 1000;
    http_answer_with(q, r);
    run_bound_rows(r);
    run_submit(r);
}
