#include "daemon/stored_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/value.h"
#include "json/read.h"

static const struct {
    const char *name, *expected;
} types[STORED_TYPES] = {
    [STORED_STRING] = {"string", "a string"},
    [STORED_INTEGER] = {"integer", "an integer"},
    [STORED_NUMBER] = {"number", "a number"},
    [STORED_BOOLEAN] = {"boolean", "true or false"},
    [STORED_BLOB] = {"blob", "a blob, {\"$base64\":\"...\"}"},
};

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

const char *stored_type_name(stored_type t)
{
    return types[t].name;
}

static const char *text_in(const json_t *from, const char *key)
{
    return json_string_value(json_object_get(from, key));
}

/* ---- references -------------------------------------------------------------------------------
 */

stored_query *stored_query_ref(stored_query *q)
{
    atomic_fetch_add_explicit(&q->refs, 1, memory_order_relaxed);
    return q;
}

void stored_query_unref(stored_query *q)
{
    if (!q || atomic_fetch_sub_explicit(&q->refs, 1, memory_order_acq_rel) > 1)
        return;
    json_decref(q->doc);
    free(q->json);
    mem_free(q->parameters);
    mem_free(q);
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static bool fits(stored_type type, const json_t *v)
{
    switch (type) {
    case STORED_STRING:
        return json_is_string(v);
    case STORED_INTEGER:
        return json_is_integer(v);
    case STORED_NUMBER:
        return json_is_number(v);
    case STORED_BOOLEAN:
        return json_is_boolean(v);
    default:
        return json_object_size(v) == 1 && json_object_get(v, "$base64");
    }
}

static bool check_value(const stored_parameter *p, json_t *v, const char *what, error *e)
{
    return fits(p->type, v) || error_set(e, ERR_INVALID_MESSAGE, "%s: expected %s, got %s", what,
                                         types[p->type].expected, json_kind(v));
}

static bool find_type(const char *name, stored_type *to)
{
    for (int i = 0; name && i < STORED_TYPES; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *to = (stored_type)i;
            return true;
        }
    }
    return false;
}

/* A member of "parameters", of the whole form. */
static bool read_parameter(const json_t *from, stored_parameter *to)
{
    to->name = text_in(from, "name");
    to->description = text_in(from, "description");
    to->required = json_is_true(json_object_get(from, "required"));
    to->fallback = json_object_get(from, "default");
    return to->name && to->description && to->fallback &&
           find_type(text_in(from, "type"), &to->type);
}

const stored_parameter *stored_query_parameter(const stored_query *q, const char *name, size_t n)
{
    for (int i = 0; i < q->n_parameters; i++) {
        const stored_parameter *p = &q->parameters[i];
        if (strncmp(p->name, name, n) == 0 && !p->name[n])
            return p;
    }
    return NULL;
}

static bool check_default(const stored_parameter *p, error *e)
{
    char what[120];
    arena mem = ARENA_INIT;
    value v;
    if (json_is_null(p->fallback))
        return true;
    if (p->required)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "the parameter \"%s\" is required and has a default", p->name);
    snprintf(what, sizeof what, "the default of \"%s\"", p->name);
    bool ok =
        check_value(p, p->fallback, what, e) && value_from_json(&v, p->fallback, &mem, what, e);
    arena_free(&mem);
    return ok;
}

static bool check_parameters(const stored_query *q, error *e)
{
    for (int i = 0; i < q->n_parameters; i++) {
        const stored_parameter *p = &q->parameters[i];
        if (stored_query_parameter(q, p->name, strlen(p->name)) != p)
            return error_set(e, ERR_INVALID_MESSAGE, "there are two parameters \"%s\"", p->name);
        if (!check_default(p, e))
            return false;
    }
    return true;
}

/* ---- making -----------------------------------------------------------------------------------
 */

