/* GET /tables and /tables/{name}. */
#include "daemon/api/api.h"
#include "daemon/encode.h"

#include <string.h>

static void inspect(request *q, const char *table, int64_t offset, int64_t limit)
{
    error e;
    run *r = run_new(q->c, &encode_none, JOB_INSPECT);
    r->on_done = http_answer_text;
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

void api_list_tables(request *q)
{
    inspect(q, NULL, http_int(q, "offset"), http_int(q, "limit"));
}

void api_get_table(request *q)
{
    inspect(q, q->params[0], 0, 0);
}
