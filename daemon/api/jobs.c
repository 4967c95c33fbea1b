/* /admin/jobs: work that takes long. */
#include "daemon/jobs.h"
#include "daemon/api/api.h"

void api_list_jobs(request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jobs_list(q->c->r->d->jobs, q->who, http_param(q, "state"), http_int(q, "offset"),
              http_int(q, "limit"), &w);
    http_end_json(q, 200, &w);
}

static void reply_job(request *q, int status)
{
    error e;
    buf out = BUF_INIT;
    json_writer w;
    error_clear(&e);
    jw_init(&w, &out);
    bool ok = jobs_describe(q->c->r->d->jobs, q->who, q->params[0], &w, &e);
    if (ok && out.failed)
        ok = error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    if (ok)
        http_reply(q, status, out.data, out.len);
    else
        http_reply_error(q, &e);
    buf_free(&out);
}

void api_get_job(request *q)
{
    reply_job(q, 200);
}

void api_cancel_job(request *q)
{
    error e;
    error_clear(&e);
    if (jobs_cancel(q->c->r->d->jobs, q->who, q->params[0], &e))
        reply_job(q, 202);
    else
        http_reply_error(q, &e);
}