/* Takes the document over and takes it apart. False when it does not have the form. */
static bool take_apart(stored_query *q, json_t *doc)
{
    const json_t *parameters = json_object_get(doc, "parameters");
    size_t n = json_array_size(parameters);
    q->doc = doc;
    q->name = text_in(doc, "name");
    q->sql = text_in(doc, "sql");
    q->description = text_in(doc, "description");
    q->version = json_integer_value(json_object_get(doc, "version"));
    q->readonly = json_is_true(json_object_get(doc, "readonly"));
    q->parameters = xalloc((n + 1) * sizeof *q->parameters);
    q->n_parameters = (int)n;
    for (size_t i = 0; i < n; i++) {
        if (!read_parameter(json_array_get(parameters, i), &q->parameters[i]))
            return false;
    }
    return q->name && q->sql && q->description && q->version > 0 && json_is_array(parameters);
}

/* From a document of the whole form, taken over; NULL: it could not be read. */
static stored_query *from_doc(json_t *doc, error *e)
{
    stored_query *q = xalloc(sizeof *q);
    atomic_init(&q->refs, 1);
    if (!doc || !take_apart(q, doc)) {
        error_set(e, ERR_CORRUPT, "a stored query cannot be read");
        stored_query_unref(q);
        return NULL;
    }
    q->json = json_dumps(doc, JSON_COMPACT);
    if (!q->json) {
        no_memory(e);
        stored_query_unref(q);
        return NULL;
    }
    q->len = strlen(q->json);
    etag_make(q->json, q->len, q->etag);
    return q;
}

