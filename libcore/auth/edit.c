#include "auth/edit.h"

#include <string.h>

#include "auth/key.h"
#include "auth/role.h"
#include "auth/role_sets.h"
#include "auth/state.h"
#include "auth/user.h"

/* ---- who may manage what -----------------------------------------------------------------------
 */

static bool too_much(error *e, const char *what, const char *name)
{
    error_set(e, ERR_PERMISSION_DENIED, "this takes the %s \"%.100s\", which you do not have", what,
              name);
    return error_hint(e, "Nobody gives or takes more than he has, unless he may everything.");
}

static bool has_roles(const identity *who, const char *const *roles, int n, error *e)
{
    for (int i = 0; i < n; i++) {
        if (!rights_have(who->rights, roles[i]))
            return too_much(e, "role", roles[i]);
    }
    return true;
}

static bool has_claims(const identity *who, const char *claims, error *e)
{
    json_t *own = who->claims ? json_loads(who->claims, 0, NULL) : NULL;
    json_t *wanted = claims ? json_loads(claims, 0, NULL) : NULL;
    const char *name;
    json_t *one;
    bool ok = !claims || wanted || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    json_object_foreach(wanted, name, one)
    {
        if (ok && !json_equal(one, json_object_get(own, name)))
            ok = too_much(e, "claim", name);
    }
    json_decref(own);
    json_decref(wanted);
    return ok;
}

static bool may_manage_user(const identity *who, const auth_user *u, error *e)
{
    return has_roles(who, u->roles, u->n_roles, e) && has_claims(who, u->claims, e);
}

static bool may_manage_role(const identity *who, const auth_role *r, error *e)
{
    unsigned scopes = r->gives.scopes & ~rights_scopes(who->rights);
    unsigned streams = r->gives.streams & ~rights_streams(who->rights);
    if (scopes)
        return too_much(e, "scope", scope_name((auth_scope)__builtin_ctz(scopes)));
    if (streams)
        return too_much(e, "stream", stream_name(streams & -streams));
    if (!r->gives.tables.n_grants && !r->gives.n_channels)
        return has_roles(who, r->inherits, r->n_inherits, e);
    error_set(e, ERR_PERMISSION_DENIED,
              "only who may everything sees to a role that has \"tables\" or \"channels\" itself");
    return error_hint(e, "A role that inherits roles of yours gives what they give.");
}

/* A key of a user that is gone is nobody's. */
static bool may_manage_key(auth *a, const identity *who, const auth_key *k, error *e)
{
    if (!k->user)
        return has_roles(who, k->roles, k->n_roles, e);
    auth_document *user = auth_store_find(a->store, AUTH_USER, k->user);
    bool ok = !user || may_manage_user(who, auth_user_of(user), e);
    auth_document_release(user);
    return ok;
}

bool auth_may_manage(auth *a, const identity *who, const auth_document *d, error *e)
{
    if (rights_all(who->rights))
        return true;
    switch (d->kind) {
    case AUTH_USER:
        return may_manage_user(who, auth_user_of(d), e);
    case AUTH_ROLE:
        return may_manage_role(who, auth_role_of(d), e);
    default:
        return may_manage_key(a, who, auth_key_of(d), e);
    }
}

/* ---- what is named is there, what is used stays ------------------------------------------------
 */

static bool roles_are_there(auth_store *s, const char *const *roles, int n, error *e)
{
    for (int i = 0; i < n; i++) {
        auth_document *role = auth_store_find(s, AUTH_ROLE, roles[i]);
        auth_document_release(role);
        if (!role && strcmp(roles[i], ROLE_ADMIN) != 0)
            return error_set(e, ERR_INVALID_MESSAGE, "roles: there is no role \"%s\"", roles[i]);
    }
    return true;
}

static bool names(const char *const *roles, int n, const char *role)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(roles[i], role) == 0)
            return true;
    }
    return false;
}

static bool uses_role(const auth_document *d, const void *role)
{
    switch (d->kind) {
    case AUTH_USER:
        return names(auth_user_of(d)->roles, auth_user_of(d)->n_roles, role);
    case AUTH_ROLE:
        return names(auth_role_of(d)->inherits, auth_role_of(d)->n_inherits, role);
    default:
        return names(auth_key_of(d)->roles, auth_key_of(d)->n_roles, role);
    }
}

