/* The table of methods of JSON-RPC, and the OpenRPC document that tells of it. */
#include "daemon/http.h"
#include "daemon/rpc.h"
#include "daemon/ws.h"
#include "wire/jsonrpc.h"

#include <string.h>

static ws_request rpc_ping, rpc_discover;

/* A method, or a parameter of the method before it. */
typedef struct row {
    const char *name;
    ws_request *request; /* NULL: a parameter */
    ws_ask asks;
    unsigned flags;
    const char *errors, *summary, *result, *schema;
    bool required;
} row;

static const row rows[] = {
#define SCHEMA(...) #__VA_ARGS__
#define METHOD(name, request, asks, flags, errors, summary, result, schema)                        \
    {name, request, WS_ASK_##asks, flags, errors, summary, result, schema, false},
#define PARAM(name, required, summary, schema)                                                     \
    {name, NULL, WS_ASK_nothing, 0, NULL, summary, NULL, schema, required},
#include "daemon/rpc_methods.def"
#undef METHOD
#undef PARAM
};

enum { N_ROWS = sizeof rows / sizeof *rows };

/* The same names without anything between them, to be pointed into. */
static const char *const names[] = {
#define METHOD(name, request, asks, flags, errors, summary, result, schema) name,
#define PARAM(name, required, summary, schema)                              name,
#include "daemon/rpc_methods.def"
#undef METHOD
#undef PARAM
};

static bool speaks(const rpc_peer *p, const row *m)
{
    return m->request && !(p->http && m->flags & RPC_WEBSOCKET);
}

bool rpc_find_method(const rpc_peer *p, const char *name, rpc_method *to, error *e)
{
    int i = 0;
    while (i < N_ROWS && !(rows[i].request && strcmp(rows[i].name, name) == 0))
        i++;
    if (i == N_ROWS) {
        error_set(e, ERR_METHOD_NOT_FOUND, "there is no method '%s'", name);
        return error_hint(e, "rpc.discover tells which there are.");
    }
    if (!speaks(p, &rows[i])) {
        error_set(e, ERR_METHOD_NOT_FOUND, "%s belongs to a connection; over HTTP there is none",
                  name);
        return error_hint(e, "Connect to /api/v1/ws with the subprotocol jsonrpc.");
    }
    *to = (rpc_method){.name = rows[i].name,
                       .request = rows[i].request,
                       .asks = rows[i].asks,
                       .flags = rows[i].flags,
                       .params = &names[i + 1]};
    while (i + 1 + to->n_params < N_ROWS && !rows[i + 1 + to->n_params].request)
        to->n_params++;
    return true;
}

static bool rpc_ping(conn *c, const char *id, json_t *input, error *e)
{
    static const char pong[] = "\"pong\"";
    if (!ws_request_read(c, input, NULL, 0, e))
        return false;
    rpc_answer_with(c, id, pong, sizeof pong - 1);
    return true;
}

/* ---- OpenRPC -----------------------------------------------------------------------------------
 */

static void put(json_writer *w, const char *key, const char *text)
{
    jw_key(w, key);
    jw_str(w, text);
}

static void put_schema(json_writer *w, const char *schema)
{
    jw_key(w, "schema");
    jw_raw(w, schema, strlen(schema));
}

static void put_ref(json_writer *w, const char *code, size_t n)
{
    buf ref = BUF_INIT;
    buf_addf(&ref, "#/components/errors/%.*s", (int)n, code);
    jw_begin_object(w);
    put(w, "$ref", buf_cstr(&ref));
    jw_end_object(w);
    buf_free(&ref);
}

static void put_errors(json_writer *w, const row *m)
{
    static const char always[] = "INVALID_MESSAGE AUTH_REQUIRED INTERNAL_ERROR";
    const bool denies = ws_ask_scope(m->asks) && !strstr(m->errors, "PERMISSION_DENIED");
    const char *lists[] = {always, denies ? "PERMISSION_DENIED" : "", m->errors};
    jw_key(w, "errors");
    jw_begin_array(w);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (const char *at = lists[i]; *at; at += strspn(at, " ")) {
            size_t n = strcspn(at, " ");
            put_ref(w, at, n);
            at += n;
        }
    }
    jw_end_array(w);
}

