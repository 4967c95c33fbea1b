/* Checking JSON values, and text that stands for them, against schemas (JSON Schema 2020-12, as far
 * as the specification of the REST interface uses it: openapi/README.md says which keywords).
 *
 * Schemas are constant tables, made from the specification when the project is built
 * (openapi/gen). All functions work on any thread. */
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    SCHEMA_NULL = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_INTEGER = 4,
    SCHEMA_NUMBER = 8, /* an integer is one, too */
    SCHEMA_STRING = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64,
};

struct schema;

typedef struct schema_member {
    const char *name;
    const struct schema *schema;
    bool required;
} schema_member;

typedef struct schema {
    unsigned types;       /* SCHEMA_*; 0: any */
    const char *expected; /* "an integer", for messages */
    bool has_min, has_max;
    int64_t min, max;             /* of a number */
    int64_t min_size, max_size;   /* of a string in characters, of an array in items; max -1: any */
    const char *pattern;          /* POSIX extended regular expression; NULL: any */
    const char *const *values;    /* texts that a string may be, ended by NULL; NULL: any */
    const struct schema *items;   /* of an array; NULL: anything */
    const schema_member *members; /* of an object */
    size_t n_members;
    bool closed;               /* an object has no other members */
    const struct schema *rest; /* of other members; NULL: anything */
    const struct schema *const
        *any_of; /* one of them must fit, ended by NULL; NULL: none is asked */
} schema;

/* Whether a value fits. False and INVALID_MESSAGE: which part, what it should be, what it is.
 * `where` names the value in messages; NULL: it is a whole body. */
bool schema_check(const schema *s, const json_t *value, const char *where, error *e);

/* The same for a parameter's text (UTF-8): "true" for a boolean, digits for an integer, items
 * joined by commas for an array. `name` is the parameter's. */
bool schema_check_text(const schema *s, const char *text, const char *name, error *e);

/* A whole number in decimal, and nothing else; false when it is none or does not fit 64 bits. */
bool schema_parse_int(const char *text, int64_t *out);

#endif