static bool is_unused(auth_store *s, const char *role, error *e)
{
    auth_document *user = NULL;
    for (int kind = 0; kind < AUTH_KINDS && !user; kind++)
        user = auth_store_search(s, (auth_kind)kind, uses_role, role);
    if (!user)
        return true;
    error_set(e, ERR_CONFLICT, "the %s \"%s\" has the role \"%s\"", auth_kind_name(user->kind),
              user->name, role);
    auth_document_release(user);
    return error_hint(e, "Take it away there first.");
}

static bool check_key(auth_store *s, const auth_key *k, error *e)
{
    auth_document *user = k->user ? auth_store_find(s, AUTH_USER, k->user) : NULL;
    auth_document_release(user);
    if (k->user && !user)
        return error_set(e, ERR_INVALID_MESSAGE, "there is no user \"%.63s\"", k->user);
    return roles_are_there(s, k->roles, k->n_roles, e);
}

static bool check_new(auth_store *s, const auth_document *d, error *e)
{
    switch (d->kind) {
    case AUTH_USER:
        return roles_are_there(s, auth_user_of(d)->roles, auth_user_of(d)->n_roles, e);
    case AUTH_ROLE:
        return role_sets_check(s, d, e);
    default:
        return check_key(s, auth_key_of(d), e);
    }
}

/* ---- deciding ----------------------------------------------------------------------------------
 */

/* Whether the asker has seen what is there. */
static bool is_as_believed(auth_store *s, const auth_edit *x, error *e)
{
    const auth_document *of = x->is ? x->is : x->was;
    auth_document *now = auth_store_find(s, of->kind, of->name);
    auth_document_release(now);
    /* A key stays the same; only when it was used changes. */
    if (now == x->was || (now && x->was && of->kind == AUTH_KEY))
        return true;
    if (!now)
        return error_set(e, ERR_NOT_FOUND, "there is no %s \"%s\" any more",
                         auth_kind_name(of->kind), of->name);
    return error_set(e, ERR_CONFLICT,
                     x->was ? "the %s \"%s\" was changed meanwhile"
                            : "there is a %s \"%s\" already",
                     auth_kind_name(of->kind), of->name);
}

/* A user goes with what is his. */
static bool drop_owned(auth_call *c, auth_store *s, const char *user, error *e)
{
    enum { PAGE = 100 };
    auth_document *page[PAGE];
    int64_t total, at = 0;
    bool ok = true;
    for (int n = PAGE; n == PAGE; at += n) {
        n = auth_store_page(s, AUTH_KEY, at, PAGE, page, &total);
        for (int i = 0; i < n; i++) {
            if (ok && page[i]->owner && strcmp(page[i]->owner, user) == 0)
                ok = auth_call_drop(c, AUTH_KEY, page[i]->name, e);
            auth_document_release(page[i]);
        }
    }
    return ok;
}

static bool drop(auth_call *c, auth_store *s, auth_document *d, error *e)
{
    if (d->kind == AUTH_ROLE && !is_unused(s, d->name, e))
        return false;
    if (d->kind == AUTH_USER && !drop_owned(c, s, d->name, e))
        return false;
    return auth_call_drop(c, d->kind, d->name, e);
}

static bool decide(auth_call *c, auth_store *s, error *e)
{
    auth_edit *x = list_entry(c, auth_edit, call);
    if (!is_as_believed(s, x, e))
        return false;
    /* Here, where nothing changes any more: a key's user may have been made, or made anew, while
     * the change waited for its turn. */
    if ((x->was && !auth_may_manage(x->owner, x->who, x->was, e)) ||
        (x->is && !auth_may_manage(x->owner, x->who, x->is, e)))
        return false;
    return x->is ? check_new(s, x->is, e) && auth_call_put(c, x->is, e) : drop(c, s, x->was, e);
}

static void decided(auth_call *c)
{
    auth_edit *x = list_entry(c, auth_edit, call);
    x->done(x);
}

void auth_edit_start(auth *a, auth_edit *x)
{
    error_clear(&x->call.err);
    x->owner = a;
    x->call.decide = decide;
    x->call.done = decided;
    auth_store_change(a->store, &x->call);
}
