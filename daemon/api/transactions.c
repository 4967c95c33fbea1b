/* Transactions over several requests: begin, commit, rollback. (A statement in one: sql.c.) */
#include "daemon/api/api.h"
#include "daemon/encode.h"
#include "daemon/params.h"

#include <string.h>

static void begun(request *q, run *r)
{
    const config *cfg = daemon_config(q->c->r->d);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "transaction_id");
    jw_str(&w, r->job.tx);
    jw_key(&w, "idle_timeout_ms");
    jw_int(&w, cfg->transaction_idle);
    jw_key(&w, "max_ms");
    jw_int(&w, cfg->transaction_max);
    http_end_created(q, "/api/v1/transactions/", r->job.tx, &w);
}

static void ended(request *q, run *r)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "transaction_id");
    jw_str(&w, r->job.tx);
    jw_key(&w, "lsn");
    jw_int(&w, r->sum.lsn);
    jw_key(&w, "committed");
    jw_bool(&w, r->job.kind == JOB_TX_COMMIT);
    http_end_json(q, 200, &w);
}

static void done(run *r)
{
    request *q = r->c->req;
    if (r->failed)
        http_reply_error(q, &r->err);
    else if (r->job.kind == JOB_TX_BEGIN)
        begun(q, r);
    else
        ended(q, r);
    run_free(r);
}

static void start(request *q, job_kind kind)
{
    error e;
    run *r = run_new(q->c, &encode_none, kind);
    r->on_done = done;
    if (kind != JOB_TX_BEGIN &&
        !params_set_id(r->job.tx, q->params[0], "the transaction's id", &e)) {
        run_free(r);
        http_reply_error(q, &e);
        return;
    }
    run_submit(r);
}

void api_begin_transaction(request *q)
{
    start(q, JOB_TX_BEGIN);
}

void api_commit_transaction(request *q)
{
    start(q, JOB_TX_COMMIT);
}

void api_rollback_transaction(request *q)
{
    start(q, JOB_TX_ROLLBACK);
}
