/* Users as they are known: by the certificate that they show, or by who they are to the kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "auth/state.h"
#include "auth/user.h"
#include "base/mem.h"

identity *auth_make_identity_of_user(auth *a, const auth_document *user, error *e)
{
    const auth_user *u = auth_user_of(user);
    uint64_t generation = auth_generation(a); /* before its roles are looked at */
    error_clear(e);
    if (u->disabled) {
        error_set(e, ERR_AUTH_FAILED, "the user \"%s\" is disabled", u->name);
        return NULL;
    }
    rights *r = role_sets_rights(a->sets, u->roles, u->n_roles, e);
    identity *who = r ? identity_new(IDENTITY_USER, u->name, r, u->claims) : NULL;
    if (who)
        who->generation = generation;
    else
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return who;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

identity *auth_identity_of_user(auth *a, auth_document *user, const char *mark, error *e)
{
    identity *who = auth_store_seen(a->store, user, auth_generation(a));
    if (who && same(who->mark, mark))
        return who;
    identity_release(who);
    who = auth_make_identity_of_user(a, user, e);
    if (who && mark) {
        who->mark = mem_strndup(mark, strlen(mark));
        if (!who->mark) {
            error_set(e, ERR_INTERNAL_ERROR, "out of memory");
            identity_release(who);
            return NULL;
        }
    }
    if (who)
        auth_store_note(a->store, user, who);
    return who;
}

static verdict by_mark(auth *a, const char *mark, identity **who, error *e)
{
    auth_document *user = auth_store_marked(a->store, mark);
    if (!user)
        return VERDICT_NOT_MINE;
    *who = auth_identity_of_user(a, user, mark, e);
    auth_document_release(user);
    return *who ? VERDICT_YES : VERDICT_NO;
}

verdict auth_by_certificate(auth *a, const credential *c, identity **who, error *e)
{
    char mark[USER_SUBJECT_MAX + 16];
    if (c->kind != CREDENTIAL_CERTIFICATE || c->n > USER_SUBJECT_MAX)
        return VERDICT_NOT_MINE;
    snprintf(mark, sizeof mark, "certificate %.*s", (int)c->n, c->text);
    return by_mark(a, mark, who, e);
}

verdict auth_by_peer(auth *a, const credential *c, identity **who, error *e)
{
    char mark[32];
    if (c->kind != CREDENTIAL_PEER)
        return VERDICT_NOT_MINE;
    if (c->uid == 0 || c->uid == (int64_t)a->own_uid) {
        *who = identity_hold(a->root_identity);
        return VERDICT_YES;
    }
    snprintf(mark, sizeof mark, "uid %" PRId64, c->uid);
    return by_mark(a, mark, who, e);
}
