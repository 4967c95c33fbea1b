/* GET /auth/identity, POST /auth/check: who is asking, and whose a token is. */
#include "daemon/api/api.h"
#include "daemon/identity_describe.h"

#include <string.h>

void api_get_identity(request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    describe_identity(&w, q->c->r->d->auth, q->who);
    http_end_json(q, 200, &w);
}

void api_check_token(request *q)
{
    const json_t *token = json_object_get(q->doc, "token");
    const credential shown = {
        .kind = CREDENTIAL_TOKEN,
        .text = json_string_value(token),
        .n = json_string_length(token),
    };
    error e;
    buf out;
    json_writer w;
    identity *who = auth_identify(q->c->r->d->auth, &shown, &e);
    http_begin_json(&w, &out);
    jw_key_bool(&w, "valid", who != NULL);
    jw_key(&w, "identity");
    if (who) {
        jw_begin_object(&w);
        describe_identity(&w, q->c->r->d->auth, who);
        jw_end_object(&w);
    } else {
        jw_null(&w);
    }
    identity_release(who);
    http_end_json(q, 200, &w);
}
