#include "wire/jsonrpc.h"
#include "json/read.h"

#include <stdio.h>
#include <string.h>

/* ---- requests ----------------------------------------------------------------------------------
 */

static bool is_legal_id(json_slice id)
{
    return id.n && id.n <= RPC_MAX_ID &&
           (*id.p == '"' || *id.p == 'n' || *id.p == '-' || (*id.p >= '0' && *id.p <= '9'));
}

static bool check_id(json_slice id, error *e)
{
    if (!id.n || is_legal_id(id))
        return true;
    if (id.n > RPC_MAX_ID && *id.p != '{' && *id.p != '[')
        return error_set(e, ERR_INVALID_MESSAGE, "id has more than %d bytes", RPC_MAX_ID);
    return error_set(e, ERR_INVALID_MESSAGE, "id is neither a string nor a number nor null");
}

static bool read_method(json_slice text, char to[RPC_MAX_METHOD + 1], error *e)
{
    if (!text.n)
        return error_set(e, ERR_INVALID_MESSAGE, "method is missing");
    json_t *method = json_read_text(text.p, text.n, e);
    if (!method)
        return false;
    bool ok = json_is_string(method);
    if (!ok)
        error_set(e, ERR_INVALID_MESSAGE, "method is %s; expected a string", json_kind(method));
    else if (strlen(json_string_value(method)) != json_string_length(method))
        ok = error_set(e, ERR_INVALID_MESSAGE, "method has a NUL character");
    else
        snprintf(to, RPC_MAX_METHOD + 1, "%s", json_string_value(method));
    json_decref(method);
    return ok;
}

/* Finds the four members; what else there is, or is there twice, is named in e. */
static bool read_members(json_slice text, json_slice *version, json_slice *method, rpc_request *q,
                         error *e)
{
    const struct {
        const char *name;
        json_slice *to;
    } members[] = {
        {"jsonrpc", version}, {"method", method}, {"params", &q->params}, {"id", &q->id}};
    json_slice name, value;
    bool ok = true;
    for (json_items at = json_items_of(text); json_items_next(&at, &name, &value);) {
        size_t i = 0;
        while (i < 4 && !json_slice_is(name, members[i].name))
            i++;
        if (i < 4 && !members[i].to->n) {
            *members[i].to = value;
        } else if (ok) { /* an id behind it is found all the same */
            error_set(e, ERR_INVALID_MESSAGE,
                      i < 4 ? "the member %.*s is there twice" : "a request has no member %.*s",
                      (int)(name.n < 80 ? name.n : 80), name.p);
            ok = error_hint(e, "Its members are jsonrpc, method, params and id.");
        }
    }
    return ok;
}

bool rpc_read(json_slice text, rpc_request *q, error *e)
{
    json_slice version = {0}, method = {0};
    *q = (rpc_request){0};
    if (!text.n || *text.p != '{')
        return error_set(e, ERR_INVALID_MESSAGE, "a request is an object");
    bool ok = read_members(text, &version, &method, q, e);
    if (!is_legal_id(q->id)) {
        if (ok)
            ok = check_id(q->id, e);
        q->id = (json_slice){0};
    }
    if (!ok)
        return false;
    if (!json_slice_is(version, "2.0"))
        return error_set(e, ERR_INVALID_MESSAGE, "jsonrpc is not \"2.0\"");
    if (!read_method(method, q->method, e))
        return false;
    if (q->params.n && *q->params.p != '{' && *q->params.p != '[')
        return error_set(e, ERR_INVALID_MESSAGE, "params is neither an array nor an object");
    return true;
}

json_t *rpc_named(json_t *positional, const char *const *names, int n, error *e)
{
    size_t i, given = json_array_size(positional);
    json_t *value, *named;
    if (given > (size_t)n) {
        error_set(e, ERR_INVALID_MESSAGE, "params has %zu values; this method takes %d", given, n);
        return NULL;
    }
    named = json_object();
    json_array_foreach(positional, i, value)
    {
        if (!named || json_object_set(named, names[i], value) != 0) {
            json_decref(named);
            error_set(e, ERR_INTERNAL_ERROR, "out of memory");
            return NULL;
        }
    }
    if (!named)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return named;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

int rpc_code(const error *e)
{
    return e->code == ERR_INVALID_MESSAGE ? RPC_INVALID_PARAMS : error_describe(e->code)->rpc_code;
}

const char *rpc_standard_name(int code)
{
    switch (code) {
    case RPC_PARSE_ERROR:
        return "Parse error";
    case RPC_INVALID_REQUEST:
        return "Invalid Request";
    case RPC_METHOD_NOT_FOUND:
        return "Method not found";
    case RPC_INVALID_PARAMS:
        return "Invalid params";
    case RPC_INTERNAL_ERROR:
        return "Internal error";
    default:
        return NULL;
    }
}

void rpc_begin_answer(json_writer *w, buf *out, json_slice id)
{
    jw_init(w, out);
    jw_begin_object(w);
    jw_key(w, "jsonrpc");
    jw_str(w, "2.0");
    jw_key(w, "id");
    if (id.n)
        jw_raw(w, id.p, id.n);
    else
        jw_null(w);
}
