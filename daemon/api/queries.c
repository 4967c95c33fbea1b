/* Stored queries: /queries and what is below it, except for calling them (call.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/api/queries.h"
#include "daemon/encode.h"
#include "json/schema.h"

static stored_queries *set_of(const request *q)
{
    return q->c->r->d->stored;
}

static const char *text_in(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

stored_query *find_stored_query(request *q)
{
    error e;
    stored_query *is = stored_queries_find(set_of(q), q->params[0]);
    if (is)
        return is;
    error_set(&e, ERR_NOT_FOUND, "there is no stored query \"%s\"", q->params[0]);
    http_reply_error(q, &e);
    return NULL;
}

static void reply_definition(request *q, int status, const stored_query *is)
{
    char headers[200];
    int n = snprintf(headers, sizeof headers, "ETag: %s\r\n", is->etag);
    if (status == 201)
        snprintf(headers + n, sizeof headers - (size_t)n, "Location: /api/v1/queries/%s\r\n",
                 is->name);
    http_reply_with(q, status, "application/json", headers, is->json, is->len);
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static void describe(json_writer *w, const stored_query *is)
{
    char *parameters = json_dumps(json_object_get(is->doc, "parameters"), JSON_COMPACT);
    jw_begin_object(w);
    jw_key(w, "name");
    jw_str(w, is->name);
    jw_key(w, "version");
    jw_int(w, is->version);
    jw_key(w, "description");
    jw_str(w, is->description);
    jw_key(w, "readonly");
    jw_bool(w, is->readonly);
    jw_key(w, "parameters");
    if (parameters)
        jw_raw(w, parameters, strlen(parameters));
    else
        w->out->failed = true;
    jw_key(w, "updated_at");
    jw_str(w, text_in(is->doc, "updated_at"));
    jw_end_object(w);
    free(parameters);
}

void api_list_stored_queries(request *q)
{
    int64_t offset = http_int(q, "offset"), limit = http_int(q, "limit"), total;
    stored_query **page = xalloc((size_t)limit * sizeof(stored_query *));
    int n = stored_queries_page(set_of(q), offset, (int)limit, page, &total);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "queries");
    jw_begin_array(&w);
    for (int i = 0; i < n; i++) {
        describe(&w, page[i]);
        stored_query_unref(page[i]);
    }
    jw_end_array(&w);
    jw_key(&w, "total");
    jw_int(&w, total);
    jw_key(&w, "offset");
    jw_int(&w, offset);
    jw_key(&w, "limit");
    jw_int(&w, limit);
    http_end_json(q, 200, &w);
    mem_free(page);
}

void api_get_stored_query(request *q)
{
    char headers[100];
    stored_query *is = find_stored_query(q);
    if (!is)
        return;
    if (etag_listed(http_header(q, HEADER_IF_NONE_MATCH), is->etag, true)) {
        snprintf(headers, sizeof headers, "ETag: %s\r\n", is->etag);
        http_reply_with(q, 304, NULL, headers, NULL, 0);
    } else {
        reply_definition(q, 200, is);
    }
    stored_query_unref(is);
}

/* ---- older versions ----------------------------------------------------------------------------
 */

static void ask_versions(request *q, int64_t version, int64_t offset, int64_t limit)
{
    stored_query *is = find_stored_query(q);
    if (!is)
        return;
    run *r = run_new(q->c, &encode_none, JOB_STORED);
    r->on_done = http_answer_text;
    r->job.version = version;
    r->job.offset = offset;
    r->job.limit = limit;
    r->job.table = arena_strndup(&r->job.mem, is->name, strlen(is->name));
    stored_query_unref(is);
    if (r->job.table) {
        run_submit(r);
        return;
    }
    error e;
    run_free(r);
    error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    http_reply_error(q, &e);
}

void api_list_stored_query_versions(request *q)
{
    ask_versions(q, 0, http_int(q, "offset"), http_int(q, "limit"));
}

void api_get_stored_query_version(request *q)
{
    int64_t version = 0;
    schema_parse_int(q->params[1], &version); /* the specification has seen to its form */
    ask_versions(q, version, 0, 0);
}

/* ---- changing ----------------------------------------------------------------------------------
 */

/* A change on behalf of a request. */
typedef struct saving {
    stored_call call;
    reactor_msg answer;
    conn *asker; /* held by n_runs */
} saving;

static void reply_deleted(request *q, const char *name)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "name");
    jw_str(&w, name);
    jw_key(&w, "deleted");
    jw_bool(&w, true);
    http_end_json(q, 200, &w);
}

static void reply_saved(request *q, const stored_call *call)
{
    if (call->failed)
        http_reply_error(q, &call->err);
    else if (call->is)
        reply_definition(q, call->was ? 200 : 201, call->is);
    else
        reply_deleted(q, call->was->name);
}

