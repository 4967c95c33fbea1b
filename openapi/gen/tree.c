#include "openapi/gen/tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("specgen: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* The core schema of YAML 1.2: what an unquoted text stands for. */
static json_t *plain(const char *text)
{
    char *end;
    if (!*text || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return json_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    if (!*end && errno == 0)
        return json_integer(whole);
    if (strspn(text, "0123456789.-+eE") == strlen(text)) {
        double real = strtod(text, &end);
        if (!*end)
            return json_real(real);
    }
    return json_string(text);
}

static json_t *convert(yaml_document_t *d, int index, const char *path)
{
    yaml_node_t *n = yaml_document_get_node(d, index);
    json_t *to = NULL;
    switch (n->type) {
    case YAML_SCALAR_NODE: {
        const char *text = (const char *)n->data.scalar.value;
        to = n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain(text) : json_string(text);
        if (!to)
            die("%s:%zu: not UTF-8", path, n->start_mark.line + 1);
        return to;
    }
    case YAML_SEQUENCE_NODE:
        to = json_array();
        for (yaml_node_item_t *it = n->data.sequence.items.start; it < n->data.sequence.items.top;
             it++)
            json_array_append_new(to, convert(d, *it, path));
        return to;
    case YAML_MAPPING_NODE:
        to = json_object();
        for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
             p++) {
            yaml_node_t *key = yaml_document_get_node(d, p->key);
            if (key->type != YAML_SCALAR_NODE)
                die("%s:%zu: a key is not a text", path, key->start_mark.line + 1);
            const char *name = (const char *)key->data.scalar.value;
            if (json_object_get(to, name))
                die("%s:%zu: \"%s\" is there twice", path, key->start_mark.line + 1, name);
            json_object_set_new(to, name, convert(d, p->value, path));
        }
        return to;
    default:
        die("%s: an empty node", path);
    }
}

json_t *tree_read(const char *path)
{
    yaml_parser_t parser;
    yaml_document_t d;
    FILE *f = fopen(path, "r");
    if (!f)
        die("cannot read %s: %s", path, strerror(errno));
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, f);
    if (!yaml_parser_load(&parser, &d))
        die("%s:%zu: %s", path, parser.problem_mark.line + 1, parser.problem);
    if (!yaml_document_get_root_node(&d))
        die("%s is empty", path);
    json_t *tree = convert(&d, 1, path);
    yaml_document_delete(&d);
    yaml_parser_delete(&parser);
    fclose(f);
    return tree;
}

/* ---- merging ----------------------------------------------------------------------------------
 */

static void add_all(json_t *to, const json_t *from, const char *what, const char *path)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        if (json_object_get(to, key))
            die("%s: %s %s is described elsewhere, too", path, what, key);
        json_object_set(to, key, value);
    }
}

static json_t *object_in(json_t *in, const char *key)
{
    json_t *there = json_object_get(in, key);
    if (!there) {
        there = json_object();
        json_object_set_new(in, key, there);
    }
    return there;
}

void tree_merge(json_t *whole, const json_t *fragment, const char *path)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)fragment, key, value)
    {
        if (strcmp(key, "paths") != 0 && strcmp(key, "components") != 0)
            die("%s: \"%s\" has no place in a part of the specification", path, key);
    }
    json_object_foreach(json_object_get(fragment, "paths"), key, value)
        add_all(object_in(object_in(whole, "paths"), key), value, key, path);
    json_object_foreach(json_object_get(fragment, "components"), key, value)
        add_all(object_in(object_in(whole, "components"), key), value, key, path);
}

/* ---- looking around ---------------------------------------------------------------------------
 */

const char *tree_ref(const json_t *value)
{
    return json_string_value(json_object_get(value, "$ref"));
}

json_t *tree_resolve(json_t *root, json_t *value)
{
    const char *ref = tree_ref(value);
    if (!ref)
        return value;
    if (strncmp(ref, "#/", 2) != 0)
        die("$ref %s points outside the document", ref);
    char copy[300];
    snprintf(copy, sizeof copy, "%s", ref + 2);
    json_t *at = root;
    char *rest = copy;
    for (char *part; at && (part = strsep(&rest, "/")) != NULL;)
        at = json_object_get(at, part);
    if (!at)
        die("$ref %s points at nothing", ref);
    return tree_resolve(root, at);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static int add_node(yaml_document_t *d, const json_t *v);

static int add_scalar(yaml_document_t *d, const char *text, bool quoted)
{
    yaml_scalar_style_t style = !quoted              ? YAML_PLAIN_SCALAR_STYLE
                                : strchr(text, '\n') ? YAML_LITERAL_SCALAR_STYLE
                                                     : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return yaml_document_add_scalar(d, NULL, (const yaml_char_t *)text, -1, style);
}

static bool is_word(const char *text)
{
    json_t *as = plain(text);
    bool word = json_is_string(as) && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
                                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] == '\0';
    json_decref(as);
    return word;
}

static int add_object(yaml_document_t *d, const json_t *v)
{
    const char *key;
    json_t *item;
    int to = yaml_document_add_mapping(
        d, NULL, json_object_size(v) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE);
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        int name = add_scalar(d, key, !is_word(key));
        yaml_document_append_mapping_pair(d, to, name, add_node(d, item));
    }
    return to;
}

static int add_array(yaml_document_t *d, const json_t *v)
{
    size_t i;
    json_t *item;
    int to = yaml_document_add_sequence(
        d, NULL, json_array_size(v) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE);
    json_array_foreach(v, i, item) yaml_document_append_sequence_item(d, to, add_node(d, item));
    return to;
}

static int add_node(yaml_document_t *d, const json_t *v)
{
    if (json_is_object(v))
        return add_object(d, v);
    if (json_is_array(v))
        return add_array(d, v);
    if (json_is_string(v))
        return add_scalar(d, json_string_value(v), !is_word(json_string_value(v)));
    char *text = json_dumps(v, JSON_ENCODE_ANY);
    int to = add_scalar(d, text, false);
    free(text);
    return to;
}

void tree_write_yaml(const json_t *value, const char *path)
{
    yaml_document_t d;
    yaml_emitter_t emitter;
    FILE *f = fopen(path, "w");
    if (!f)
        die("cannot write %s: %s", path, strerror(errno));
    yaml_document_initialize(&d, NULL, NULL, NULL, 1, 1);
    add_node(&d, value);
    yaml_emitter_initialize(&emitter);
    yaml_emitter_set_output_file(&emitter, f);
    yaml_emitter_set_width(&emitter, 100);
    yaml_emitter_set_unicode(&emitter, 1);
    if (!yaml_emitter_dump(&emitter, &d) || !yaml_emitter_flush(&emitter))
        die("cannot write %s", path);
    yaml_emitter_delete(&emitter);
    if (fclose(f) != 0)
        die("cannot write %s: %s", path, strerror(errno));
}
