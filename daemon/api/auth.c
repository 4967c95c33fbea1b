/* GET /auth/identity, POST /auth/check: who is asking, and whose a token is. */
#include "daemon/api/api.h"

#include <string.h>

static void put_identity(json_writer *w, const principal *who)
{
    jw_begin_object(w);
    jw_key(w, "user_id");
    jw_str(w, who->name);
    jw_key(w, "kind");
    jw_str(w, "root"); /* the one kind there is */
    jw_end_object(w);
}

void api_get_identity(request *q)
{
    buf out = BUF_INIT;
    json_writer w;
    error e;
    jw_init(&w, &out);
    put_identity(&w, &q->who);
    if (out.failed) {
        error_set(&e, ERR_INTERNAL_ERROR, "there is no memory for the answer");
        http_reply_error(q, &e);
    } else {
        http_reply(q, 200, out.data, out.len);
    }
    buf_free(&out);
}

void api_check_token(request *q)
{
    const json_t *token = json_object_get(q->doc, "token");
    principal who;
    error e;
    buf out;
    json_writer w;
    bool valid =
        auth_check(q->c->r->d->auth, json_string_value(token), json_string_length(token), &who, &e);
    http_begin_json(&w, &out);
    jw_key(&w, "valid");
    jw_bool(&w, valid);
    jw_key(&w, "identity");
    if (valid)
        put_identity(&w, &who);
    else
        jw_null(&w);
    http_end_json(q, 200, &w);
}
