/* Users and others as they are known by a JSON Web Token: one of a session of ours, or one of the
 * issuer that the settings name. */
#include <stdio.h>
#include <string.h>

#include "auth/state.h"
#include "auth/user.h"
#include "base/clock.h"
#include "json/read.h"

/* ---- making identities -------------------------------------------------------------------------
 */

/* A session is of the user that there was when it began: another one who was made later under the
 * same name does not get it. */
static identity *identity_of_session(auth *a, const session_info *s, int64_t expires_us, error *e)
{
    auth_document *user = auth_store_find(a->store, AUTH_USER, s->user);
    bool same = user && auth_user_of(user)->created_us <= s->created_us;
    identity *who = same ? auth_make_identity_of_user(a, user, e) : NULL;
    if (!same)
        error_set(e, ERR_AUTH_FAILED, "%s is not known here any more", s->user);
    if (who) {
        snprintf(who->session, sizeof who->session, "%s", s->id);
        who->expires_us = expires_us;
    }
    auth_document_release(user);
    return who;
}

static identity *identity_of_subject(auth *a, const issuer_subject *s, int64_t expires_us, error *e)
{
    uint64_t generation = auth_generation(a); /* before the roles are looked at */
    rights *r = auth_rights_of(a, s->roles, s->n_roles, e);
    identity *who = r ? identity_new(IDENTITY_TOKEN, s->name, r, s->claims) : NULL;
    if (who) {
        who->generation = generation;
        who->expires_us = expires_us;
        memcpy(who->signer, s->key, sizeof who->signer);
    } else {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    return who;
}

static identity *by_session(auth *a, jwt *t, error *e)
{
    session_info s;
    int64_t expires_us = 0;
    return sessions_check(a->sessions, t, &s, &expires_us, e)
               ? identity_of_session(a, &s, expires_us, e)
               : NULL;
}

static identity *by_issuer(auth *a, jwt *t, error *e)
{
    issuer_subject s;
    if (!a->issuer) {
        error_set(e, ERR_AUTH_FAILED, "the token is not signed by a key that is known here");
        return NULL;
    }
    if (!issuer_check(a->issuer, t, clock_wall_us(), &s, e))
        return NULL;
    identity *who = identity_of_subject(a, &s, s.expires_us, e);
    issuer_subject_free(&s);
    return who;
}

/* ---- the authenticator -------------------------------------------------------------------------
 */

static bool expired(const identity *who)
{
    return who->expires_us && clock_wall_us() >= who->expires_us;
}

/* The identity that this token showed before, if nothing has changed since. */
static identity *seen_before(auth *a, const credential *c)
{
    error unwanted;
    identity *who = token_cache_find(a->tokens, c->text, c->n);
    if (!who || (who->generation == auth_generation(a) && !expired(who) &&
                 (!*who->session || sessions_use(a->sessions, who->session, &unwanted))))
        return who;
    identity_release(who);
    return NULL;
}

static identity *read_token(auth *a, const credential *c, error *e)
{
    jwt t;
    if (!jwt_read(&t, c->text, c->n, e))
        return NULL;
    identity *who = sessions_made(a->sessions, &t) ? by_session(a, &t, e) : by_issuer(a, &t, e);
    jwt_free(&t);
    return who;
}

verdict auth_by_jwt(auth *a, const credential *c, identity **who, error *e)
{
    if (c->kind != CREDENTIAL_TOKEN || !jwt_looks_like_one(c->text, c->n))
        return VERDICT_NOT_MINE;
    *who = seen_before(a, c);
    if (!*who && (*who = read_token(a, c, e)))
        token_cache_put(a->tokens, c->text, c->n, *who);
    return *who ? VERDICT_YES : VERDICT_NO;
}

/* ---- later -------------------------------------------------------------------------------------
 */

static bool still_good(const identity *who, error *e)
{
    return !expired(who) || error_set(e, ERR_AUTH_EXPIRED, "the token has expired");
}

static bool still_signed(auth *a, const identity *who, error *e)
{
    return issuer_trusts(a->issuer, who->signer) ||
           error_set(e, ERR_AUTH_EXPIRED, "the key that signed the token is the issuer's no more");
}

identity *auth_renew_session(auth *a, const identity *who, error *e)
{
    session_info s;
    return still_good(who, e) && sessions_find(a->sessions, who->session, &s, e)
               ? identity_of_session(a, &s, who->expires_us, e)
               : NULL;
}

identity *auth_renew_token(auth *a, const identity *who, error *e)
{
    issuer_subject s;
    json_t *claims = who->claims ? json_read_text(who->claims, strlen(who->claims), e) : NULL;
    identity *now = NULL;
    if (claims && a->issuer && still_good(who, e) && still_signed(a, who, e) &&
        issuer_describe(a->issuer, claims, &s, e)) {
        memcpy(s.key, who->signer, sizeof s.key);
        now = identity_of_subject(a, &s, who->expires_us, e);
        issuer_subject_free(&s);
    }
    json_decref(claims);
    return now;
}

/* ---- settings ----------------------------------------------------------------------------------
 */

sessions *auth_sessions_of(auth *a)
{
    return a->sessions;
}

bool auth_trust_issuer(auth *a, const issuer_options *o, error *e)
{
    issuer_options own = *o;
    own.changes = auth_store_counter(a->store);
    a->issuer = issuer_open(&own, e);
    return a->issuer || e->code == ERR_NONE;
}
