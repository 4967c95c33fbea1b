/* Roles: /admin/roles and what is below it. The SQL in a role is shown to the engine, one grant
 * after the other, before the role is made. */
#include <stdlib.h>
#include <string.h>

#include "auth/role.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/encode.h"
#include "daemon/identity_edit.h"

static const char place[] = "/api/v1/admin/roles/";

/* ---- looking -----------------------------------------------------------------------------------
 */

static void write_role(json_writer *w, const auth_document *d)
{
    jw_raw(w, d->json, d->len);
}

static void put_bits(json_writer *w, const char *name, int n, const char *(*name_of)(int i))
{
    jw_key(w, name);
    jw_begin_array(w);
    for (int i = 0; i < n; i++)
        jw_str(w, name_of(i));
    jw_end_array(w);
}

static const char *scope_at(int i)
{
    return scope_name((auth_scope)i);
}

static const char *stream_at(int i)
{
    return stream_name(1u << i);
}

/* The role that is built in, as a document would say it. */
static void write_admin(json_writer *w)
{
    static const char tables[] =
        "[{\"table\":\"*\",\"operations\":[\"select\",\"insert\",\"update\",\"delete\"]}]";
    static const char channels[] =
        "[{\"channel\":\"*\",\"operations\":[\"subscribe\",\"publish\"]}]";
    jw_begin_object(w);
    jw_key_str(w, "name", ROLE_ADMIN);
    jw_key_str(w, "description", "Everything. It is built in, and stays as it is.");
    put_bits(w, "inherits", 0, NULL);
    jw_key(w, "tables");
    jw_raw(w, tables, sizeof tables - 1);
    jw_key(w, "channels");
    jw_raw(w, channels, sizeof channels - 1);
    put_bits(w, "streams", __builtin_popcount(STREAM_ALL), stream_at);
    put_bits(w, "scopes", SCOPE_COUNT, scope_at);
    jw_end_object(w);
}

/* The built-in role comes first, the others in the order of their names. */
void api_list_roles(request *q)
{
    int64_t offset = http_int(q, "offset"), limit = http_int(q, "limit"), total;
    bool first = offset == 0;
    auth_document **page = xalloc((size_t)limit * sizeof(auth_document *));
    int n = auth_store_page(auth_store_of(q->c->r->d->auth), AUTH_ROLE, first ? 0 : offset - 1,
                            (int)limit - first, page, &total);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "total", total + 1);
    jw_key_int(&w, "offset", offset);
    jw_key_int(&w, "limit", limit);
    jw_key(&w, "roles");
    jw_begin_array(&w);
    if (first)
        write_admin(&w);
    for (int i = 0; i < n; i++) {
        write_role(&w, page[i]);
        auth_document_release(page[i]);
    }
    jw_end_array(&w);
    http_end_json(q, 200, &w);
    mem_free(page);
}

void api_get_role(request *q)
{
    buf out = BUF_INIT;
    json_writer w;
    if (strcmp(q->params[0], ROLE_ADMIN) == 0) {
        jw_init(&w, &out);
        write_admin(&w);
        identity_reply_text(q, 200, &out, NULL, ROLE_ADMIN);
        buf_free(&out);
        return;
    }
    auth_document *d = identity_find(q, AUTH_ROLE, q->params[0]);
    if (d)
        identity_reply(q, 200, write_role, d, NULL);
    auth_document_release(d);
}

/* ---- whether its SQL makes sense ---------------------------------------------------------------
 */

/* A role on its way; the request's `arg`. */
typedef struct role_change {
    auth_document *was, *is; /* held */
    int at;                  /* the grant that is looked at */
} role_change;

static void free_change(request *q)
{
    role_change *m = q->arg;
    auth_document_release(m->was);
    auth_document_release(m->is);
    mem_free(m);
}

static void answer(request *q, const identity_edit *x)
{
    identity_reply(q, x->was ? 200 : 201, write_role, x->is, x->was ? NULL : place);
}

static void look_at_next(request *q);

static void looked(run *r)
{
    request *q = r->c->req;
    role_change *m = q->arg;
    error e = r->err;
    /* Of a table that is not there no more can be said than that its expressions have the form. */
    bool ok = !r->failed || e.code == ERR_TABLE_NOT_FOUND;
    run_free(r);
    if (ok) {
        m->at++;
        look_at_next(q);
        return;
    }
    const access_grant *g = &auth_role_of(m->is)->gives.tables.grants[m->at];
    error told;
    error_clear(&told);
    error_set(&told, e.code == ERR_QUERY_ERROR ? ERR_INVALID_MESSAGE : e.code,
              "tables[%d], for \"%.60s\": %.300s", m->at, g->table, e.message);
    http_reply_error(q, &told);
}

