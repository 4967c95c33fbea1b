/* Requests about transactions: begin, commit, rollback, savepoint. */
#include "base/sqlname.h"
#include "daemon/encode.h"
#include "daemon/params.h"
#include "daemon/run.h"
#include "daemon/ws_requests.h"
#include "json/read.h"

#include <string.h>

static void tx_done(run *r)
{
    conn *c = r->c;
    buf out = BUF_INIT;
    json_writer w;
    if (r->failed) {
        ws_request_protocol(c)->failed(c, r->request_id, &r->err, NULL);
        run_free(r);
        return;
    }
    ws_request_protocol(c)->begin_result(&w, &out, r->request_id, RESULT_DONE);
    jw_key(&w, "transaction");
    jw_str(&w, r->job.tx);
    if (r->job.kind != JOB_TX_BEGIN) {
        jw_key(&w, "lsn");
        jw_int(&w, r->sum.lsn);
    }
    ws_request_protocol(c)->end_result(&w, c, r->request_id);
    run_free(r);
}

static bool submit_tx(conn *c, const char *id, job_kind kind, const char *tx, error *e)
{
    run *r = ws_request_run(c, id, kind, e);
    if (!r)
        return false;
    r->on_done = tx_done;
    if (tx && !params_set_id(r->job.tx, tx, "transaction", e)) {
        run_free(r);
        return false;
    }
    run_submit(r);
    return true;
}

bool ws_request_begin(conn *c, const char *id, json_t *input, error *e)
{
    return ws_request_read(c, input, NULL, 0, e) && submit_tx(c, id, JOB_TX_BEGIN, NULL, e);
}

static bool end_tx(conn *c, const char *id, json_t *input, job_kind kind, error *e)
{
    const char *tx;
    const json_field fields[] = {{"transaction", FIELD_STR, true, &tx, 0, 0}};
    return ws_request_read(c, input, fields, JSON_FIELDS(fields), e) &&
           submit_tx(c, id, kind, tx, e);
}

bool ws_request_commit(conn *c, const char *id, json_t *input, error *e)
{
    return end_tx(c, id, input, JOB_TX_COMMIT, e);
}

bool ws_request_rollback(conn *c, const char *id, json_t *input, error *e)
{
    return end_tx(c, id, input, JOB_TX_ROLLBACK, e);
}

/* What a savepoint's answer repeats; in the job's arena. */
typedef struct savepoint {
    const char *name, *action;
} savepoint;

static void savepoint_done(run *r)
{
    const savepoint *s = r->arg;
    buf out = BUF_INIT;
    json_writer w;
    const ws_protocol *p = ws_request_protocol(r->c);
    if (r->failed) {
        p->failed(r->c, r->request_id, &r->err, NULL);
    } else {
        p->begin_result(&w, &out, r->request_id, RESULT_DONE);
        jw_key(&w, "transaction");
        jw_str(&w, r->job.tx);
        jw_key(&w, "name");
        jw_str(&w, s->name);
        jw_key(&w, "action");
        jw_str(&w, s->action);
        p->end_result(&w, r->c, r->request_id);
    }
    run_free(r);
}

static bool fill_savepoint(run *r, const char *verb, const savepoint *s, const char *tx, error *e)
{
    buf sql = BUF_INIT;
    savepoint *kept = arena_alloc(&r->job.mem, sizeof *kept);
    const char *plain = arena_strndup(&r->job.mem, s->name, strlen(s->name));
    if (!kept || !plain)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    *kept = (savepoint){plain, s->action};
    r->arg = kept;
    buf_addf(&sql, "%s ", verb);
    sqlname_add(&sql, s->name);
    const sql_request q = {.sql = buf_cstr(&sql)};
    bool ok = !sql.failed ? params_fill_job(&r->job, &q, e)
                          : error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    buf_free(&sql);
    return ok && params_set_id(r->job.tx, tx, "transaction", e);
}

bool ws_request_savepoint(conn *c, const char *id, json_t *input, error *e)
{
    static const struct {
        const char *action, *verb;
    } verbs[] = {{"create", "SAVEPOINT"}, {"release", "RELEASE"}, {"rollback", "ROLLBACK TO"}};
    const char *tx, *name, *action = "create";
    const json_field fields[] = {
        {"transaction", FIELD_STR, true, &tx, 0, 0},
        {"name", FIELD_STR, true, &name, 0, 0},
        {"action", FIELD_STR, false, &action, 0, 0},
    };
    size_t i = 0;
    if (!ws_request_read(c, input, fields, JSON_FIELDS(fields), e))
        return false;
    while (i < 3 && strcmp(action, verbs[i].action) != 0)
        i++;
    if (i == 3)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s.action is not \"create\", \"release\" or \"rollback\"",
                         ws_request_protocol(c)->input);
    run *r = ws_request_run(c, id, JOB_TX_QUERY, e);
    if (!r)
        return false;
    r->encoder = &encode_none;
    r->on_done = savepoint_done;
    if (!fill_savepoint(r, verbs[i].verb, &(savepoint){name, verbs[i].action}, tx, e)) {
        run_free(r);
        return false;
    }
    run_submit(r);
    return true;
}