/* As x-rustydb-right of the operations of the REST interface. */
static void put_scope(json_writer *w, unsigned scope)
{
    for (unsigned bit = 0; bit < SCOPE_COUNT; bit++) {
        if (scope == 1u << bit)
            put(w, "x-rustydb-right", scope_name((auth_scope)bit));
    }
}

static void put_method(json_writer *w, const row *m)
{
    jw_begin_object(w);
    put(w, "name", m->name);
    put(w, "summary", m->summary);
    put(w, "paramStructure", "either");
    jw_key(w, "params");
    jw_begin_array(w);
    for (const row *p = m + 1; p < rows + N_ROWS && !p->request; p++) {
        jw_begin_object(w);
        put(w, "name", p->name);
        put(w, "summary", p->summary);
        jw_key(w, "required");
        jw_bool(w, p->required);
        put_schema(w, p->schema);
        jw_end_object(w);
    }
    jw_end_array(w);
    jw_key(w, "result");
    jw_begin_object(w);
    put(w, "name", m->result);
    put_schema(w, m->schema);
    jw_end_object(w);
    put_errors(w, m);
    put_scope(w, ws_ask_scope(m->asks));
    jw_end_object(w);
}

/* Every code that there is, with its number in JSON-RPC. */
static void put_components(json_writer *w)
{
    static const char schemas[] = SCHEMA({
        "Result" : {
            "type" : "object",
            "properties" : {
                "columns" : {
                    "type" : "array",
                    "items" : {
                        "type" : "object",
                        "properties" :
                            {"name" : {"type" : "string"},
                             "type" : {"type" : [ "string", "null" ]}}
                    }
                },
                "rows" : {"type" : "array", "items" : {"type" : "array"}},
                "changes" : {"type" : "integer"},
                "last_insert_rowid" : {"type" : "integer"},
                "lsn" : {"type" : "integer"},
                "elapsed_ms" : {"type" : "number"},
                "truncated" : {"type" : "boolean"}
            },
            "required" : [ "columns", "rows", "changes", "last_insert_rowid", "lsn", "elapsed_ms" ]
        },
        "Ended" : {
            "type" : "object",
            "properties" : {"transaction" : {"type" : "string"}, "lsn" : {"type" : "integer"}},
            "required" : [ "transaction", "lsn" ]
        }
    });
    jw_key(w, "components");
    jw_begin_object(w);
    jw_key(w, "schemas");
    jw_raw(w, schemas, sizeof schemas - 1);
    jw_key(w, "errors");
    jw_begin_object(w);
    for (int code = 1; code < ERR_COUNT; code++) {
        const error_info *info = error_describe((error_code)code);
        const error sample = {.code = (error_code)code};
        jw_key(w, info->name);
        jw_begin_object(w);
        jw_key(w, "code");
        jw_int(w, rpc_code(&sample));
        put(w, "message", info->explain);
        jw_end_object(w);
    }
    jw_end_object(w);
    jw_end_object(w);
}

static bool rpc_discover(conn *c, const char *id, json_t *input, error *e)
{
    buf out = BUF_INIT;
    json_writer w;
    if (!ws_request_read(c, input, NULL, 0, e))
        return false;
    jw_init(&w, &out);
    jw_begin_object(&w);
    put(&w, "openrpc", "1.2.6");
    jw_key(&w, "info");
    jw_begin_object(&w);
    put(&w, "title", "rustydb");
    put(&w, "version", RUSTYDB_VERSION);
    jw_end_object(&w);
    jw_key(&w, "methods");
    jw_begin_array(&w);
    for (int i = 0; i < N_ROWS; i++) {
        if (speaks(rpc_peer_of(c), &rows[i]))
            put_method(&w, &rows[i]);
    }
    jw_end_array(&w);
    put_components(&w);
    jw_end_object(&w);
    if (out.failed)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    else
        rpc_answer_with(c, id, out.data, out.len);
    bool ok = !out.failed;
    buf_free(&out);
    return ok;
}
