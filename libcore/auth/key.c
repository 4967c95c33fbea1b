#include "auth/key.h"

#include <string.h>

#include "base/buf.h"
#include "json/read.h"

/* The networks go into the document's memory. */
static bool read_networks(auth_document *d, auth_key *k, error *e)
{
    buf list = BUF_INIT;
    networks found = {0};
    for (int i = 0; i < k->n_addresses; i++) {
        if (strpbrk(k->addresses[i], ", \t\n"))
            return error_set(e, ERR_INVALID_MESSAGE, "addresses: \"%.60s\" is not one network",
                             k->addresses[i]);
        buf_addf(&list, "%s ", k->addresses[i]);
    }
    const char *text = buf_cstr(&list);
    bool ok = !list.failed ? networks_parse(text, &found, e)
                           : error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (ok && found.n) {
        k->from.items = arena_alloc(&d->mem, found.n * sizeof *found.items);
        k->from.n = found.n;
        if (k->from.items)
            memcpy(k->from.items, found.items, found.n * sizeof *found.items);
        else
            ok = error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    networks_free(&found);
    buf_free(&list);
    return ok;
}

static bool keep_texts(auth_document *d, auth_key *k, json_t *roles, json_t *addresses, error *e)
{
    return auth_keep_texts(d, roles, "roles", KEY_ROLES_MAX, AUTH_NAME_MAX, &k->n_roles, &k->roles,
                           e) &&
           auth_keep_texts(d, addresses, "addresses", KEY_ADDRESSES_MAX, IP_TEXT_ROOM + 4,
                           &k->n_addresses, &k->addresses, e) &&
           read_networks(d, k, e);
}

/* What the fields point to, kept. */
static bool keep(auth_document *d, auth_key *k, error *e)
{
    const char **texts[] = {&k->id,     &k->description, &k->user,      &k->hash,
                            &k->prefix, &k->created_at,  &k->created_by};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!auth_keep_text(d, *texts[i], texts[i], e))
            return false;
    }
    return true;
}

bool auth_read_key(auth_document *d, json_t *object, error *e)
{
    auth_key *k = arena_alloc(&d->mem, sizeof *k);
    if (!k)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    json_t *roles = NULL, *addresses = NULL;
    int64_t rate = 0;
    k->description = k->prefix = k->created_at = k->created_by = "";
    const json_field fields[] = {
        {"id", FIELD_STR, true, &k->id},
        {"description", FIELD_STR, false, &k->description},
        {"user", FIELD_STR, false, &k->user},
        {"roles", FIELD_ARRAY, false, &roles},
        {"hash", FIELD_STR, true, &k->hash},
        {"prefix", FIELD_STR, false, &k->prefix},
        {"expires_us", FIELD_INT, false, &k->expires_us},
        {"addresses", FIELD_ARRAY, false, &addresses},
        {"rate", FIELD_INT, false, &rate, 1, KEY_RATE_MAX},
        {"created_at", FIELD_STR, false, &k->created_at},
        {"created_by", FIELD_STR, false, &k->created_by},
        {"last_used_us", FIELD_INT, false, &k->last_used_us},
    };
    if (!json_read_object(object, fields, JSON_FIELDS(fields), e) ||
        !auth_check_length(k->description, "description", true, KEY_DESCRIPTION_MAX, e) ||
        !keep(d, k, e) || !keep_texts(d, k, roles, addresses, e))
        return false;
    if (!k->user && !k->n_roles) {
        error_set(e, ERR_INVALID_MESSAGE, "a key needs a \"user\" or \"roles\"");
        return error_hint(e, "With a user it has his rights, with roles it is a service itself.");
    }
    k->rate = (int)rate;
    d->is = k;
    d->name = k->id;
    d->owner = k->user;
    atomic_init(&d->used_us, k->last_used_us);
    return auth_mark(d, KEY_MARK, k->hash, e);
}

int64_t auth_key_used_us(const auth_document *d)
{
    return atomic_load_explicit(&d->used_us, memory_order_relaxed);
}
