#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "openapi/gen/emit.h"
#include "openapi/gen/tree.h"

static const struct {
    const char *name, *bit, *expected;
} types[] = {
    {"string", "SCHEMA_STRING", "a string"},  {"integer", "SCHEMA_INTEGER", "an integer"},
    {"number", "SCHEMA_NUMBER", "a number"},  {"boolean", "SCHEMA_BOOLEAN", "true or false"},
    {"object", "SCHEMA_OBJECT", "an object"}, {"array", "SCHEMA_ARRAY", "an array"},
    {"null", "SCHEMA_NULL", "null"},
};

enum { N_TYPES = sizeof types / sizeof *types, TYPE_OBJECT = 4 };

/* What is checked, and what only explains. */
static const char *const known[] = {"type",
                                    "enum",
                                    "const",
                                    "minimum",
                                    "maximum",
                                    "minLength",
                                    "maxLength",
                                    "pattern",
                                    "items",
                                    "minItems",
                                    "maxItems",
                                    "properties",
                                    "required",
                                    "anyOf",
                                    "oneOf",
                                    "$ref",
                                    "additionalProperties",
                                    "description",
                                    "title",
                                    "examples",
                                    "default",
                                    "format",
                                    "deprecated",
                                    "contentEncoding",
                                    "contentMediaType",
                                    NULL};

void emit_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(to, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", to);
        else
            fputc(*text, to);
    }
    fputc('"', to);
}

static void check_keywords(const json_t *schema, const char *where)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)schema, key, value)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k && strncmp(key, "x-", 2) != 0)
            die("%s: requests are not checked against \"%s\"", where, key);
    }
}

/* Bits of the types that a schema names itself. */
static unsigned types_of(const json_t *schema, const char *where)
{
    const json_t *t = json_object_get(schema, "type");
    unsigned bits = 0;
    for (size_t n = 0; n < (json_is_array(t) ? json_array_size(t) : t != NULL); n++) {
        const char *name = json_string_value(json_is_array(t) ? json_array_get(t, n) : t);
        unsigned i = 0;
        while (i < N_TYPES && (!name || strcmp(types[i].name, name) != 0))
            i++;
        if (i == N_TYPES)
            die("%s: there is no type %s", where, name ? name : "that is no text");
        bits |= 1u << i;
    }
    return bits;
}

static json_t *alternatives(const json_t *schema)
{
    json_t *any = json_object_get(schema, "anyOf");
    return any ? any : json_object_get(schema, "oneOf");
}

/* The types that a value may have, through references and alternatives; 0: any. */
static unsigned possible(json_t *root, json_t *schema, const char *where)
{
    schema = tree_resolve(root, schema);
    unsigned bits = types_of(schema, where);
    size_t i;
    json_t *one;
    if (bits)
        return bits;
    json_array_foreach(alternatives(schema), i, one)
    {
        unsigned of = possible(root, one, where);
        if (!of)
            return 0;
        bits |= of;
    }
    return bits;
}

static void put_expected(FILE *to, unsigned bits)
{
    bool more = false;
    if (!bits)
        fputs("any value", to);
    for (unsigned i = 0; i < N_TYPES; i++) {
        if (!(bits & 1u << i))
            continue;
        fprintf(to, "%s%s", more ? " or " : "", types[i].expected);
        more = true;
    }
}

static void put_types(FILE *to, unsigned bits)
{
    bool more = false;
    for (unsigned i = 0; i < N_TYPES; i++) {
        if (!(bits & 1u << i))
            continue;
        fprintf(to, "%s%s", more ? " | " : "", types[i].bit);
        more = true;
    }
    if (!bits)
        fputs("0", to);
}

static long long size_in(const json_t *schema, const char *a, const char *b, long long fallback)
{
    const json_t *v = json_object_get(schema, a);
    if (!v)
        v = json_object_get(schema, b);
    return v ? json_integer_value(v) : fallback;
}

static void put_range(FILE *to, const json_t *schema, const char *where)
{
    static const char *const words[][2] = {{"minimum", "min"}, {"maximum", "max"}};
    for (int i = 0; i < 2; i++) {
        const json_t *v = json_object_get(schema, words[i][0]);
        if (!v)
            continue;
        if (!json_is_integer(v))
            die("%s: %s must be a whole number", where, words[i][0]);
        fprintf(to, ".has_%s = true, .%s = %lldLL, ", words[i][1], words[i][1],
                (long long)json_integer_value(v));
    }
}

