#include "cli/login.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cli/credentials.h"
#include "cli/scan.h"
#include "json/writer.h"

enum {
    EARLY_S = 30, /* a token that lasts no longer is exchanged */
    REQUEST_MS = 30000,
};

const char *login_url(const endpoint *ep)
{
    return ep->home;
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static bool not_understood(error *e)
{
    return error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
}

static void wipe(buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}

/* A text member of an object, owned; NULL: it is not there. */
static char *text_of(scan_text object, const char *name)
{
    scan_text v;
    buf text = BUF_INIT;
    char *out = NULL;
    if (scan_member(object, name, &v) && scan_unquote(&text, v))
        out = xstrdup(buf_cstr(&text));
    wipe(&text);
    return out;
}

static bool read_login(const buf *answer, saved_login *out, error *e)
{
    scan_text object = scan_value(answer->data ? answer->data : "", answer->len), v;
    int64_t lasts = 0;
    out->user = text_of(object, "user");
    out->token = text_of(object, "access_token");
    out->refresh_token = text_of(object, "refresh_token");
    if (scan_member(object, "expires_in", &v) && scan_int(v, &lasts))
        out->expires_at = (int64_t)time(NULL) + lasts;
    return (out->user && out->token && out->refresh_token && lasts > 0) || not_understood(e);
}

static bool post(rest *r, const char *path, const buf *body, buf *answer, error *e)
{
    return rest_send(r,
                     &(rest_request){.method = "POST",
                                     .path = path,
                                     .body = body ? body->data : NULL,
                                     .body_len = body ? body->len : 0,
                                     .timeout_ms = REQUEST_MS},
                     answer, e);
}

static void write_pair(buf *body, const char *name, const char *value, const char *other,
                       const char *secret)
{
    json_writer w;
    jw_init(&w, body);
    jw_begin_object(&w);
    jw_key_str(&w, name, value);
    if (other)
        jw_key_str(&w, other, secret);
    jw_end_object(&w);
}

/* ---- a saved login -----------------------------------------------------------------------------
 */

static bool lasts(const saved_login *l)
{
    return !l->refresh_token || l->expires_at > (int64_t)time(NULL) + EARLY_S;
}

static void take_token(endpoint *ep, const saved_login *l)
{
    mem_free(ep->token);
    ep->token = xstrdup(l->token);
    ep->local = false;
    ep->saved = true;
}

/* Exchanges the refresh token, which is good once. */
static bool exchange(const endpoint *ep, saved_login *l, error *e)
{
    buf body = BUF_INIT, answer = BUF_INIT;
    endpoint bare = *ep;
    bare.token = NULL;
    saved_login next = {0};
    rest *r = rest_open(&bare, e);
    write_pair(&body, "refresh_token", l->refresh_token, NULL, NULL);
    bool good = r && post(r, "/auth/refresh", &body, &answer, e) && read_login(&answer, &next, e) &&
                credentials_save(login_url(ep), &next, e);
    if (!good && r && (e->code == ERR_AUTH_FAILED || e->code == ERR_AUTH_EXPIRED)) {
        error_set(e, ERR_AUTH_EXPIRED, "the login of %.64s at %.200s has ended", l->user,
                  ep->shown);
        error_hint(e, "log in again: rustydb login");
    }
    rest_close(r);
    wipe(&body);
    wipe(&answer);
    if (good) {
        credentials_free(l);
        *l = next;
    } else {
        credentials_free(&next);
    }
    return good;
}

/* Another process may have exchanged it meanwhile: so it is looked at again under the lock. */
static bool refresh(const endpoint *ep, saved_login *l, error *e)
{
    int lock = credentials_lock(e);
    if (lock < 0)
        return false;
    credentials_free(l);
    bool good = credentials_find(login_url(ep), l, e) && (lasts(l) || exchange(ep, l, e));
    credentials_unlock(lock);
    return good;
}

bool login_use(endpoint *ep, error *e)
{
    saved_login l;
    if (ep->token && !ep->local && !ep->saved)
        return true;
    if (!credentials_find(login_url(ep), &l, e))
        return e->code == ERR_NOT_FOUND;
    bool good = lasts(&l) || refresh(ep, &l, e);
    if (good)
        take_token(ep, &l);
    credentials_free(&l);
    return good;
}

/* ---- in and out --------------------------------------------------------------------------------
 */

static bool save(const endpoint *ep, const saved_login *l, error *e)
{
    int lock = credentials_lock(e);
    if (lock < 0)
        return false;
    bool good = credentials_save(login_url(ep), l, e);
    credentials_unlock(lock);
    return good;
}

bool login_make(client *c, const char *user, const char *password, error *e)
{
    buf body = BUF_INIT, answer = BUF_INIT;
    saved_login l = {0};
    write_pair(&body, "user", user, "password", password);
    bool good = post(c->rest, "/auth/login", &body, &answer, e) && read_login(&answer, &l, e) &&
                save(&c->ep, &l, e);
    wipe(&body);
    wipe(&answer);
    credentials_free(&l);
    return good;
}

bool login_keep_token(client *c, const char *token, error *e)
{
    buf answer = BUF_INIT;
    endpoint with = c->ep;
    saved_login l = {.token = xstrdup(token)};
    with.token = l.token;
    rest *r = rest_open(&with, e);
    bool good =
        r &&
        rest_send(
            r, &(rest_request){.method = "GET", .path = "/auth/identity", .timeout_ms = REQUEST_MS},
            &answer, e);
    rest_close(r);
    if (good) {
        l.user = text_of(scan_value(answer.data ? answer.data : "", answer.len), "user_id");
        good = l.user ? save(&c->ep, &l, e) : not_understood(e);
    }
    buf_free(&answer);
    credentials_free(&l);
    return good;
}

bool login_end(client *c, bool *was, error *e)
{
    saved_login l;
    error lost;
    error_clear(&lost);
    *was = credentials_find(login_url(&c->ep), &l, e);
    if (!*was)
        return e->code == ERR_NOT_FOUND;
    bool session = l.refresh_token != NULL;
    credentials_free(&l);
    if (session && login_use(&c->ep, &lost)) {
        rest *r = rest_open(&c->ep, &lost);
        if (r)
            post(r, "/auth/logout", NULL, NULL, &lost);
        rest_close(r);
    }
    if (!save(&c->ep, NULL, e))
        return false;
    if (lost.code == ERR_NONE || lost.code == ERR_AUTH_EXPIRED || lost.code == ERR_AUTH_FAILED)
        return true;
    *e = lost;
    return error_hint(e, "the login is forgotten here; its session ends by itself");
}
