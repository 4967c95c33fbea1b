#include "daemon/user_password.h"

#include <jansson.h>

#include "auth/auth.h"
#include "daemon/waiter.h"

typedef struct hash_change {
    auth_call call;
    waiter done;
    const auth_document *was;
    auth_document *is;
} hash_change;

static bool decide(auth_call *c, auth_store *s, error *e)
{
    hash_change *h = list_entry(c, hash_change, call);
    auth_document *now = auth_store_find(s, AUTH_USER, h->was->name);
    bool same = now == h->was;
    auth_document_release(now);
    if (!same)
        return error_set(e, ERR_CONFLICT, "the user \"%s\" was changed meanwhile", h->was->name);
    return auth_call_put(c, h->is, e);
}

static void on_done(auth_call *c)
{
    waiter_wake(&list_entry(c, hash_change, call)->done);
}

static auth_document *with_hash(const auth_document *user, const char *hash, error *e)
{
    json_t *object = auth_document_object(user);
    if (object && json_object_set_new(object, "password_hash", json_string(hash)) != 0) {
        json_decref(object);
        object = NULL;
    }
    return auth_document_make(AUTH_USER, object, e);
}

bool user_password_set(server *d, const auth_document *user, const char *hash, error *e)
{
    hash_change h = {.call = {.decide = decide, .done = on_done}, .was = user};
    h.is = with_hash(user, hash, e);
    if (!h.is)
        return false;
    waiter_init(&h.done);
    auth_store_change(auth_store_of(d->auth), &h.call);
    waiter_wait(&h.done);
    auth_document_release(h.is);
    if (h.call.failed)
        *e = h.call.err;
    return !h.call.failed;
}
