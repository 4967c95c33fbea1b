/* Users: /admin/users and what is below it. Passwords are hashed by an errand, since that takes a
 * processor for a while. */
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "auth/user.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/identity_edit.h"
#include "daemon/logins.h"

static const char place[] = "/api/v1/admin/users/";

/* ---- looking -----------------------------------------------------------------------------------
 */

static void write_user(json_writer *w, const auth_document *d)
{
    const auth_user *u = auth_user_of(d);
    const char *claims = u->claims ? u->claims : "{}";
    jw_begin_object(w);
    jw_key_str(w, "name", u->name);
    jw_key_strs(w, "roles", u->roles, u->n_roles);
    jw_key_bool(w, "disabled", u->disabled);
    jw_key_bool(w, "has_password", u->password_hash != NULL);
    jw_key(w, "claims");
    jw_raw(w, claims, strlen(claims));
    jw_key_strs(w, "certificates", u->certificates, u->n_certificates);
    jw_key(w, "uid");
    if (u->uid < 0)
        jw_null(w);
    else
        jw_int(w, u->uid);
    jw_key_str(w, "created_at", u->created_at);
    jw_key_str(w, "updated_at", u->updated_at);
    jw_end_object(w);
}

void api_list_users(request *q)
{
    identity_reply_page(q, "users", AUTH_USER, write_user);
}

void api_get_user(request *q)
{
    auth_document *d = identity_find(q, AUTH_USER, q->params[0]);
    if (d)
        identity_reply(q, 200, write_user, d, NULL);
    auth_document_release(d);
}

/* ---- making one --------------------------------------------------------------------------------
 */

/* What a request makes of a user; the first thing to do is to hash the password. */
typedef struct user_change {
    errand k;
    auth_document *was; /* held; NULL: it is a new one */
    json_t *object;     /* what it becomes, except for the hash; owned */
    char password[PASSWORD_MAX + 1];
    char hash[PASSWORD_HASH_MAX];
    int cost;
} user_change;

static void end_change(errand *k)
{
    user_change *m = list_entry(k, user_change, k);
    auth_document_release(m->was);
    json_decref(m->object);
    secret_wipe(m->password, sizeof m->password);
    secret_wipe(m->hash, sizeof m->hash);
    mem_free(m);
}

static bool differ(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) != 0 : a != b;
}

/* Whoever had the old password, or is shut out, is logged out. */
static void end_logins(server *d, const identity_edit *x)
{
    const auth_user *was = x->was ? auth_user_of(x->was) : NULL, *is = auth_user_of(x->is);
    if (was && (differ(was->password_hash, is->password_hash) || is->disabled))
        logins_end_user(d, x->is->name);
}

static void answer(request *q, const identity_edit *x)
{
    identity_reply(q, x->was ? 200 : 201, write_user, x->is, x->was ? NULL : place);
}

/* The object is whole: makes it the user. */
static void save(request *q, user_change *m)
{
    error e;
    auth_document *is = auth_document_make(AUTH_USER, json_incref(m->object), &e);
    if (!is) {
        http_reply_error(q, &e);
        return;
    }
    identity_edit *x = identity_edit_new(auth_document_hold(m->was), is, answer);
    x->follow = end_logins;
    identity_edit_start(q, x);
}

static void hash(errand *k, server *d)
{
    user_change *m = list_entry(k, user_change, k);
    (void)d;
    k->failed = !password_hash(m->password, strlen(m->password), m->cost, m->hash, &k->err);
}

static void hashed(errand *k, request *q)
{
    user_change *m = list_entry(k, user_change, k);
    json_object_set_new(m->object, "password_hash", json_string(m->hash));
    save(q, m);
}

/* ---- what a request makes of it ----------------------------------------------------------------
 */

/* Members that a request may set; of a replaced user those that it leaves out are as in a new one.
 */
static void take_members(json_t *to, const json_t *from, bool replace)
{
    static const char *const names[] = {"roles", "disabled", "claims", "certificates", "uid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *given = json_object_get(from, names[i]);
        if (given && !json_is_null(given))
            json_object_set(to, names[i], given);
        else if (given || replace)
            json_object_del(to, names[i]);
    }
}

static json_t *new_object(const char *name, const char *now)
{
    return json_pack("{s:s, s:s, s:I}", "name", name, "created_at", now, "created_us",
                     (json_int_t)clock_wall_us());
}

/* The password, where the request has one; null takes it away. */
static bool take_password(user_change *m, const json_t *from, error *e)
{
    const json_t *given = json_object_get(from, "password");
    if (given && json_is_null(given))
        json_object_del(m->object, "password_hash");
    if (!json_is_string(given))
        return true;
    const char *text = json_string_value(given);
    size_t n = json_string_length(given);
    if (!password_acceptable(text, n, e))
        return false;
    memcpy(m->password, text, n + 1);
    return true;
}

/* Changes the user, or makes it where `was`, which is taken over, is NULL. */
static void change(request *q, auth_document *was, const char *name)
{
    char now[CLOCK_RFC3339_LEN + 1];
    error e;
    clock_rfc3339(clock_wall_us(), now);
    user_change *m = xalloc(sizeof *m);
    m->was = was;
    m->cost = (int)daemon_config(q->c->r->d)->password_cost;
    m->object = was ? auth_document_object(was) : new_object(name, now);
    m->k.work = hash;
    m->k.answer = hashed;
    m->k.end = end_change;
    error_clear(&e);
    if (!m->object || json_object_set_new(m->object, "updated_at", json_string(now)) != 0)
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    else
        take_members(m->object, q->doc, q->method == HTTP_PUT);
    if (e.code != ERR_NONE || !take_password(m, q->doc, &e)) {
        http_reply_error(q, &e);
        end_change(&m->k);
    } else if (*m->password) {
        logins_start_errand(q, &m->k);
    } else {
        save(q, m);
        end_change(&m->k);
    }
}

/* The user that the request means to change; NULL: it was answered. */
static auth_document *find_to_change(request *q)
{
    char tag[ETAG_ROOM];
    auth_document *d = identity_find(q, AUTH_USER, q->params[0]);
    if (!d || (identity_tag(q, write_user, d, tag) && identity_condition(q, tag)))
        return d;
    auth_document_release(d);
    return NULL;
}

void api_create_user(request *q)
{
    change(q, NULL, json_string_value(json_object_get(q->doc, "name")));
}

static void change_known(request *q)
{
    auth_document *was = find_to_change(q);
    if (was)
        change(q, was, was->name);
}

void api_replace_user(request *q)
{
    change_known(q);
}

void api_update_user(request *q)
{
    change_known(q);
}

static void end_all_logins(server *d, const identity_edit *x)
{
    logins_end_user(d, x->was->name);
}

static void answer_deleted(request *q, const identity_edit *x)
{
    identity_reply_deleted(q, "name", x->was->name);
}

void api_delete_user(request *q)
{
    auth_document *was = find_to_change(q);
    if (!was)
        return;
    identity_edit *x = identity_edit_new(was, NULL, answer_deleted);
    x->follow = end_all_logins;
    identity_edit_start(q, x);
}
