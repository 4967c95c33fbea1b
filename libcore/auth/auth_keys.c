/* API keys: whose they are, and when they were used. */
#include <stdio.h>
#include <string.h>

#include "auth/key.h"
#include "auth/secret.h"
#include "auth/state.h"
#include "auth/user.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    WRITE_EVERY_US = 60 * 1000 * 1000,
    WRITE_MAX = 500, /* keys whose use is written at once */
};

/* ---- whose ------------------------------------------------------------------------------------
 */

/* Whether the key may be used from there. */
static bool may_come_from(const auth_key *k, const char *address)
{
    ip_address ip;
    return !k->from.n ||
           (address && ip_parse(address, strlen(address), &ip) && networks_have(&k->from, &ip));
}

/* A user's key with roles has those of them that the user has. */
static rights *narrowed(auth *a, const auth_key *k, const auth_user *u, error *e)
{
    const char *names[KEY_ROLES_MAX];
    int n = 0;
    rights *whole = role_sets_rights(a->sets, u->roles, u->n_roles, e);
    if (!whole || !k->n_roles)
        return whole;
    for (int i = 0; i < k->n_roles; i++) {
        if (rights_have(whole, k->roles[i]))
            names[n++] = k->roles[i];
    }
    rights_release(whole);
    return role_sets_rights(a->sets, names, n, e);
}

static identity *of_user(auth *a, const auth_key *k, error *e)
{
    auth_document *user = auth_store_find(a->store, AUTH_USER, k->user);
    const auth_user *u = user ? auth_user_of(user) : NULL;
    identity *who = NULL;
    if (!u || u->disabled) {
        error_set(e, ERR_AUTH_FAILED, "the user of this API key is %s", u ? "disabled" : "gone");
    } else {
        rights *r = narrowed(a, k, u, e);
        who = r ? identity_new(IDENTITY_KEY, u->name, r, u->claims) : NULL;
        if (!who)
            error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    auth_document_release(user);
    return who;
}

/* Nobody's name has a colon, so a service is never taken for a user. */
static identity *of_service(auth *a, const auth_key *k, error *e)
{
    char name[IDENTITY_NAME];
    snprintf(name, sizeof name, "key:%s", k->id);
    rights *r = role_sets_rights(a->sets, k->roles, k->n_roles, e);
    identity *who = r ? identity_new(IDENTITY_KEY, name, r, NULL) : NULL;
    if (!who)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return who;
}

static identity *make(auth *a, const auth_key *k, error *e)
{
    uint64_t generation = auth_generation(a); /* before anything is looked at */
    identity *who = k->user ? of_user(a, k, e) : of_service(a, k, e);
    if (!who)
        return NULL;
    snprintf(who->key, sizeof who->key, "%s", k->id);
    who->expires_us = k->expires_us;
    who->rate = k->rate;
    who->generation = generation;
    return who;
}

/* The key's identity as it is now, unless it has expired. */
static identity *of_key(auth *a, auth_document *d, error *e)
{
    const auth_key *k = auth_key_of(d);
    if (k->expires_us && k->expires_us <= clock_wall_us()) {
        error_set(e, ERR_AUTH_EXPIRED, "the API key %s has expired", k->id);
        return NULL;
    }
    identity *who = auth_store_seen(a->store, d, auth_generation(a));
    if (who)
        return who;
    who = make(a, k, e);
    if (who)
        auth_store_note(a->store, d, who);
    return who;
}

/* ---- when -------------------------------------------------------------------------------------
 */

static bool was_used(const auth_document *d)
{
    return auth_key_used_us(d) > auth_key_of(d)->last_used_us;
}

/* The same key with what the memory knows of its use. */
static bool put_use(auth_call *c, const auth_document *d, error *e)
{
    json_t *object = auth_document_object(d);
    json_object_set_new(object, "last_used_us", json_integer(auth_key_used_us(d)));
    auth_document *is = auth_document_make(AUTH_KEY, object, e);
    bool ok = is && auth_call_put(c, is, e);
    auth_document_release(is);
    return ok;
}

static bool decide_uses(auth_call *c, auth_store *s, error *e)
{
    auth_document *page[WRITE_MAX];
    int64_t total;
    bool ok = true;
    int n = 0;
    for (int64_t at = 0; ok && c->n < WRITE_MAX; at += n) {
        n = auth_store_page(s, AUTH_KEY, at, WRITE_MAX, page, &total);
        for (int i = 0; i < n; i++) {
            ok = ok && (c->n >= WRITE_MAX || !was_used(page[i]) || put_use(c, page[i], e));
            auth_document_release(page[i]);
        }
        if (n < WRITE_MAX)
            break;
    }
    return ok;
}

static void uses_written(auth_call *c)
{
    auth *a = list_entry(c, auth, uses);
    atomic_store(&a->uses_at, clock_mono_us() + WRITE_EVERY_US);
}

/* Has the uses written that the database does not know, when it is time. */
static void write_uses(auth *a)
{
    int64_t due = atomic_load(&a->uses_at);
    if (clock_mono_us() < due || !atomic_compare_exchange_strong(&a->uses_at, &due, INT64_MAX))
        return;
    a->uses = (auth_call){.decide = decide_uses, .done = uses_written};
    auth_store_change(a->store, &a->uses);
}

static void note_use(auth *a, auth_document *d)
{
    atomic_store_explicit(&d->used_us, clock_wall_us(), memory_order_relaxed);
    write_uses(a);
}

/* ---- in the chain -----------------------------------------------------------------------------
 */

static auth_document *find(auth *a, const credential *c, error *e)
{
    char mark[sizeof KEY_MARK + 1 + SECRET_HASH_TEXT] = KEY_MARK " ";
    if (!secret_is_key(c->text, c->n) ||
        !secret_hash_text(c->text, c->n, mark + sizeof KEY_MARK, e))
        return NULL;
    return auth_store_marked(a->store, mark);
}

verdict auth_by_key(auth *a, const credential *c, identity **who, error *e)
{
    if (c->kind != CREDENTIAL_TOKEN || !secret_looks_like_key(c->text, c->n))
        return VERDICT_NOT_MINE;
    auth_document *d = find(a, c, e);
    if (!d) {
        error_set(e, ERR_AUTH_FAILED, "the API key is not known here");
        return VERDICT_NO;
    }
    const auth_key *k = auth_key_of(d);
    if (may_come_from(k, c->address))
        *who = of_key(a, d, e);
    else
        error_set(e, ERR_AUTH_FAILED, "the API key %s may not be used from %s", k->id,
                  c->address ? c->address : "here");
    if (*who)
        note_use(a, d);
    auth_document_release(d);
    return *who ? VERDICT_YES : VERDICT_NO;
}

identity *auth_renew_key(auth *a, const identity *who, error *e)
{
    auth_document *d = auth_store_find(a->store, AUTH_KEY, who->key);
    identity *now = d ? of_key(a, d, e) : NULL;
    if (!d)
        error_set(e, ERR_AUTH_EXPIRED, "the API key %s was revoked", who->key);
    auth_document_release(d);
    return now;
}
