/* /auth/login, /auth/refresh, /auth/logout, /auth/password: sessions of people with passwords.
 * Passwords and tokens are wiped as soon as they have served. */
#include <stdio.h>
#include <string.h>

#include "auth/password.h"
#include "auth/user.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/audit.h"
#include "daemon/logins.h"
#include "daemon/user_password.h"
#include "daemon/waiter.h"

/* What a request about a session does on a worker's thread. */
typedef struct visit {
    errand k;
    char user[AUTH_NAME_MAX + 1];
    char address[SESSION_ADDRESS], limited_by[SESSION_ADDRESS]; /* of the client */
    char session[IDENTITY_ID]; /* that it belongs to; may be empty */
    char *secret, *other;      /* owned: a password or token; a new password */
    char *agent;               /* owned; may be NULL */
    audit_from from;
    session_call call;
    waiter done; /* of the call */
    bool called;
} visit;

/* ---- secrets -----------------------------------------------------------------------------------
 */

/* A copy of a member of the body, which is overwritten where it was. */
static char *take_secret(request *q, const char *name)
{
    json_t *j = json_object_get(q->doc, name);
    size_t n = json_string_length(j);
    char *text = j ? mem_strndup(json_string_value(j), n) : NULL;
    if (j)
        secret_wipe((char *)(uintptr_t)json_string_value(j), n);
    if (q->body.data)
        secret_wipe(q->body.data, q->body.len);
    return text;
}

static void drop_secret(char *text)
{
    if (text)
        secret_wipe(text, strlen(text));
    mem_free(text);
}

static void visit_end(errand *k)
{
    visit *v = list_entry(k, visit, k);
    drop_secret(v->secret);
    drop_secret(v->other);
    mem_free(v->agent);
    if (v->called)
        session_call_end(&v->call);
    mem_free(v);
}

