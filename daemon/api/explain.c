/* POST /explain and POST /validate: what a statement would do. Nothing is run. */
#include "daemon/api/api.h"
#include "daemon/encode.h"
#include "daemon/params.h"

/* Whether an error is about the statement. Others are about the daemon or the moment. */
static bool is_verdict(error_code code)
{
    return code == ERR_QUERY_ERROR || code == ERR_TABLE_NOT_FOUND || code == ERR_PERMISSION_DENIED;
}

static void reply_invalid(request *q, const error *e)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "valid");
    jw_bool(&w, false);
    jw_key(&w, "error");
    problem_write(&w, e, NULL);
    http_end_json(q, 200, &w);
}

static void validated(run *r)
{
    if (!r->failed || !is_verdict(r->err.code)) {
        http_answer_text(r);
        return;
    }
    reply_invalid(r->c->req, &r->err);
    run_free(r);
}

static void look_at(request *q, job_kind kind, void (*done)(run *r))
{
    error e;
    const sql_request s = {
        .sql = json_string_value(json_object_get(q->doc, "sql")),
        .params = json_object_get(q->doc, "params"),
    };
    run *r = run_new(q->c, &encode_none, kind);
    r->on_done = done;
    r->job.text.limit = (size_t)daemon_config(q->c->r->d)->max_result;
    if (params_fill_job(&r->job, &s, &e)) {
        run_submit(r);
        return;
    }
    run_free(r);
    http_reply_error(q, &e);
}

void api_explain_query(request *q)
{
    look_at(q, JOB_EXPLAIN, http_answer_text);
}

void api_validate_query(request *q)
{
    look_at(q, JOB_VALIDATE, validated);
}
