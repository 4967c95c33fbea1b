/* API keys: /admin/api-keys and what is below it. */
#include <string.h>

#include "auth/key.h"
#include "base/clock.h"
#include "daemon/api/api.h"
#include "daemon/identity_edit.h"

static const char place[] = "/api/v1/admin/api-keys/";

/* ---- looking -----------------------------------------------------------------------------------
 */

/* Members of an object that is open. */
static void put_members(json_writer *w, const auth_document *d)
{
    const auth_key *k = auth_key_of(d);
    jw_key_str(w, "id", k->id);
    jw_key_str(w, "description", k->description);
    jw_key_str(w, "user", k->user);
    jw_key_strs(w, "roles", k->roles, k->n_roles);
    jw_key_str(w, "prefix", k->prefix);
    jw_key_strs(w, "addresses", k->addresses, k->n_addresses);
    jw_key(w, "rate");
    if (k->rate)
        jw_int(w, k->rate);
    else
        jw_null(w);
    jw_key_time(w, "expires_at", k->expires_us);
    jw_key_str(w, "created_at", k->created_at);
    jw_key_str(w, "created_by", k->created_by);
    jw_key_time(w, "last_used_at", auth_key_used_us(d));
}

static void write_key(json_writer *w, const auth_document *d)
{
    jw_begin_object(w);
    put_members(w, d);
    jw_end_object(w);
}

void api_list_api_keys(request *q)
{
    identity_reply_page(q, "api_keys", AUTH_KEY, write_key);
}

void api_get_api_key(request *q)
{
    auth_document *d = identity_find(q, AUTH_KEY, q->params[0]);
    buf out;
    json_writer w;
    if (!d)
        return;
    http_begin_json(&w, &out);
    put_members(&w, d);
    http_end_json(q, 200, &w);
    auth_document_release(d);
}

/* ---- making one --------------------------------------------------------------------------------
 */

/* The one answer that has the key. */
static void answer(request *q, const identity_edit *x)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_str(&w, "key", x->secret);
    put_members(&w, x->is);
    http_end_created(q, place, x->is->name, &w);
}

/* Whose it is, where the request does not say: the asker's. */
static const char *user_of(const request *q)
{
    const char *user = json_string_value(json_object_get(q->doc, "user"));
    bool service = json_array_size(json_object_get(q->doc, "roles")) > 0;
    return user || service || q->who->kind != IDENTITY_USER ? user : q->who->name;
}

static bool read_end(const request *q, int64_t *us, error *e)
{
    const char *text = json_string_value(json_object_get(q->doc, "expires_at"));
    *us = 0;
    if (!text)
        return true;
    if (!clock_parse_rfc3339(text, us)) {
        error_set(e, ERR_INVALID_MESSAGE, "expires_at: \"%.40s\" is no moment", text);
        return error_hint(e, "Write it as in 2030-01-31T12:00:00Z (RFC 3339).");
    }
    return *us > clock_wall_us() ||
           error_set(e, ERR_INVALID_MESSAGE, "expires_at: %.40s is over", text);
}

static json_t *whole(const request *q, const char *id, const char *hash, const char *secret,
                     int64_t expires_us)
{
    static const char *const given[] = {"description", "roles", "addresses", "rate"};
    char now[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_us(), now);
    json_t *to = json_pack("{s:s, s:s, s:s%, s:I, s:s, s:s}", "id", id, "hash", hash, "prefix",
                           secret, (size_t)KEY_PREFIX_LENGTH, "expires_us", (json_int_t)expires_us,
                           "created_at", now, "created_by", q->who->name);
    for (size_t i = 0; to && i < sizeof given / sizeof *given; i++) {
        json_t *is = json_object_get(q->doc, given[i]);
        if (is && !json_is_null(is))
            json_object_set(to, given[i], is);
    }
    if (to && user_of(q))
        json_object_set_new(to, "user", json_string(user_of(q)));
    return to;
}

static auth_document *make(const request *q, char secret[SECRET_KEY_LENGTH + 1], error *e)
{
    char id[SECRET_ID_LENGTH + 1], hash[SECRET_HASH_TEXT + 1];
    int64_t expires_us;
    error_clear(e);
    if (!read_end(q, &expires_us, e) || !secret_make_id(id, e) || !secret_make_key(secret, e) ||
        !secret_hash_text(secret, SECRET_KEY_LENGTH, hash, e))
        return NULL;
    return auth_document_make(AUTH_KEY, whole(q, id, hash, secret, expires_us), e);
}

void api_create_api_key(request *q)
{
    char secret[SECRET_KEY_LENGTH + 1] = "";
    error e;
    auth_document *is = make(q, secret, &e);
    if (is) {
        identity_edit *x = identity_edit_new(NULL, is, answer);
        memcpy(x->secret, secret, sizeof x->secret);
        identity_edit_start(q, x);
    } else {
        http_reply_error(q, &e);
    }
    secret_wipe(secret, sizeof secret);
}

static void answer_deleted(request *q, const identity_edit *x)
{
    identity_reply_deleted(q, "id", x->was->name);
}

void api_delete_api_key(request *q)
{
    auth_document *was = identity_find(q, AUTH_KEY, q->params[0]);
    if (was)
        identity_edit_start(q, identity_edit_new(was, NULL, answer_deleted));
}
