/* GET /auth/validate: what credentials are good for. /admin/sessions: who is logged in. */
#include <stdio.h>
#include <string.h>

#include "auth/edit.h"
#include "auth/sessions.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/logins.h"
#include "daemon/waiter.h"

/* ---- validate ----------------------------------------------------------------------------------
 */

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static void put_scopes(json_writer *w, unsigned scopes)
{
    jw_key(w, "scopes");
    jw_begin_array(w);
    for (unsigned bit = 0; bit < SCOPE_COUNT; bit++) {
        if (scopes & 1u << bit)
            jw_str(w, scope_name((auth_scope)bit));
    }
    jw_end_array(w);
}

void api_validate_credentials(request *q)
{
    const identity *who = q->who;
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_str(&w, "user_id", who->name);
    jw_key_str(&w, "kind", identity_kind_name(who->kind));
    jw_key_time(&w, "expires_at", who->expires_us);
    jw_key_str(&w, "session_id", or_null(who->session));
    jw_key_str(&w, "key_id", or_null(who->key));
    put_scopes(&w, rights_scopes(who->rights));
    http_end_json(q, 200, &w);
}

/* ---- a list ------------------------------------------------------------------------------------
 */

static void put_session(json_writer *w, const session_info *i, const char *own)
{
    jw_begin_object(w);
    jw_key_str(w, "id", i->id);
    jw_key_str(w, "user", i->user);
    jw_key_time(w, "created_at", i->created_us);
    jw_key_time(w, "last_used_at", i->used_us);
    jw_key_time(w, "expires_at", i->expires_us);
    jw_key_str(w, "address", or_null(i->address));
    jw_key_str(w, "agent", or_null(i->agent));
    jw_key_bool(w, "current", strcmp(i->id, own) == 0);
    jw_end_object(w);
}

void api_list_logins(request *q)
{
    int64_t offset = http_int(q, "offset"), limit = http_int(q, "limit"), total;
    session_info *page = xalloc((size_t)limit * sizeof *page);
    int n = sessions_page(auth_sessions_of(q->c->r->d->auth), http_param(q, "user"), offset,
                          (int)limit, page, &total);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "total", total);
    jw_key_int(&w, "offset", offset);
    jw_key_int(&w, "limit", limit);
    jw_key(&w, "sessions");
    jw_begin_array(&w);
    for (int i = 0; i < n; i++)
        put_session(&w, &page[i], q->who->session);
    jw_end_array(&w);
    http_end_json(q, 200, &w);
    mem_free(page);
}

/* ---- ending them -------------------------------------------------------------------------------
 */

typedef struct ending {
    errand k;
    session_call call;
    waiter done;
    bool all;      /* of the user; otherwise the session with the id */
    char name[64]; /* a user or an id */
} ending;

static void ending_end(errand *k)
{
    ending *x = list_entry(k, ending, k);
    session_call_end(&x->call);
    mem_free(x);
}

static void on_done(session_call *c)
{
    waiter_wake(&list_entry(c, ending, call)->done);
}

static void work(errand *k, server *d)
{
    ending *x = list_entry(k, ending, k);
    sessions *s = auth_sessions_of(d->auth);
    waiter_init(&x->done);
    if (x->all)
        sessions_end_user(s, &x->call, x->name, NULL);
    else
        sessions_end(s, &x->call, x->name);
    waiter_wait(&x->done);
    k->failed = x->call.failed;
    if (k->failed)
        k->err = x->call.err;
}

static void answer(errand *k, request *q)
{
    const ending *x = list_entry(k, ending, k);
    buf out;
    json_writer w;
    if (!x->all) {
        http_reply_with(q, 204, NULL, NULL, NULL, 0);
        return;
    }
    http_begin_json(&w, &out);
    jw_key_int(&w, "ended", x->call.ended);
    http_end_json(q, 200, &w);
}

static void end(request *q, const char *name, bool all)
{
    ending *x = xalloc(sizeof *x);
    x->k.work = work;
    x->k.answer = answer;
    x->k.end = ending_end;
    x->call.done = on_done;
    x->all = all;
    snprintf(x->name, sizeof x->name, "%s", name);
    logins_start_errand(q, &x->k);
}

/* Whoever may not see to a user as he is may not log him out either. */
static bool may_end(const request *q, const char *user, error *e)
{
    auth *a = q->c->r->d->auth;
    auth_document *d = auth_store_find(auth_store_of(a), AUTH_USER, user);
    bool ok = !d || auth_may_manage(a, q->who, d, e);
    auth_document_release(d);
    return ok;
}

void api_end_login(request *q)
{
    session_info s;
    error e, gone;
    bool there = sessions_find(auth_sessions_of(q->c->r->d->auth), q->params[0], &s, &gone);
    if (there && !may_end(q, s.user, &e)) {
        http_reply_error(q, &e);
        return;
    }
    end(q, q->params[0], false);
}

void api_end_logins_of_user(request *q)
{
    const char *user = http_param(q, "user");
    error e;
    bool fits =
        strlen(user) < IDENTITY_NAME ||
        error_set(&e, ERR_NOT_FOUND, "no user has a name of more than %d bytes", IDENTITY_NAME - 1);
    if (fits && may_end(q, user, &e))
        end(q, user, true);
    else
        http_reply_error(q, &e);
}
