/* The course of an operation on rows: a look at the table, then the statements. */
#include "daemon/api/rows.h"
#include "daemon/encode.h"

#include <string.h>
#include <strings.h>

static void drop_op(request *q)
{
    rows_op *op = q->arg;
    q->arg = NULL;
    if (op)
        run_free(op->r); /* op lives in its arena */
}

static void inspected(run *look)
{
    request *q = look->c->req;
    rows_op *op = q->arg;
    error e = look->err;
    bool ok = !look->failed && row_table_read(&op->table, look->job.text.data, look->job.text.len,
                                              &op->r->job.mem, &e);
    run_free(look);
    if (ok)
        rows_apply_grants(op);
    if (!ok || !op->prepare(q, op, &e)) {
        http_reply_error(q, &e);
        return;
    }
    q->arg = NULL;
    op->r->job.stmts = op->stmts;
    run_submit(op->r);
}

void rows_start(request *q, const run_encoder *encoder, job_kind kind, size_t size, unsigned ops,
                bool (*prepare)(request *q, rows_op *op, error *e))
{
    error e;
    run *r = run_new(q->c, encoder, kind), *look = run_new(q->c, &encode_none, JOB_INSPECT);
    rows_op *op = arena_alloc(&r->job.mem, size);
    look->job.table = arena_strndup(&look->job.mem, q->params[0], strlen(q->params[0]));
    look->job.as = NULL; /* what is told of it is seen to here */
    look->on_done = inspected;
    if (op)
        op->r = r;
    if ((!op || !look->job.table) ? !rows_no_memory(&e) : !rows_may(op, q->params[0], ops, &e)) {
        run_free(r);
        run_free(look);
        http_reply_error(q, &e);
        return;
    }
    op->ops = ops;
    op->prepare = prepare;
    r->state = op;
    q->arg = op;
    q->free_arg = drop_op;
    run_submit(look);
}

bool rows_room(rows_op *op, size_t n_stmts, error *e)
{
    op->stmts = arena_alloc(&op->r->job.mem, sizeof *op->stmts * (n_stmts + 1));
    op->extras = arena_alloc(&op->r->job.mem, sizeof *op->extras * (n_stmts + 1));
    return (op->stmts && op->extras) || rows_no_memory(e);
}

/* A preference is name=value, or name="value", perhaps with parameters behind a semicolon. */
bool rows_prefers(const request *q, const char *name, const char *wanted)
{
    const char *at = http_header(q, HEADER_PREFER);
    size_t n = strlen(name), len = strlen(wanted);
    while (at && *at) {
        at += strspn(at, " \t,;");
        const char *next = at + strcspn(at, ",;");
        if (strncasecmp(at, name, n) == 0 && at[n] == '=') {
            const char *v = at + n + 1;
            v += *v == '"';
            return strncasecmp(v, wanted, len) == 0 && strchr("\" \t,;", v[len]);
        }
        at = next;
    }
    return false;
}
