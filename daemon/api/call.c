/* GET and POST /queries/{name}: calling a stored query. */
#include <string.h>

#include "daemon/api/api.h"
#include "daemon/api/queries.h"
#include "daemon/params.h"

/* What a call says beside its parameters; 0 and NULL: nothing. */
typedef struct call_limits {
    const char *id;
    int64_t timeout_ms, max_rows;
} call_limits;

static bool fill(job *j, const stored_query *is, json_t *params, const call_limits *limits,
                 error *e)
{
    engine_stmt *stmt = arena_alloc(&j->mem, sizeof *stmt);
    if (!stmt)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    j->stmts = stmt;
    j->n_stmts = 1;
    j->readonly = is->readonly;
    j->max_rows = limits->max_rows;
    if (limits->timeout_ms)
        j->timeout_us = limits->timeout_ms * 1000;
    return (!limits->id || params_set_id(j->id, limits->id, "id", e)) &&
           stored_query_bind(is, params, &j->mem, stmt, e);
}

static void call(request *q, const stored_query *is, json_t *params, const call_limits *limits)
{
    error e;
    run *r = run_new(q->c, api_result_encoder(q), JOB_QUERY);
    if (fill(&r->job, is, params, limits, &e)) {
        http_answer_with(q, r);
        run_bound_rows(r);
        run_submit(r);
        return;
    }
    run_free(r);
    http_reply_error(q, &e);
}

void api_call_stored_query(request *q)
{
    const call_limits limits = {
        .id = json_string_value(json_object_get(q->doc, "id")),
        .timeout_ms = json_integer_value(json_object_get(q->doc, "timeout_ms")),
        .max_rows = json_integer_value(json_object_get(q->doc, "max_rows")),
    };
    stored_query *is = find_stored_query(q);
    if (!is)
        return;
    call(q, is, json_object_get(q->doc, "params"), &limits);
    stored_query_unref(is);
}

/* One of the query string, which is not described, into params. */
static bool add_param(const stored_query *is, const char *pair, json_t *params, error *e)
{
    size_t n = strcspn(pair, "=");
    const stored_parameter *p = stored_query_parameter(is, pair, n);
    if (!p)
        return error_set(e, ERR_INVALID_MESSAGE, "the query has no parameter named \"%.*s\"",
                         (int)(n < 100 ? n : 100), pair);
    if (json_object_get(params, p->name))
        return error_set(e, ERR_INVALID_MESSAGE, "the query parameter %s is given twice", p->name);
    json_t *v = stored_parameter_parse(p, pair[n] ? pair + n + 1 : "", e);
    return v && (json_object_set_new(params, p->name, v) == 0 ||
                 error_set(e, ERR_INTERNAL_ERROR, "out of memory"));
}

/* Names of parameters start with a letter; those that are described, with "_". */
static bool read_params(const request *q, const stored_query *is, json_t *params, error *e)
{
    for (const char *at = q->query; *at; at += strlen(at) + 1) {
        bool described = strncmp(at, "_timeout_ms=", 12) == 0 || strncmp(at, "_max_rows=", 10) == 0;
        if (!described && !add_param(is, at, params, e))
            return false;
    }
    return true;
}

static void refuse_get(request *q, const stored_query *is)
{
    error e;
    error_set(&e, ERR_METHOD_NOT_ALLOWED, "the stored query \"%s\" writes", is->name);
    error_hint(&e, "Call it with POST.");
    http_reply_not_allowed(q, &e, "POST, DELETE, OPTIONS");
}

void api_get_stored_query_result(request *q)
{
    error e;
    const call_limits limits = {
        .timeout_ms = http_int(q, "_timeout_ms"),
        .max_rows = http_int(q, "_max_rows"),
    };
    stored_query *is = find_stored_query(q);
    if (!is)
        return;
    json_t *params = json_object();
    if (!is->readonly)
        refuse_get(q, is);
    else if (read_params(q, is, params, &e))
        call(q, is, params, &limits);
    else
        http_reply_error(q, &e);
    json_decref(params);
    stored_query_unref(is);
}