static void on_reactor(reactor *r, reactor_msg *m)
{
    (void)r;
    saving *s = list_entry(m, saving, answer);
    conn *c = s->asker;
    c->n_runs--;
    if (c->state != CONN_DEAD && c->req)
        reply_saved(c->req, &s->call);
    conn_reap(c);
    stored_query_unref(s->call.was);
    stored_query_unref(s->call.is);
    mem_free(s);
}

static void on_saved(stored_call *call)
{
    saving *s = list_entry(call, saving, call);
    reactor_post(s->asker->r, &s->answer);
}

/* Takes both references over. */
static void save(request *q, stored_query *was, stored_query *is)
{
    saving *s = xalloc(sizeof *s);
    s->answer.handle = on_reactor;
    s->asker = q->c;
    s->call.was = was;
    s->call.is = is;
    s->call.max = daemon_config(q->c->r->d)->max_stored_queries;
    s->call.done = on_saved;
    q->c->n_runs++;
    stored_queries_change(set_of(q), &s->call);
}

/* Whether what the client believes to change is there. version 0: it does not say. */
static bool check_conditions(const request *q, const stored_query *was, int64_t version, error *e)
{
    const char *match = http_header(q, HEADER_IF_MATCH);
    if (match && !etag_listed(match, was->etag, false)) {
        error_set(e, ERR_PRECONDITION_FAILED, "the stored query \"%s\" is another one by now",
                  was->name);
        return error_hint(e, "Get its definition, and send the ETag that comes with it.");
    }
    if (version && version != was->version) {
        error_set(e, ERR_CONFLICT, "the stored query \"%s\" has the version %lld by now", was->name,
                  (long long)was->version);
        return error_hint(e, "Get its definition, and decide anew.");
    }
    return true;
}

/* What may be stored: what a call can run by itself. */
static bool check_kind(const char *kind, error *e)
{
    static const char *const kinds[] = {"select", "insert", "update", "delete"};
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i], kind) == 0)
            return true;
    }
    return error_set(e, ERR_INVALID_MESSAGE,
                     "a stored query is a SELECT, INSERT, UPDATE or DELETE, and this is %s",
                     kind ? kind : "none");
}

/* The definition that the request asks for; NULL with e set. was: what it follows, or NULL. */
static stored_query *define(const request *q, const json_t *verdict, const stored_query *was,
                            error *e)
{
    char now[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_us(), now);
    const stored_origin origin = {
        .name = was ? was->name : text_in(q->doc, "name"),
        .version = was ? was->version + 1 : 1,
        .readonly = json_is_true(json_object_get(verdict, "readonly")),
        .created_at = was ? text_in(was->doc, "created_at") : now,
        .updated_at = now,
        .updated_by = q->who->name,
    };
    if (!check_kind(text_in(verdict, "kind"), e))
        return NULL;
    stored_query *is = stored_query_make(q->doc, &origin, e);
    if (is && !stored_query_check_names(is, json_object_get(verdict, "parameters"), e)) {
        stored_query_unref(is);
        return NULL;
    }
    return is;
}

/* The statement would be accepted. */
static void save_valid(request *q, const json_t *verdict)
{
    error e;
    bool replaces = q->method == HTTP_PUT;
    int64_t version = json_integer_value(json_object_get(q->doc, "version"));
    stored_query *was = replaces ? find_stored_query(q) : NULL;
    if (replaces && !was)
        return;
    stored_query *is =
        !was || check_conditions(q, was, version, &e) ? define(q, verdict, was, &e) : NULL;
    if (is) {
        save(q, was, is);
        return;
    }
    stored_query_unref(was);
    http_reply_error(q, &e);
}

static void validated(run *r)
{
    request *q = r->c->req;
    json_t *verdict = r->failed ? NULL : json_loadb(r->job.text.data, r->job.text.len, 0, NULL);
    error e = r->err;
    run_free(r);
    if (!verdict && e.code == ERR_NONE)
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    if (verdict)
        save_valid(q, verdict);
    else
        http_reply_error(q, &e);
    json_decref(verdict);
}

/* Has the statement looked at. */
static void begin_saving(request *q)
{
    run *r = run_new(q->c, &encode_none, JOB_VALIDATE);
    engine_stmt *stmt = arena_alloc(&r->job.mem, sizeof *stmt);
    const char *sql = text_in(q->doc, "sql");
    if (stmt)
        stmt->sql = arena_strndup(&r->job.mem, sql, strlen(sql));
    r->on_done = validated;
    r->job.stmts = stmt;
    r->job.n_stmts = 1;
    if (stmt && stmt->sql) {
        run_submit(r);
        return;
    }
    error e;
    run_free(r);
    error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    http_reply_error(q, &e);
}

void api_create_stored_query(request *q)
{
    begin_saving(q);
}

void api_replace_stored_query(request *q)
{
    begin_saving(q);
}

void api_delete_stored_query(request *q)
{
    error e;
    stored_query *was = find_stored_query(q);
    if (!was)
        return;
    if (check_conditions(q, was, http_int(q, "version"), &e)) {
        save(q, was, NULL);
        return;
    }
    stored_query_unref(was);
    http_reply_error(q, &e);
}