static visit *visit_new(const request *q, void (*work)(errand *k, server *d),
                        void (*answer)(errand *k, request *q))
{
    visit *v = xalloc(sizeof *v);
    v->k.work = work;
    v->k.answer = answer;
    v->k.end = visit_end;
    logins_address(q, v->address);
    logins_limited_by(q, v->limited_by);
    if (q->who)
        snprintf(v->session, sizeof v->session, "%s", q->who->session);
    return v;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

/* For the audit log: which session it is about, and whose. */
static void describe_session(buf *out, const session_info *i)
{
    json_writer w;
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key_str(&w, "user", i->user);
    jw_key_str(&w, "session_id", i->id);
    jw_end_object(&w);
}

static void note_session(request *q, const session_info *i)
{
    buf detail = BUF_INIT;
    describe_session(&detail, i);
    audit_set_detail(q, buf_cstr(&detail));
    buf_free(&detail);
}

static void answer_grant(errand *k, request *q)
{
    const session_grant *g = &list_entry(k, visit, k)->call.grant;
    int64_t left_us = g->access_expires_us - clock_wall_us();
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    jw_begin_object(&w);
    jw_key_str(&w, "user", g->session.user);
    jw_key_str(&w, "session_id", g->session.id);
    jw_key_str(&w, "token_type", "Bearer");
    jw_key(&w, "access_token");
    jw_strn(&w, g->access_token.data, g->access_token.len);
    jw_key_int(&w, "expires_in", left_us > 0 ? left_us / 1000000 : 0);
    jw_key_str(&w, "refresh_token", g->refresh_token);
    jw_key_time(&w, "refresh_expires_at", g->session.expires_us);
    jw_end_object(&w);
    if (out.failed) {
        error e;
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        http_reply_error(q, &e);
    } else {
        note_session(q, &g->session);
        http_reply(q, 200, out.data, out.len);
    }
    if (out.data)
        secret_wipe(out.data, out.len);
    buf_free(&out);
}

/* ---- users -------------------------------------------------------------------------------------
 */

static bool wrong(visit *v)
{
    return error_set(&v->k.err, ERR_AUTH_FAILED, "the user or the password is not right");
}

/* The user, when the password is his; the work is the same when there is no such user. */
static auth_document *who_has(visit *v, server *d)
{
    int cost = (int)daemon_config(d)->password_cost;
    size_t n = strlen(v->secret);
    auth_document *doc = auth_store_find(auth_store_of(d->auth), AUTH_USER, v->user);
    const auth_user *u = doc ? auth_user_of(doc) : NULL;
    bool right = u && u->password_hash ? password_check(u->password_hash, v->secret, n)
                                       : password_check_nobody(v->secret, n, cost);
    if (!right)
        wrong(v);
    else if (u->disabled)
        error_set(&v->k.err, ERR_AUTH_FAILED, "the user \"%s\" is disabled", u->name);
    logins_tried(d, v->user, v->limited_by, right);
    if (right && !u->disabled)
        return doc;
    auth_document_release(doc);
    return NULL;
}

/* Whether the password opens still: another one may have been set, or the user been removed, while
 * this one was looked at. */
static bool has_still(const visit *v, server *d, const auth_document *before)
{
    auth_document *doc = auth_store_find(auth_store_of(d->auth), AUTH_USER, v->user);
    const auth_user *u = doc ? auth_user_of(doc) : NULL, *was = auth_user_of(before);
    bool ok = doc == before ||
              (u && !u->disabled && u->password_hash && u->created_us == was->created_us &&
               (strcmp(u->password_hash, was->password_hash) == 0 ||
                password_check(u->password_hash, v->secret, strlen(v->secret))));
    auth_document_release(doc);
    return ok;
}

/* Keeps another hash; a document that was changed meanwhile is left alone. */
static bool keep_hash(visit *v, server *d, const auth_document *user, const char *password,
                      error *e)
{
    char hash[PASSWORD_HASH_MAX];
    bool ok =
        password_hash(password, strlen(password), (int)daemon_config(d)->password_cost, hash, e) &&
        user_password_set(d, user, hash, e);
    secret_wipe(hash, sizeof hash);
    if (!ok)
        log_warn("password", "the password of %s is kept as it was: %s", v->user, e->message);
    return ok;
}

/* ---- calls about sessions ----------------------------------------------------------------------
 */

static void on_done(session_call *c)
{
    waiter_wake(&list_entry(c, visit, call)->done);
}

/* One call of auth/sessions.h follows. */
static session_call *call_begin(visit *v)
{
    v->called = true;
    v->call = (session_call){.done = on_done};
    waiter_init(&v->done);
    return &v->call;
}

/* Until it is done; what came of it becomes what comes of the errand. */
static void call_wait(visit *v)
{
    waiter_wait(&v->done);
    v->k.failed = v->call.failed;
    if (v->call.failed)
        v->k.err = v->call.err;
}

/* ---- login -------------------------------------------------------------------------------------
 */

/* Takes the login back that has just begun. */
static void end_login(visit *v, server *d)
{
    char session[IDENTITY_ID];
    snprintf(session, sizeof session, "%s", v->call.grant.session.id);
    session_call_end(&v->call);
    sessions_end(auth_sessions_of(d->auth), call_begin(v), session);
    call_wait(v);
    v->k.failed = !wrong(v);
}

static void work_login(errand *k, server *d)
{
    visit *v = list_entry(k, visit, k);
    error unkept;
    auth_document *user = who_has(v, d);
    k->failed = !user;
    if (!user)
        return;
    sessions_begin(auth_sessions_of(d->auth), call_begin(v), v->user, v->address, v->agent);
    call_wait(v);
    /* Whoever ends the sessions of a user does so after the change, and finds those that are there
     * by then: this one, or the change is seen here. */
    if (!k->failed && !has_still(v, d, user))
        end_login(v, d);
    else if (password_is_outdated(auth_user_of(user)->password_hash,
                                  (int)daemon_config(d)->password_cost))
        keep_hash(v, d, user, v->secret, &unkept);
    auth_document_release(user);
}

/* Looks at a password on another thread, if that may be done now. Takes the secrets over. */
static void try_password(request *q, visit *v, const char *user)
{
    int64_t wait_s;
    error e;
    snprintf(v->user, sizeof v->user, "%s", user);
    if (v->secret && logins_admit(q, user, &wait_s, &e)) {
        logins_start_try(q, &v->k);
        return;
    }
    if (!v->secret)
        wait_s = error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    visit_end(&v->k);
    if (wait_s)
        http_reply_later(q, &e, wait_s);
    else
        http_reply_error(q, &e);
}

void api_login(request *q)
{
    visit *v = visit_new(q, work_login, answer_grant);
    const char *agent = http_header(q, HEADER_USER_AGENT);
    v->secret = take_secret(q, "password");
    v->agent = agent ? mem_strndup(agent, strlen(agent)) : NULL;
    try_password(q, v, json_string_value(json_object_get(q->doc, "user")));
}

/* ---- refresh -----------------------------------------------------------------------------------
 */

static void report_reuse(visit *v, server *d)
{
    const session_info *i = &v->call.grant.session;
    buf detail = BUF_INIT;
    describe_session(&detail, i);
    audit_record(d, &v->from, AUDIT_AUTH_REUSE, i->id, &v->k.err, buf_cstr(&detail));
    log_warn("session", "a refresh token of %s was used twice, now from %s: its session has ended",
             i->user, v->address);
    buf_free(&detail);
}

static void work_refresh(errand *k, server *d)
{
    visit *v = list_entry(k, visit, k);
    sessions_refresh(auth_sessions_of(d->auth), call_begin(v), v->secret, strlen(v->secret));
    call_wait(v);
    if (v->call.reused)
        report_reuse(v, d);
}

void api_refresh_login(request *q)
{
    visit *v = visit_new(q, work_refresh, answer_grant);
    v->from = audit_from_request(q);
    v->secret = take_secret(q, "refresh_token");
    if (v->secret) {
        logins_start_errand(q, &v->k);
        return;
    }
    visit_end(&v->k);
    error e;
    error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    http_reply_error(q, &e);
}

/* ---- logout ------------------------------------------------------------------------------------
 */

static void work_logout(errand *k, server *d)
{
    visit *v = list_entry(k, visit, k);
    sessions_end(auth_sessions_of(d->auth), call_begin(v), v->session);
    call_wait(v);
}

static void answer_nothing(errand *k, request *q)
{
    (void)k;
    http_reply_with(q, 204, NULL, NULL, NULL, 0);
}

void api_logout(request *q)
{
    if (!*q->who->session) {
        error e;
        error_set(&e, ERR_CONFLICT, "these credentials belong to no session");
        error_hint(&e, "a key is dropped, and a token of another issuer ends, elsewhere");
        http_reply_error(q, &e);
        return;
    }
    logins_start_errand(q, &visit_new(q, work_logout, answer_nothing)->k);
}

/* ---- another password --------------------------------------------------------------------------
 */

/* Whoever has the old password in his hands is logged out, except where it was changed. */
static void work_password(errand *k, server *d)
{
    visit *v = list_entry(k, visit, k);
    auth_document *user = who_has(v, d);
    k->failed = !user || !keep_hash(v, d, user, v->other, &k->err);
    auth_document_release(user);
    if (k->failed)
        return;
    sessions_end_user(auth_sessions_of(d->auth), call_begin(v), v->user, v->session);
    call_wait(v);
}

static void answer_password(errand *k, request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "sessions_ended", list_entry(k, visit, k)->call.ended);
    http_end_json(q, 200, &w);
}

void api_change_password(request *q)
{
    visit *v = visit_new(q, work_password, answer_password);
    error e;
    v->secret = take_secret(q, "old");
    v->other = take_secret(q, "new");
    if (q->who->kind != IDENTITY_USER) {
        error_set(&e, ERR_CONFLICT, "%s is no user with a password here", q->who->name);
    } else if (!v->other) {
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    } else if (password_acceptable(v->other, strlen(v->other), &e)) {
        try_password(q, v, q->who->name);
        return;
    }
    visit_end(&v->k);
    http_reply_error(q, &e);
}
