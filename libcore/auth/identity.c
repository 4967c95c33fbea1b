#include "auth/identity.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

identity *identity_new(identity_kind kind, const char *name, rights *r, const char *claims)
{
    identity *who = mem_zalloc(sizeof *who);
    char *own = claims ? mem_strndup(claims, strlen(claims)) : NULL;
    if (!who || !r || (claims && !own)) {
        mem_free(who);
        mem_free(own);
        rights_release(r);
        return NULL;
    }
    atomic_init(&who->refs, 1);
    who->kind = kind;
    snprintf(who->name, sizeof who->name, "%s", name);
    who->rights = r;
    who->claims = own;
    who->eyes = (viewer){
        .access = rights_access(r),
        .schema = rights_scopes(r) & SCOPE_schema,
        .user = who->name,
        .claims = own,
    };
    return who;
}

identity *identity_hold(const identity *who)
{
    identity *own = (identity *)(uintptr_t)who;
    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void identity_release(const identity *who)
{
    identity *own = (identity *)(uintptr_t)who;
    if (!own || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    rights_release(own->rights);
    mem_free(own->claims);
    mem_free(own->mark);
    mem_free(own);
}

const char *identity_kind_name(identity_kind kind)
{
    static const char *const names[] = {"root", "user", "key", "token"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

void identity_owner(const identity *who, char out[IDENTITY_OWNER])
{
    snprintf(out, IDENTITY_OWNER, "%s:%s:%s", identity_kind_name(who->kind), who->key, who->name);
}

bool identity_same(const identity *a, const identity *b)
{
    return a && b && a->kind == b->kind && strcmp(a->key, b->key) == 0 &&
           strcmp(a->name, b->name) == 0;
}

bool identity_check(const identity *who, unsigned scope, error *e)
{
    if (!scope || identity_may(who, scope))
        return true;
    error_set(e, ERR_PERMISSION_DENIED, "%s may not do this", who ? who->name : "a stranger");
    for (unsigned bit = 0; bit < SCOPE_COUNT; bit++) {
        if (scope == 1u << bit)
            error_hint(e, "It takes a role with the scope \"%s\".", scope_name((auth_scope)bit));
    }
    return false;
}
