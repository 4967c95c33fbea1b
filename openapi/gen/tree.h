/* The specification as a tree: YAML files are read into jansson values, merged, and looked around
 * in. Part of specgen, which runs while the project is built: whatever is wrong ends it with a
 * message that names the file and the place. */
#ifndef OPENAPI_GEN_TREE_H
#define OPENAPI_GEN_TREE_H

#include <jansson.h>

/* Ends the program. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* One document of YAML 1.2 as far as JSON has it: no anchors, no tags. The caller's to decref. */
json_t *tree_read(const char *path);
/* Adds the paths and components of a fragment to the whole; what is there already is an error. */
void tree_merge(json_t *whole, const json_t *fragment, const char *path);
/* What a {"$ref": "#/..."} points at, or the value itself. Borrowed. */
json_t *tree_resolve(json_t *root, json_t *value);
/* The same, text, with its name last ("Row" of "#/components/schemas/Row"); NULL: it is no $ref. */
const char *tree_ref(const json_t *value);

/* Writes it as YAML in block style. */
void tree_write_yaml(const json_t *value, const char *path);

#endif
