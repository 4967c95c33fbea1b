#include "daemon/api/schema_steps.h"
#include "daemon/encode.h"
#include "json/read.h"

#include <stdlib.h>
#include <string.h>

/* What a run's `arg` points to, in its job's memory. */
typedef struct step {
    schema_found found;
    schema_done done;
    bool or_not; /* `found` is called when there is nothing, too */
    engine_stmt *stmts;
    int status; /* of the answer that is the description itself */
} step;

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static void step_done(run *r);

static run *begin(request *q, job_kind kind, const step *s)
{
    error e;
    run *r = run_new(q->c, &encode_none, kind);
    step *own = arena_alloc(&r->job.mem, sizeof *own);
    if (!own) {
        no_memory(&e);
        schema_give_up(r, &e);
        return NULL;
    }
    *own = *s;
    r->arg = own;
    r->on_done = step_done;
    return r;
}

/* ---- errors -----------------------------------------------------------------------------------
 */

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* SQLite has one code for all of these. */
static error_code code_of(const char *message)
{
    if (strstr(message, " already exists") || starts_with(message, "there is already ") ||
        starts_with(message, "duplicate column name: "))
        return ERR_CONFLICT;
    if (starts_with(message, "no such view: "))
        return ERR_TABLE_NOT_FOUND;
    if (starts_with(message, "no such index: "))
        return ERR_NOT_FOUND;
    return ERR_QUERY_ERROR;
}

void schema_reply_failure(run *r)
{
    error e = r->err;
    if (e.code == ERR_QUERY_ERROR)
        e.code = code_of(e.message);
    if (r->job.kind == JOB_ATOMIC)
        e.position = -1; /* it is in a text that the client has not seen */
    http_reply_error(r->c->req, &e);
}

void schema_give_up(run *r, const error *e)
{
    http_reply_error(r->c->req, e);
    run_free(r);
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static void look(request *q, const char *name, const step *s)
{
    error e;
    run *r = begin(q, JOB_INSPECT, s);
    if (!r)
        return;
    r->job.table = arena_strndup(&r->job.mem, name, strlen(name));
    if (!r->job.table) {
        no_memory(&e);
        schema_give_up(r, &e);
        return;
    }
    run_submit(r);
}

void schema_find(request *q, const char *name, schema_found then)
{
    look(q, name, &(step){.found = then});
}

void schema_find_or_not(request *q, const char *name, schema_found then)
{
    look(q, name, &(step){.found = then, .or_not = true});
}

bool schema_is_view(const json_t *table)
{
    return strcmp(json_string_value(json_object_get(table, "type")), "view") == 0;
}

static void found(run *r, schema_found then)
{
    request *q = r->c->req;
    error e;
    json_t *table = json_read_text(r->job.text.data, r->job.text.len, &e);
    if (table)
        then(q, table);
    else
        http_reply_error(q, &e);
    json_decref(table);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

run *schema_change(request *q, size_t most, schema_done then)
{
    error e;
    run *r = begin(q, JOB_ATOMIC, &(step){.done = then});
    if (!r)
        return NULL;
    step *s = r->arg;
    s->stmts = arena_alloc(&r->job.mem, sizeof *s->stmts * most);
    if (!s->stmts) {
        no_memory(&e);
        schema_give_up(r, &e);
        return NULL;
    }
    r->job.stmts = s->stmts;
    return r;
}

bool schema_add(run *r, bool made, buf *sql, error *e)
{
    step *s = r->arg;
    char *text = made && !sql->failed ? arena_strndup(&r->job.mem, sql->data, sql->len) : NULL;
    buf_free(sql);
    if (text)
        s->stmts[r->job.n_stmts++].sql = text;
    else if (made)
        no_memory(e);
    return text != NULL;
}

void schema_run(run *r)
{
    run_submit(r);
}

/* ---- answers ----------------------------------------------------------------------------------
 */

/* place NULL: the answer is not that something was made. */
static void answer(request *q, int status, json_t *doc, const char *place, const char *name)
{
    error e;
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    if (!text) {
        no_memory(&e);
        http_reply_error(q, &e);
    } else if (place) {
        http_reply_created(q, place, name, text, strlen(text));
    } else {
        http_reply(q, status, text, strlen(text));
    }
    free(text);
}

void schema_answer(request *q, int status, json_t *doc)
{
    answer(q, status, doc, NULL, NULL);
}

void schema_answer_created(request *q, json_t *doc, const char *place, const char *name)
{
    answer(q, 201, doc, place, name);
}

void schema_answer_dropped(request *q, const char *name, int64_t lsn)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "name");
    jw_str(&w, name);
    jw_key(&w, "lsn");
    jw_int(&w, lsn);
    http_end_json(q, 200, &w);
}

void schema_answer_table(request *q, const char *name, int status)
{
    look(q, name, &(step){.status = status});
}

/* The change is committed; that nothing is there any more is somebody else's doing. */
static void described(run *r, int status)
{
    request *q = r->c->req;
    error e;
    const buf *text = &r->job.text;
    if (!r->failed && status == 201) {
        http_reply_created(q, "/api/v1/tables/", r->job.table, text->data, text->len);
    } else if (!r->failed) {
        http_reply(q, status, text->data, text->len);
    } else if (r->err.code == ERR_TABLE_NOT_FOUND) {
        error_set(&e, ERR_CONFLICT, "\"%s\" was changed as asked, and is already gone again",
                  r->job.table);
        http_reply_error(q, &e);
    } else {
        http_reply_error(q, &r->err);
    }
}

static void step_done(run *r)
{
    const step *s = r->arg;
    if (s->status)
        described(r, s->status);
    else if (s->done)
        s->done(r->c->req, r);
    else if (r->failed && s->or_not && r->err.code == ERR_TABLE_NOT_FOUND)
        s->found(r->c->req, NULL);
    else if (r->failed)
        http_reply_error(r->c->req, &r->err);
    else
        found(r, s->found);
    run_free(r);
}