stored_query *stored_query_read(const char *json, size_t n, error *e)
{
    return from_doc(json_read_text(json, n, e), e);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* Says what its author left out: it is required unless it has a default. */
static json_t *whole_parameter(const json_t *from)
{
    json_t *fallback = json_object_get(from, "default");
    const json_t *required = json_object_get(from, "required");
    bool must = required ? json_is_true(required) : !fallback || json_is_null(fallback);
    return json_pack("{s:O, s:O, s:b, s:o, s:s}", "name", json_object_get(from, "name"), "type",
                     json_object_get(from, "type"), "required", must, "default",
                     fallback ? json_incref(fallback) : json_null(), "description",
                     or_empty(text_in(from, "description")));
}

static json_t *whole_parameters(const json_t *from)
{
    json_t *to = json_array(), *one;
    size_t i;
    json_array_foreach(from, i, one)
    {
        if (json_array_append_new(to, whole_parameter(one)) != 0) {
            json_decref(to);
            return NULL;
        }
    }
    return to;
}

stored_query *stored_query_make(const json_t *input, const stored_origin *o, error *e)
{
    json_t *parameters = whole_parameters(json_object_get(input, "parameters"));
    json_t *doc =
        !parameters
            ? NULL
            : json_pack("{s:s, s:I, s:O, s:s, s:b, s:o, s:s, s:s, s:s}", "name", o->name, "version",
                        (json_int_t)o->version, "sql", json_object_get(input, "sql"), "description",
                        or_empty(text_in(input, "description")), "readonly", o->readonly,
                        "parameters", parameters, "created_at", o->created_at, "updated_at",
                        o->updated_at, "updated_by", o->updated_by);
    if (!doc) {
        no_memory(e);
        return NULL;
    }
    stored_query *q = from_doc(doc, e);
    if (!q || check_parameters(q, e))
        return q;
    stored_query_unref(q);
    return NULL;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static bool has_name(const json_t *names, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(names, i, one)
    {
        const char *is = text_in(one, "name");
        if (is && strcmp(is, name) == 0)
            return true;
    }
    return false;
}

bool stored_query_check_names(const stored_query *q, const json_t *names, error *e)
{
    size_t i;
    json_t *one;
    json_array_foreach(names, i, one)
    {
        const char *name = text_in(one, "name");
        if (!name) {
            error_set(e, ERR_INVALID_MESSAGE, "parameter %zu of the statement has no name", i + 1);
            return error_hint(e, "Name it as in \":name\", and declare it in `parameters`.");
        }
        if (!stored_query_parameter(q, name, strlen(name)))
            return error_set(e, ERR_INVALID_MESSAGE,
                             "the statement's parameter \"%s\" is not declared", name);
    }
    for (int k = 0; k < q->n_parameters; k++) {
        if (!has_name(names, q->parameters[k].name))
            return error_set(e, ERR_INVALID_MESSAGE, "the statement has no parameter named \"%s\"",
                             q->parameters[k].name);
    }
    return true;
}

/* ---- calling ----------------------------------------------------------------------------------
 */

static bool bind_one(const stored_parameter *p, json_t *given, arena *mem, value *to, error *e)
{
    char what[100];
    json_t *v = given ? given : p->fallback;
    snprintf(what, sizeof what, "params.%s", p->name);
    if (!given && p->required)
        return error_set(e, ERR_INVALID_MESSAGE, "%s is missing", what);
    if (json_is_null(v) && !p->required) {
        *to = (value){.type = VALUE_NULL};
        return true;
    }
    return check_value(p, v, what, e) && value_from_json(to, v, mem, what, e);
}

static bool all_known(const stored_query *q, json_t *params, error *e)
{
    const char *key;
    json_t *given;
    json_object_foreach(params, key, given)
    {
        if (!stored_query_parameter(q, key, strlen(key)))
            return error_set(e, ERR_INVALID_MESSAGE, "the query has no parameter named \"%.100s\"",
                             key);
    }
    return true;
}

bool stored_query_bind(const stored_query *q, json_t *params, arena *mem, engine_stmt *to, error *e)
{
    size_t n = (size_t)q->n_parameters;
    const char **names = arena_alloc(mem, (n + 1) * sizeof *names);
    value *values = arena_alloc(mem, (n + 1) * sizeof *values);
    const char *sql = arena_strndup(mem, q->sql, strlen(q->sql));
    if (!names || !values || !sql)
        return no_memory(e);
    for (size_t i = 0; i < n; i++) {
        const stored_parameter *p = &q->parameters[i];
        names[i] = arena_strndup(mem, p->name, strlen(p->name));
        if (!names[i])
            return no_memory(e);
        if (!bind_one(p, json_object_get(params, p->name), mem, &values[i], e))
            return false;
    }
    *to = (engine_stmt){.sql = sql, .n_params = (int)n, .params = values, .names = names};
    return all_known(q, params, e);
}

static json_t *parse(stored_type type, const char *text, error *e)
{
    switch (type) {
    case STORED_STRING:
        return json_string(text);
    case STORED_BLOB:
        return json_pack("{s:s}", "$base64", text);
    default:
        return json_read_text(text, strlen(text), e);
    }
}

json_t *stored_parameter_parse(const stored_parameter *p, const char *text, error *e)
{
    json_t *v = parse(p->type, text, e);
    if (v && fits(p->type, v))
        return v;
    json_decref(v);
    error_clear(e);
    error_set(e, ERR_INVALID_MESSAGE, "the query parameter %s is not %s", p->name,
              p->type == STORED_BLOB ? "base64" : types[p->type].expected);
    return NULL;
}

/* ---- its schema -------------------------------------------------------------------------------
 */

static json_t *base_schema(stored_type type, bool in_body)
{
    switch (type) {
    case STORED_INTEGER:
        return json_pack("{s:s, s:s}", "type", "integer", "format", "int64");
    case STORED_BLOB:
        return in_body ? json_pack("{s:s, s:{s:{s:s, s:s}}, s:[s], s:b}", "type", "object",
                                   "properties", "$base64", "type", "string", "contentEncoding",
                                   "base64", "required", "$base64", "additionalProperties", 0)
                       : json_pack("{s:s, s:s}", "type", "string", "contentEncoding", "base64");
    default:
        return json_pack("{s:s}", "type", types[type].name);
    }
}

json_t *stored_parameter_schema(const stored_parameter *p, bool in_body)
{
    json_t *schema = base_schema(p->type, in_body);
    bool shown = in_body || p->type != STORED_BLOB;
    if (in_body && !p->required)
        json_object_set_new(schema, "type",
                            json_pack("[O, s]", json_object_get(schema, "type"), "null"));
    if (shown && !json_is_null(p->fallback))
        json_object_set_new(schema, "default", json_deep_copy(p->fallback));
    if (in_body && *p->description)
        json_object_set_new(schema, "description", json_string(p->description));
    return schema;
}
