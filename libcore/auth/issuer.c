#include "auth/issuer.h"

#include <stdlib.h>
#include <string.h>

#include "auth/jwks_source.h"
#include "base/mem.h"
#include "base/utf8.h"

struct issuer {
    char *name, *audience, *user_claim, *roles_claim; /* owned */
    int64_t skew_s;
    jwks_source *source;
};

/* ---- opening -----------------------------------------------------------------------------------
 */

static bool options_fit(const issuer_options *o, error *e)
{
    if (!*o->jwks_url && !*o->jwks_file)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "jwt_issuer is set, but neither jwt_jwks_url nor jwt_jwks_file says where "
                         "its keys are");
    if (*o->jwks_url && *o->jwks_file)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "jwt_jwks_url and jwt_jwks_file are both set: the keys have one place");
    if (!*o->issuer || !*o->audience) {
        error_set(e, ERR_INVALID_MESSAGE, "tokens of an issuer need jwt_issuer and jwt_audience");
        return error_hint(e, "a token that was made for another service must not open this one");
    }
    return true;
}

issuer *issuer_open(const issuer_options *o, error *e)
{
    error_clear(e);
    if ((!*o->issuer && !*o->jwks_url && !*o->jwks_file) || !options_fit(o, e))
        return NULL;
    issuer *i = xalloc(sizeof *i);
    i->name = xstrdup(o->issuer);
    i->audience = xstrdup(o->audience);
    i->user_claim = xstrdup(o->user_claim);
    i->roles_claim = xstrdup(o->roles_claim);
    i->skew_s = o->skew_ms / 1000;
    i->source =
        jwks_source_start(*o->jwks_url ? o->jwks_url : NULL, *o->jwks_file ? o->jwks_file : NULL,
                          o->refresh_ms, o->changes, e);
    if (i->source)
        return i;
    issuer_close(i);
    return NULL;
}

void issuer_close(issuer *i)
{
    if (!i)
        return;
    jwks_source_stop(i->source);
    mem_free(i->name);
    mem_free(i->audience);
    mem_free(i->user_claim);
    mem_free(i->roles_claim);
    mem_free(i);
}

/* ---- checking ----------------------------------------------------------------------------------
 */

static bool verify(issuer *i, jwt *t, unsigned char key[JWT_PRINT], error *e)
{
    jwks *keys = jwks_source_keys(i->source);
    const jwt_key *k = keys ? jwks_find(keys, t->kid, t->algorithm) : NULL;
    bool ok = k && jwt_verify(t, k, e);
    if (ok)
        memcpy(key, jwt_key_print(k), JWT_PRINT);
    if (!k) {
        error_set(e, ERR_AUTH_FAILED, "the token is not signed by a key that is known here");
        if (t->algorithm != JWT_HS256)
            jwks_source_missing(i->source);
    }
    jwks_release(keys);
    return ok;
}

/* A name is shown, logged and compared: so it is short text without control characters, and not the
 * one that is taken. */
static bool take_name(const json_t *claim, char out[IDENTITY_NAME], error *e)
{
    const char *name = json_string_value(claim);
    size_t n = json_string_length(claim);
    bool good =
        name && n > 0 && n < IDENTITY_NAME && utf8_valid(name, n) == n && strcmp(name, "root") != 0;
    for (size_t i = 0; good && i < n; i++)
        good = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    if (!good)
        return error_set(e, ERR_AUTH_FAILED, "the token names no user that could be one here");
    memcpy(out, name, n + 1);
    return true;
}

/* One text per name, each with a NUL behind it. */
static char *role_names(const json_t *claim, size_t *size)
{
    buf text = {.limit = JWT_MAX * 2};
    const json_t *one;
    size_t i;
    json_array_foreach(claim, i, one)
    {
        if (json_is_string(one))
            buf_add(&text, json_string_value(one), strlen(json_string_value(one)) + 1);
    }
    if (json_is_string(claim)) /* separated by spaces, as scopes are */
        buf_add(&text, json_string_value(claim), strlen(json_string_value(claim)) + 1);
    for (size_t k = 0; json_is_string(claim) && k < text.len; k++) {
        if (text.data[k] == ' ')
            text.data[k] = '\0';
    }
    buf_addc(&text, '\0');
    *size = text.len;
    if (!text.failed)
        return text.data;
    buf_free(&text);
    return NULL;
}

static bool take_roles(const json_t *claim, issuer_subject *out)
{
    size_t size;
    out->role_text = role_names(claim, &size);
    if (!out->role_text)
        return false;
    for (size_t at = 0; at < size && out->n_roles < ISSUER_ROLES_MAX;
         at += strlen(out->role_text + at) + 1) {
        if (out->role_text[at])
            out->roles[out->n_roles++] = out->role_text + at;
    }
    return true;
}

bool issuer_describe(const issuer *i, const json_t *claims, issuer_subject *out, error *e)
{
    *out = (issuer_subject){.n_roles = 0};
    if (!take_name(jwt_claim(claims, i->user_claim), out->name, e))
        return false;
    char *text = json_dumps(claims, JSON_COMPACT);
    out->claims = text ? mem_strndup(text, strlen(text)) : NULL;
    free(text);
    if (out->claims && take_roles(jwt_claim(claims, i->roles_claim), out))
        return true;
    issuer_subject_free(out);
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

bool issuer_trusts(issuer *i, const unsigned char key[JWT_PRINT])
{
    jwks *keys = jwks_source_keys(i->source);
    bool has = keys && jwks_has(keys, key);
    jwks_release(keys);
    return has;
}

bool issuer_check(issuer *i, jwt *t, int64_t now_us, issuer_subject *out, error *e)
{
    const jwt_rules rules = {i->name, i->audience, i->skew_s};
    int64_t expires_s = 0;
    unsigned char key[JWT_PRINT];
    if (!verify(i, t, key, e) || !jwt_check(t, &rules, now_us / 1000000, &expires_s, e) ||
        !issuer_describe(i, t->claims, out, e))
        return false;
    out->expires_us = (expires_s + i->skew_s) * 1000000;
    memcpy(out->key, key, sizeof out->key);
    return true;
}

void issuer_subject_free(issuer_subject *s)
{
    mem_free(s->role_text);
    mem_free(s->claims);
    s->role_text = s->claims = NULL;
}
