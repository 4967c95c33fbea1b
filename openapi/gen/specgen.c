/* Makes what the daemon needs of the specification, while the project is built:
 *
 *   specgen OUT VERSION ASYNCAPI.yaml ROOT.yaml PART.yaml...
 *
 *   OUT/operations.h    declarations of the functions that answer (daemon/api/api.h)
 *   OUT/operations.inc  tables of operations, parameters and schemas (daemon/route.c)
 *   OUT/openapi.json    the whole document, for the daemon to serve
 *   OUT/openapi.yaml    the same
 *   OUT/asyncapi.yaml   the WebSocket side, with the schemas that it shares with the whole document
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "openapi/gen/emit.h"
#include "openapi/gen/tree.h"

static const char *const methods[] = {"get", "put", "post", "delete", "patch", NULL};

/* ---- what every operation may answer ----------------------------------------------------------
 */

static void add_responses(json_t *root, json_t *responses, const char *kind)
{
    const char *status;
    json_t *one;
    json_object_foreach(json_object_get(json_object_get(root, "x-rustydb-responses"), kind), status,
                        one)
    {
        if (!json_object_get(responses, status))
            json_object_set(responses, status, one);
    }
}

static bool is_open(const json_t *operation)
{
    const json_t *security = json_object_get(operation, "security");
    return security && json_array_size(security) == 0;
}

/* In the order of their numbers, and `default` last. */
static json_t *sorted(json_t *responses)
{
    json_t *to = json_object(), *one;
    char status[8];
    const char *key;
    for (int i = 100; i < 600; i++) {
        snprintf(status, sizeof status, "%d", i);
        one = json_object_get(responses, status);
        if (one)
            json_object_set(to, status, one);
    }
    json_object_foreach(responses, key, one) json_object_set(to, key, one);
    return to;
}

/* A POST takes an Idempotency-Key, unless its body is streamed, or strangers may send it: then
 * there is nobody whose key it could be. */
static void add_idempotency(json_t *root, json_t *operation)
{
    json_t *parameters = json_object_get(operation, "parameters");
    if (json_is_true(json_object_get(json_object_get(operation, "x-rustydb"), "stream")) ||
        is_open(operation))
        return;
    if (!parameters) {
        parameters = json_array();
        json_object_set_new(operation, "parameters", parameters);
    }
    json_array_append_new(parameters,
                          json_pack("{s:s}", "$ref", "#/components/parameters/IdempotencyKey"));
    add_responses(root, json_object_get(operation, "responses"), "post");
}

static void complete(json_t *root, const char *path, const char *method, json_t *operation)
{
    json_t *responses = json_object_get(operation, "responses");
    if (!responses)
        die("%s %s has no responses", method, path);
    add_responses(root, responses, "all");
    if (!is_open(operation))
        add_responses(root, responses, "secured");
    if (strchr(path, '{'))
        add_responses(root, responses, "path");
    if (json_object_get(operation, "requestBody"))
        add_responses(root, responses, "body");
    if (strcmp(method, "post") == 0)
        add_idempotency(root, operation);
    json_object_set_new(operation, "responses", sorted(responses));
}

static void check_unique(json_t *seen, const json_t *operation, const char *path)
{
    const char *id = json_string_value(json_object_get(operation, "operationId"));
    if (!id)
        die("%s: an operation has no operationId", path);
    if (json_object_get(seen, id))
        die("%s: there is another operation %s", path, id);
    json_object_set_new(seen, id, json_true());
}

static void complete_all(json_t *root)
{
    const char *path;
    json_t *item, *operation, *seen = json_object();
    json_object_foreach(json_object_get(root, "paths"), path, item)
    {
        for (int i = 0; methods[i]; i++) {
            if (!(operation = json_object_get(item, methods[i])))
                continue;
            check_unique(seen, operation, path);
            complete(root, path, methods[i], operation);
        }
    }
    json_decref(seen);
    json_object_del(root, "x-rustydb-responses");
}

/* A right that an operation takes is served as OpenAPI has it: in the security requirements, as a
 * role that the credentials must have. */
static void tell_right(const json_t *root, json_t *operation)
{
    const json_t *right = json_object_get(operation, "x-rustydb-right"), *scheme;
    json_t *all;
    size_t i;
    if (!right)
        return;
    all = json_deep_copy(json_object_get(root, "security"));
    json_array_foreach(all, i, scheme)
    {
        const char *name;
        json_t *roles;
        json_object_foreach((json_t *)(uintptr_t)scheme, name, roles)
            json_array_append_new(roles, json_deep_copy(right));
    }
    json_object_set_new(operation, "security", all);
    json_object_del(operation, "x-rustydb-right");
}

