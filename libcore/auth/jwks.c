#include "auth/jwks.h"

#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "json/read.h"

struct jwks {
    atomic_int refs;
    int n, left_out;
    jwt_key *keys[JWKS_KEYS_MAX]; /* owned */
};

static bool take_keys(jwks *s, const json_t *keys, error *e)
{
    const json_t *one;
    size_t i;
    json_array_foreach(keys, i, one)
    {
        error why;
        jwt_key *k = jwt_key_public(one, &why);
        if (!k && why.code == ERR_INTERNAL_ERROR) {
            *e = why;
            return false;
        }
        if (k)
            s->keys[s->n++] = k;
        else
            s->left_out++;
    }
    return true;
}

static jwks *make(const json_t *document, error *e)
{
    const json_t *keys = json_object_get(document, "keys");
    if (!json_is_array(keys) || json_array_size(keys) > JWKS_KEYS_MAX) {
        error_set(e, ERR_INVALID_MESSAGE,
                  "a set of keys is an object whose \"keys\" is an array of at most %d",
                  JWKS_KEYS_MAX);
        return NULL;
    }
    jwks *s = mem_zalloc(sizeof *s);
    if (!s) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    s->refs = 1;
    if (take_keys(s, keys, e))
        return s;
    jwks_release(s);
    return NULL;
}

jwks *jwks_read(const char *text, size_t n, error *e)
{
    if (n > JWKS_MAX) {
        error_set(e, ERR_MESSAGE_TOO_BIG, "a set of keys has at most %d bytes", JWKS_MAX);
        return NULL;
    }
    json_t *document = json_read_text(text, n, e);
    if (!document)
        return NULL;
    jwks *s = make(document, e);
    json_decref(document);
    return s;
}

jwks *jwks_hold(jwks *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void jwks_release(jwks *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
        return;
    for (int i = 0; i < s->n; i++)
        jwt_key_free(s->keys[i]);
    mem_free(s);
}

int jwks_count(const jwks *s)
{
    return s->n;
}

int jwks_left_out(const jwks *s)
{
    return s->left_out;
}

const jwt_key *jwks_find(const jwks *s, const char *kid, jwt_algorithm a)
{
    const jwt_key *found = NULL;
    for (int i = 0; i < s->n; i++) {
        const jwt_key *k = s->keys[i];
        if (!jwt_key_serves(k, a) || (kid && strcmp(jwt_key_id(k), kid) != 0))
            continue;
        if (kid)
            return k;
        if (found)
            return NULL;
        found = k;
    }
    return found;
}

bool jwks_has(const jwks *s, const unsigned char print[JWT_PRINT])
{
    for (int i = 0; i < s->n; i++) {
        if (memcmp(jwt_key_print(s->keys[i]), print, JWT_PRINT) == 0)
            return true;
    }
    return false;
}

bool jwks_alike(const jwks *a, const jwks *b)
{
    bool same = a->n == b->n;
    for (int i = 0; same && i < a->n; i++)
        same = jwks_has(b, jwt_key_print(a->keys[i])) && jwks_has(a, jwt_key_print(b->keys[i]));
    return same;
}
