#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "openapi/gen/emit.h"
#include "openapi/gen/tree.h"

enum { MAX_OPERATIONS = 1000, MAX_CHILDREN = 256, PATH_PARAMS = 3 };

static const char *const methods[] = {"get", "put", "post", "delete", "patch", NULL};

/* A place in the tree of paths: the operations of the path that ends here, and what may follow. */
typedef struct node {
    const char *segment; /* owned; NULL: a {name} */
    struct node *child, *next;
    int operations[5], n_operations;
    int ends; /* number of the table of its operations */
} node;

typedef struct tables {
    schema_out schemas;
    FILE *out, *handlers;
    node top;
    int n;           /* operations so far */
    int nodes, ends; /* tables of the tree so far */
} tables;

/* ---- names ------------------------------------------------------------------------------------
 */

/* listTables -> list_tables */
static void handler_name(const char *id, char *out, size_t room)
{
    size_t n = 0;
    for (; *id && n + 2 < room; id++) {
        if (isupper((unsigned char)*id)) {
            out[n++] = '_';
            out[n++] = (char)tolower((unsigned char)*id);
        } else {
            out[n++] = *id;
        }
    }
    out[n] = '\0';
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_free_form(json_t *root, const json_t *parameter)
{
    json_t *schema = tree_resolve(root, json_object_get(parameter, "schema"));
    return strcmp(text_of(schema, "type"), "object") == 0;
}

/* "limit", &schema_7, false, 100 */
static void put_parameter(tables *t, FILE *to, json_t *parameter, const char *where)
{
    char made[SCHEMA_NAME_ROOM], name[200];
    json_t *schema = json_object_get(parameter, "schema");
    if (!schema)
        die("%s: a parameter has no schema", where);
    snprintf(name, sizeof name, "%.100s, %.60s", where, text_of(parameter, "name"));
    emit_schema(&t->schemas, schema, name, made);
    const json_t *fallback = json_object_get(tree_resolve(t->schemas.root, schema), "default");
    fputs("{", to);
    emit_text(to, text_of(parameter, "name"));
    fprintf(to, ", &%s, %s, %lld}, ", made,
            json_is_true(json_object_get(parameter, "required")) ? "true" : "false",
            json_is_true(fallback) ? 1LL : (long long)json_integer_value(fallback));
}

/* Those of one kind: a path's in the order of its {names}. Returns how many. */
static int put_parameters(tables *t, json_t *all, const char *in, const char *path,
                          const char *where, bool *free_form)
{
    char *text = NULL, name[100];
    size_t len, i;
    int n = 0;
    json_t *p;
    FILE *list = open_memstream(&text, &len);
    if (strcmp(in, "path") == 0) {
        for (const char *at = path; (at = strchr(at, '{')) != NULL; at++, n++) {
            bool found = false;
            snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
            json_array_foreach(all, i, p)
            {
                if (strcmp(text_of(p, "in"), in) == 0 && strcmp(text_of(p, "name"), name) == 0) {
                    put_parameter(t, list, p, where);
                    found = true;
                }
            }
            if (!found || n >= PATH_PARAMS)
                die("%s: {%s} is not described, or one too many", where, name);
        }
    } else {
        json_array_foreach(all, i, p)
        {
            if (strcmp(text_of(p, "in"), in) != 0)
                continue;
            if (is_free_form(t->schemas.root, p)) {
                *free_form = true;
                continue;
            }
            put_parameter(t, list, p, where);
            n++;
        }
    }
    fclose(list);
    if (n)
        fprintf(t->schemas.defined, "static const parameter %s_%d[] = {%s};\n", in, t->n, text);
    free(text);
    return n;
}

/* The path's own and the operation's, references resolved. */
static json_t *all_parameters(json_t *root, json_t *item, json_t *operation)
{
    json_t *all = json_array(), *one;
    size_t i;
    json_array_foreach(json_object_get(item, "parameters"), i, one)
        json_array_append(all, tree_resolve(root, one));
    json_array_foreach(json_object_get(operation, "parameters"), i, one)
        json_array_append(all, tree_resolve(root, one));
    return all;
}

/* ---- bodies -----------------------------------------------------------------------------------
 */

/* The schema of a JSON body, and all types that are taken. */
static void put_body(tables *t, json_t *operation, const char *where, bool raw)
{
    char made[SCHEMA_NAME_ROOM], what[140];
    json_t *root = t->schemas.root;
    json_t *body = tree_resolve(root, json_object_get(operation, "requestBody"));
    json_t *content = json_object_get(body, "content"), *media;
    const char *type;
    if (!body)
        return;
    fprintf(t->schemas.defined, "static const char *const types_%d[] = {", t->n);
    json_object_foreach(content, type, media)
    {
        emit_text(t->schemas.defined, type);
        fputs(", ", t->schemas.defined);
    }
    fputs("NULL};\n", t->schemas.defined);
    fprintf(t->out, ".body_types = types_%d, ", t->n);
    if (json_is_true(json_object_get(body, "required")))
        fputs(".body_required = true, ", t->out);
    media = json_object_get(content, "application/json");
    if (raw || !media)
        return;
    snprintf(what, sizeof what, "%.100s, body", where);
    emit_schema(&t->schemas, json_object_get(media, "schema"), what, made);
    fprintf(t->out, ".body = &%s, ", made);
}

/* ---- the tree of paths ------------------------------------------------------------------------
 */

static node *step(node *at, const char *segment, size_t n)
{
    bool any = *segment == '{';
    node **to = &at->child;
    for (; *to; to = &(*to)->next) {
        if (any ? !(*to)->segment
                : (*to)->segment && strlen((*to)->segment) == n &&
                      strncmp((*to)->segment, segment, n) == 0)
            return *to;
    }
    *to = calloc(1, sizeof **to);
    if (!*to)
        die("out of memory");
    (*to)->segment = any ? NULL : strndup(segment, n);
    return *to;
}

static void plant(tables *t, const char *path, int operation)
{
    node *at = &t->top;
    for (const char *s = path; *s;) {
        s++;
        size_t n = strcspn(s, "/");
        at = step(at, s, n);
        s += n;
    }
    at->operations[at->n_operations++] = operation;
}

static void put_ends(tables *t, node *of)
{
    of->ends = t->ends++;
    fprintf(t->out, "static const route *const ends_%d[] = {", of->ends);
    for (int i = 0; i < of->n_operations; i++)
        fprintf(t->out, "&routes[%d], ", of->operations[i]);
    fputs("NULL};\n", t->out);
}

static void put_node(tables *t, const node *c, int children)
{
    fputs("    {", t->out);
    if (c->segment)
        emit_text(t->out, c->segment);
    else
        fputs("NULL", t->out);
    if (children >= 0)
        fprintf(t->out, ", nodes_%d", children);
    else
        fputs(", NULL", t->out);
    if (c->n_operations)
        fprintf(t->out, ", ends_%d},\n", c->ends);
    else
        fputs(", NULL},\n", t->out);
}

/* Children first, since C wants it so. Literal ones stand before a {name}. Returns the number of
 * the table with a node's children, -1: it has none. */
static int put_children(tables *t, const node *of)
{
    int below[MAX_CHILDREN], n = 0;
    for (node *c = of->child; c; c = c->next) {
        if (n == MAX_CHILDREN)
            die("too many paths begin alike");
        below[n++] = put_children(t, c);
        if (c->n_operations)
            put_ends(t, c);
    }
    if (!n)
        return -1;
    fprintf(t->out, "static const route_node nodes_%d[] = {\n", t->nodes);
    for (int any = 0; any < 2; any++) {
        n = 0;
        for (const node *c = of->child; c; c = c->next, n++) {
            if ((c->segment == NULL) == any)
                put_node(t, c, below[n]);
        }
    }
    fputs("    {0}};\n", t->out);
    return t->nodes++;
}

/* ---- operations -------------------------------------------------------------------------------
 */

static bool has_flag(const json_t *operation, const char *name)
{
    return json_is_true(json_object_get(json_object_get(operation, "x-rustydb"), name));
}

/* "user.create" is AUDIT_USER_CREATE. */
static void put_audit(tables *t, const char *action)
{
    if (*action)
        fputs(", .audit = 1 + AUDIT_", t->out);
    for (; *action; action++)
        fputc(*action == '.' ? '_' : toupper((unsigned char)*action), t->out);
}

static void put_flags(tables *t, const json_t *operation, bool free_form)
{
    const json_t *security = json_object_get(operation, "security");
    fputs(".flags = 0", t->out);
    if (security && json_array_size(security) == 0)
        fputs(" | ROUTE_OPEN", t->out);
    if (has_flag(operation, "stream"))
        fputs(" | ROUTE_STREAM", t->out);
    if (has_flag(operation, "starting"))
        fputs(" | ROUTE_STARTING", t->out);
    if (has_flag(operation, "agent"))
        fputs(" | ROUTE_AGENT", t->out);
    if (free_form)
        fputs(" | ROUTE_FREE_QUERY", t->out);
    const char *right = text_of(operation, "x-rustydb-right");
    if (*right)
        fprintf(t->out, ", .right = 1u << SCOPE_BIT_%s", right);
    put_audit(t, text_of(operation, "x-rustydb-audit"));
    fputs("},\n", t->out);
}

static void put_operation(tables *t, const char *path, const char *method, json_t *item,
                          json_t *operation)
{
    char where[200], name[120], *row = NULL;
    size_t len, i;
    json_t *all = all_parameters(t->schemas.root, item, operation), *p;
    bool free_form = false, raw = has_flag(operation, "raw-body") || has_flag(operation, "stream");
    FILE *out = t->out;
    snprintf(where, sizeof where, "%s %.100s", method, path);
    if (!*text_of(operation, "operationId"))
        die("%s has no operationId", where);
    json_array_foreach(all, i, p)
    {
        if (json_is_null(p) || !*text_of(p, "in"))
            die("%s: a parameter is not described", where);
    }
    const char *shared = text_of(json_object_get(operation, "x-rustydb"), "handler");
    handler_name(*shared ? shared : text_of(operation, "operationId"), name, sizeof name);
    fprintf(t->handlers, "void api_%s(request *q);\n", name);
    t->out = open_memstream(&row, &len);
    fprintf(t->out, "    {.method = HTTP_");
    for (const char *m = method; *m; m++)
        fputc(toupper((unsigned char)*m), t->out);
    fputs(", .path = ", t->out);
    emit_text(t->out, path);
    fprintf(t->out, ", .handle = api_%s, ", name);
    int n = put_parameters(t, all, "path", path, where, &free_form);
    if (n)
        fprintf(t->out, ".path_parameters = path_%d, .n_path = %d, ", t->n, n);
    n = put_parameters(t, all, "query", path, where, &free_form);
    if (n)
        fprintf(t->out, ".query_parameters = query_%d, .n_query = %d, ", t->n, n);
    put_body(t, operation, where, raw);
    put_flags(t, operation, free_form);
    fclose(t->out);
    t->out = out;
    fputs(row, t->out);
    free(row);
    plant(t, path, t->n);
    if (++t->n == MAX_OPERATIONS)
        die("more than %d operations", MAX_OPERATIONS);
    json_decref(all);
}

static void put_routes(tables *t)
{
    const char *path;
    json_t *item;
    fputs("static const route routes[] = {\n", t->out);
    json_object_foreach(json_object_get(t->schemas.root, "paths"), path, item)
    {
        for (int i = 0; methods[i]; i++) {
            json_t *operation = json_object_get(item, methods[i]);
            if (operation)
                put_operation(t, path, methods[i], item, operation);
        }
    }
    fputs("};\n", t->out);
}

void emit_tables(json_t *root, FILE *to, FILE *handlers)
{
    char *text[3] = {0};
    size_t len[3];
    tables t = {.schemas = {.root = root, .made = json_object()}, .handlers = handlers};
    t.schemas.declared = open_memstream(&text[0], &len[0]);
    t.schemas.defined = open_memstream(&text[1], &len[1]);
    t.out = open_memstream(&text[2], &len[2]);
    put_routes(&t);
    int top = put_children(&t, &t.top);
    if (top < 0)
        die("no operation is described");
    fprintf(t.out, "#define ROUTE_TOP nodes_%d\n", top);
    fclose(t.schemas.declared);
    fclose(t.schemas.defined);
    fclose(t.out);
    for (int i = 0; i < 3; i++) {
        fputs(text[i], to);
        free(text[i]);
    }
    json_decref(t.schemas.made);
}