static void look_at(request *q, const char *sql)
{
    error e;
    run *r = run_new(q->c, &encode_none, JOB_VALIDATE);
    engine_stmt *stmt = arena_alloc(&r->job.mem, sizeof *stmt);
    if (stmt)
        stmt->sql = arena_strndup(&r->job.mem, sql, strlen(sql));
    r->job.as = NULL; /* the role is for others, who may see other tables than who makes it */
    r->job.stmts = stmt;
    r->job.n_stmts = 1;
    r->on_done = looked;
    if (stmt && stmt->sql) {
        run_submit(r);
        return;
    }
    run_free(r);
    error_clear(&e);
    error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    http_reply_error(q, &e);
}

/* The next grant that has SQL or columns; when there is none the role is made. */
static void look_at_next(request *q)
{
    role_change *m = q->arg;
    const access_role *tables = &auth_role_of(m->is)->gives.tables;
    buf sql = BUF_INIT;
    while (m->at < tables->n_grants && !auth_role_probe(&tables->grants[m->at], &sql)) {
        buf_clear(&sql);
        m->at++;
    }
    if (m->at < tables->n_grants)
        look_at(q, buf_cstr(&sql));
    else
        identity_edit_start(
            q, identity_edit_new(auth_document_hold(m->was), auth_document_hold(m->is), answer));
    buf_free(&sql);
}

/* ---- changing ----------------------------------------------------------------------------------
 */

static json_t *or_empty(const json_t *given)
{
    return given && !json_is_null(given) ? json_incref((json_t *)(uintptr_t)given) : json_array();
}

/* The whole document, from what the request says of it. */
static json_t *whole(const json_t *from, const char *name, const auth_document *was)
{
    static const char *const lists[] = {"inherits", "tables", "channels", "streams", "scopes"};
    char now[CLOCK_RFC3339_LEN + 1];
    const char *description = json_string_value(json_object_get(from, "description"));
    clock_rfc3339(clock_wall_us(), now);
    json_t *to =
        json_pack("{s:s, s:s}", "name", name, "description", description ? description : "");
    for (size_t i = 0; to && i < sizeof lists / sizeof *lists; i++)
        json_object_set_new(to, lists[i], or_empty(json_object_get(from, lists[i])));
    if (to) {
        json_object_set_new(to, "created_at",
                            json_string(was ? auth_role_of(was)->created_at : now));
        json_object_set_new(to, "updated_at", json_string(now));
    }
    return to;
}

/* Makes the role, in the place of `was`, which is taken over. */
static void make(request *q, auth_document *was, const char *name)
{
    error e;
    auth_document *is = auth_document_make(AUTH_ROLE, whole(q->doc, name, was), &e);
    if (is && auth_may_manage(q->c->r->d->auth, q->who, is, &e)) {
        role_change *m = xalloc(sizeof *m);
        m->was = was;
        m->is = is;
        q->arg = m;
        q->free_arg = free_change;
        look_at_next(q);
        return;
    }
    auth_document_release(is);
    auth_document_release(was);
    http_reply_error(q, &e);
}

static bool is_built_in(request *q)
{
    error e;
    if (strcmp(q->params[0], ROLE_ADMIN) != 0)
        return false;
    error_clear(&e);
    error_set(&e, ERR_CONFLICT, "the role \"%s\" is built in, and stays as it is", ROLE_ADMIN);
    http_reply_error(q, &e);
    return true;
}

void api_create_role(request *q)
{
    make(q, NULL, json_string_value(json_object_get(q->doc, "name")));
}

void api_put_role(request *q)
{
    char tag[ETAG_ROOM];
    error e;
    const char *name = q->params[0];
    const json_t *said = json_object_get(q->doc, "name");
    if (is_built_in(q))
        return;
    if (said && strcmp(json_string_value(said), name) != 0) {
        error_clear(&e);
        error_set(&e, ERR_INVALID_MESSAGE, "\"name\" is \"%.63s\", and the path says \"%.63s\"",
                  json_string_value(said), name);
        http_reply_error(q, &e);
        return;
    }
    auth_document *was = auth_store_find(auth_store_of(q->c->r->d->auth), AUTH_ROLE, name);
    if ((!was || identity_tag(q, write_role, was, tag)) && identity_condition(q, was ? tag : NULL))
        make(q, was, name);
    else
        auth_document_release(was);
}

static void answer_deleted(request *q, const identity_edit *x)
{
    identity_reply_deleted(q, "name", x->was->name);
}

void api_delete_role(request *q)
{
    char tag[ETAG_ROOM];
    auth_document *was = is_built_in(q) ? NULL : identity_find(q, AUTH_ROLE, q->params[0]);
    if (was && identity_tag(q, write_role, was, tag) && identity_condition(q, tag))
        identity_edit_start(q, identity_edit_new(was, NULL, answer_deleted));
    else
        auth_document_release(was);
}