static void put_values(schema_out *o, FILE *to, const json_t *schema, int number)
{
    json_t *values = json_object_get(schema, "enum"), *one,
           *only = json_object_get(schema, "const");
    size_t i;
    if (json_is_string(only)) {
        fprintf(o->defined, "static const char *const v%d[] = {", number);
        emit_text(o->defined, json_string_value(only));
        fputs(", NULL};\n", o->defined);
    } else if (values) {
        fprintf(o->defined, "static const char *const v%d[] = {", number);
        json_array_foreach(values, i, one)
        {
            if (!json_is_string(one))
                continue; /* null, which the type allows */
            emit_text(o->defined, json_string_value(one));
            fputs(", ", o->defined);
        }
        fputs("NULL};\n", o->defined);
    } else {
        return;
    }
    fprintf(to, ".values = v%d, ", number);
}

static bool is_required(const json_t *schema, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(schema, "required"), i, one)
    {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static void put_members(schema_out *o, FILE *to, const json_t *schema, int number,
                        const char *where)
{
    json_t *members = json_object_get(schema, "properties"), *one;
    json_t *rest = json_object_get(schema, "additionalProperties");
    const char *name;
    char *text = NULL, below[200], made[SCHEMA_NAME_ROOM];
    size_t len;
    FILE *list = open_memstream(&text, &len);
    json_object_foreach(members, name, one)
    {
        snprintf(below, sizeof below, "%.120s.%s", where, name);
        emit_schema(o, one, below, made);
        fputs("{", list);
        emit_text(list, name);
        fprintf(list, ", &%s, %s}, ", made, is_required(schema, name) ? "true" : "false");
    }
    fclose(list);
    if (json_object_size(members)) {
        fprintf(o->defined, "static const schema_member m%d[] = {%s};\n", number, text);
        fprintf(to, ".members = m%d, .n_members = %zu, ", number, json_object_size(members));
    }
    free(text);
    if (json_is_object(rest)) {
        emit_schema(o, rest, where, made);
        fprintf(to, ".rest = &%s, ", made);
    } else if (!rest) {
        die("%s: an object in a request says whether it has additionalProperties", where);
    } else if (json_is_false(rest)) {
        fputs(".closed = true, ", to);
    }
}

static void put_alternatives(schema_out *o, FILE *to, json_t *any, int number, const char *where)
{
    char *text = NULL, made[SCHEMA_NAME_ROOM];
    size_t len, i;
    json_t *one;
    FILE *list = open_memstream(&text, &len);
    json_array_foreach(any, i, one)
    {
        emit_schema(o, one, where, made);
        fprintf(list, "&%s, ", made);
    }
    fclose(list);
    fprintf(o->defined, "static const schema *const a%d[] = {%sNULL};\n", number, text);
    fprintf(to, ".any_of = a%d, ", number);
    free(text);
}

static void define(schema_out *o, json_t *schema, const char *where, const char *name)
{
    char *text = NULL, made[SCHEMA_NAME_ROOM];
    size_t len;
    int number = o->n++;
    unsigned bits = types_of(schema, where);
    FILE *to = open_memstream(&text, &len);
    check_keywords(schema, where);
    fputs(".types = ", to);
    put_types(to, bits);
    fputs(", .expected = \"", to);
    put_expected(to, possible(o->root, schema, where));
    fputs("\", ", to);
    put_range(to, schema, where);
    fprintf(to, ".min_size = %lld, .max_size = %lld, ", size_in(schema, "minLength", "minItems", 0),
            size_in(schema, "maxLength", "maxItems", -1));
    if (json_object_get(schema, "pattern")) {
        fputs(".pattern = ", to);
        emit_text(to, json_string_value(json_object_get(schema, "pattern")));
        fputs(", ", to);
    }
    put_values(o, to, schema, number);
    if (json_object_get(schema, "items")) {
        emit_schema(o, json_object_get(schema, "items"), where, made);
        fprintf(to, ".items = &%s, ", made);
    }
    if (bits & 1u << TYPE_OBJECT)
        put_members(o, to, schema, number, where);
    if (alternatives(schema))
        put_alternatives(o, to, alternatives(schema), number, where);
    fclose(to);
    fprintf(o->defined, "static const schema %s = {%s};\n", name, text);
    free(text);
}

void emit_schema(schema_out *o, json_t *schema, const char *where, char name[SCHEMA_NAME_ROOM])
{
    const char *ref = tree_ref(schema);
    if (!ref) {
        snprintf(name, SCHEMA_NAME_ROOM, "schema_%d", o->n);
        define(o, schema, where, name);
        return;
    }
    const char *last = strrchr(ref, '/') + 1;
    snprintf(name, SCHEMA_NAME_ROOM, "schema_%.80s", last);
    if (json_object_get(o->made, last))
        return;
    json_object_set_new(o->made, last, json_true());
    fprintf(o->declared, "static const schema %s;\n", name);
    define(o, tree_resolve(o->root, schema), last, name);
}