static void tell_rights(const json_t *root)
{
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(root, "paths"), path, item)
        json_object_foreach(item, method, operation) tell_right(root, operation);
}

/* What is for the daemon alone is not served. */
static void strip(json_t *value)
{
    const char *key;
    size_t i;
    json_t *below;
    json_object_del(value, "x-rustydb");
    json_object_del(value, "x-rustydb-audit");
    json_object_foreach(value, key, below) strip(below);
    json_array_foreach(value, i, below) strip(below);
}

/* ---- what stands elsewhere --------------------------------------------------------------------
 */

static json_t *error_codes(void)
{
    json_t *all = json_array();
#define ERR(name, http, rpc, ws, cli, explain) json_array_append_new(all, json_string(#name));
#include "libcore/base/errors.def"
#undef ERR
    return all;
}

/* Puts in what has its one place in another file: the version, and the error codes where a schema
 * says x-rustydb: {enum: error-codes}. */
static void fill(json_t *root, const char *version)
{
    const char *name;
    json_t *schema;
    json_object_set_new(json_object_get(root, "info"), "version", json_string(version));
    json_object_foreach(json_object_get(json_object_get(root, "components"), "schemas"), name,
                        schema)
    {
        const char *from =
            json_string_value(json_object_get(json_object_get(schema, "x-rustydb"), "enum"));
        if (from && strcmp(from, "error-codes") != 0)
            die("%s: x-rustydb.enum is not known: %s", name, from);
        if (from)
            json_object_set_new(schema, "enum", error_codes());
    }
}

/* ---- the WebSocket side -----------------------------------------------------------------------
 */

/* Copies the schemas of the whole document that something refers to and that are not there yet. */
static void share_schemas(json_t *to, json_t *value, json_t *root)
{
    static const char place[] = "#/components/schemas/";
    const char *key, *ref = json_string_value(json_object_get(value, "$ref"));
    size_t i;
    json_t *below;
    json_t *have = json_object_get(json_object_get(to, "components"), "schemas");
    if (ref && strncmp(ref, place, sizeof place - 1) == 0 &&
        !json_object_get(have, ref + sizeof place - 1)) {
        json_t *schema = json_deep_copy(tree_resolve(root, value));
        json_object_set_new(have, ref + sizeof place - 1, schema);
        share_schemas(to, schema, root);
    }
    json_object_foreach(value, key, below) share_schemas(to, below, root);
    json_array_foreach(value, i, below) share_schemas(to, below, root);
}

static void write_asyncapi(const char *from, const char *version, json_t *root, const char *to)
{
    json_t *doc = tree_read(from), *copy = json_deep_copy(doc);
    json_object_set_new(json_object_get(doc, "info"), "version", json_string(version));
    share_schemas(doc, copy, root); /* a copy: what is looked through must not change */
    tree_write_yaml(doc, to);
    json_decref(copy);
    json_decref(doc);
}

/* The daemon adds paths behind the last one. */
static void put_last(json_t *object, const char *key)
{
    json_t *value = json_incref(json_object_get(object, key));
    json_object_del(object, key);
    json_object_set_new(object, key, value);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static const char *in_folder(const char *folder, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static FILE *create(const char *folder, const char *name)
{
    FILE *f = fopen(in_folder(folder, name), "w");
    if (!f)
        die("cannot write %s: %s", in_folder(folder, name), strerror(errno));
    fputs("/* Made from openapi/ by specgen. */\n", f);
    return f;
}

static void done(FILE *f)
{
    if (fclose(f) != 0)
        die("cannot write: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("usage: specgen OUT VERSION ASYNCAPI.yaml ROOT.yaml PART.yaml...\n", stderr);
        return 2;
    }
    json_t *root = tree_read(argv[4]);
    for (int i = 5; i < argc; i++) {
        json_t *part = tree_read(argv[i]);
        tree_merge(root, part, argv[i]);
        json_decref(part);
    }
    fill(root, argv[2]);
    complete_all(root);
    FILE *tables = create(argv[1], "operations.inc"), *handlers = create(argv[1], "operations.h");
    emit_tables(root, tables, handlers);
    done(tables);
    done(handlers);
    tell_rights(root);
    strip(root);
    put_last(root, "paths");
    if (json_dump_file(root, in_folder(argv[1], "openapi.json"), JSON_COMPACT) != 0)
        die("cannot write openapi.json");
    tree_write_yaml(root, in_folder(argv[1], "openapi.yaml"));
    write_asyncapi(argv[3], argv[2], root, in_folder(argv[1], "asyncapi.yaml"));
    json_decref(root);
    return 0;
}
