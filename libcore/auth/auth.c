#include "auth/auth.h"

#include <string.h>
#include <unistd.h>

#include "auth/state.h"
#include "base/mem.h"

/* ---- start and end -----------------------------------------------------------------------------
 */

static bool load_one(void *arg, const auth_text *t, error *e)
{
    const auth *a = arg;
    if (strcmp(t->kind, "audit") == 0)
        return true; /* the audit log's, not an identity's */
    return strcmp(t->kind, SESSION_KIND) == 0 ? sessions_load(a->sessions, t, e)
                                              : auth_store_load(a->store, t, e);
}

static bool open_sessions(auth *a, engine *g, error *e)
{
    const session_limits none = {.max = 0};
    a->sessions = sessions_new(g, &none, auth_store_counter(a->store), e);
    return a->sessions != NULL;
}

auth *auth_open(engine *g, const char *dir, error *e)
{
    error unwanted;
    if (!e)
        e = &unwanted;
    auth *a = mem_zalloc(sizeof *a);
    if (a) {
        a->own_uid = geteuid();
        a->root_identity = identity_new(IDENTITY_ROOT, "root", rights_everything(), NULL);
        a->store = auth_store_new(g);
        a->sets = a->store ? role_sets_new(a->store) : NULL;
    }
    if (!a || !a->root_identity || !a->sets) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        auth_close(a);
        return NULL;
    }
    a->tokens = token_cache_new();
    if (root_token_load(&a->root, g, dir, e) && open_sessions(a, g, e) &&
        engine_auth_read(g, load_one, a, e))
        return a;
    auth_close(a);
    return NULL;
}

void auth_close(auth *a)
{
    if (!a)
        return;
    issuer_close(a->issuer);
    token_cache_free(a->tokens);
    sessions_free(a->sessions);
    identity_release(a->root_identity);
    role_sets_free(a->sets);
    auth_store_free(a->store);
    mem_free(a);
}

auth_store *auth_store_of(auth *a)
{
    return a->store;
}

rights *auth_rights_of(auth *a, const char *const *roles, int n, error *e)
{
    return role_sets_rights(a->sets, roles, n, e);
}

/* ---- the chain ---------------------------------------------------------------------------------
 */

verdict auth_by_root_token(auth *a, const credential *c, identity **who, error *e)
{
    (void)e;
    if (c->kind != CREDENTIAL_TOKEN || !root_token_is(&a->root, c->text, c->n))
        return VERDICT_NOT_MINE;
    *who = identity_hold(a->root_identity);
    return VERDICT_YES;
}

/* Keys before the root's token: they are known by how they begin, the token only by its hash. */
static authenticator *const chain[] = {
    auth_by_key, auth_by_root_token, auth_by_jwt, auth_by_certificate, auth_by_peer,
};

static void say_unknown(const credential *c, error *e)
{
    switch (c->kind) {
    case CREDENTIAL_TOKEN:
        error_set(e, ERR_AUTH_FAILED, "the token is not known here");
        error_hint(e, "root's token is in the file root.token of the data folder");
        return;
    case CREDENTIAL_CERTIFICATE:
        error_set(e, ERR_AUTH_FAILED, "no user has the certificate of \"%.200s\"", c->text);
        error_hint(e, "Add its subject to \"certificates\" of a user.");
        return;
    case CREDENTIAL_PEER:
        error_set(e, ERR_AUTH_FAILED, "no user has the uid %lld", (long long)c->uid);
        error_hint(e, "Make it the \"uid\" of a user.");
        return;
    }
}

identity *auth_identify(auth *a, const credential *c, error *e)
{
    error_clear(e);
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++) {
        identity *who = NULL;
        verdict v = chain[i](a, c, &who, e);
        if (v != VERDICT_NOT_MINE)
            return v == VERDICT_YES ? who : NULL;
    }
    say_unknown(c, e);
    return NULL;
}

/* ---- later -------------------------------------------------------------------------------------
 */

uint64_t auth_generation(const auth *a)
{
    return auth_store_generation(a->store);
}

/* A user who is known by a mark of his, or by his name alone. */
static identity *renew_user(auth *a, const identity *who, error *e)
{
    auth_document *user = who->mark ? auth_store_marked(a->store, who->mark)
                                    : auth_store_find(a->store, AUTH_USER, who->name);
    bool same = user && strcmp(user->name, who->name) == 0;
    identity *now = same ? auth_identity_of_user(a, user, who->mark, e) : NULL;
    if (!same)
        error_set(e, ERR_AUTH_EXPIRED, "%s is not known here any more", who->name);
    auth_document_release(user);
    return now;
}

identity *auth_renew(auth *a, const identity *who, error *e)
{
    error_clear(e);
    switch (who->kind) {
    case IDENTITY_ROOT:
        return identity_hold(a->root_identity);
    case IDENTITY_USER:
        return *who->session ? auth_renew_session(a, who, e) : renew_user(a, who, e);
    case IDENTITY_KEY:
        return auth_renew_key(a, who, e);
    case IDENTITY_TOKEN:
        return auth_renew_token(a, who, e);
    }
    error_set(e, ERR_AUTH_EXPIRED, "%s is not known here any more", who->name);
    return NULL;
}
