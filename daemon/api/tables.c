/* GET /tables and /tables/{name}. */
#include "daemon/api/api.h"
#include "daemon/encode.h"

#include <string.h>

static void done(run *r)
{
    request *q = r->c->req;
    if (r->failed)
        http_reply_error(q, &r->err);
    else
        http_reply(q, 200, r->job.text.data, r->job.text.len);
    run_free(r);
}

static void inspect(request *q, const char *table, int64_t offset, int64_t limit)
{
    error e;
    run *r = run_new(q->c, &encode_none, JOB_INSPECT);
    r->on_done = done;
    r->job.offset = offset;
    r->job.limit = limit;
    if (table && !(r->job.table = arena_strndup(&r->job.mem, table, strlen(table)))) {
        run_free(r);
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        http_reply_error(q, &e);
        return;
    }
    run_submit(r);
}

void api_tables(request *q)
{
    static const char *const allowed[] = {"offset", "limit", NULL};
    int64_t offset, limit;
    error e;
    if (!http_check_params(q, allowed, &e) ||
        !http_int_param(q, "offset", 0, 0, INT64_MAX, &offset, &e) ||
        !http_int_param(q, "limit", 100, 1, 1000, &limit, &e)) {
        http_reply_error(q, &e);
        return;
    }
    inspect(q, NULL, offset, limit);
}

void api_table(request *q)
{
    inspect(q, q->params[0], 0, 0);
}
