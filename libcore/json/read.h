/* Strict reading of JSON: parse a text into a jansson tree, take an object apart by a table of
 * fields. What is misspelt, missing, of a wrong type or given twice is an error that names the
 * field and says what was expected.
 *
 *     const char *sql;
 *     json_t *params = NULL;
 *     int64_t timeout_ms = 0;
 *     const json_field fields[] = {
 *         {"sql", FIELD_STR, true, &sql},
 *         {"params", FIELD_ANY, false, &params},
 *         {"timeout_ms", FIELD_INT, false, &timeout_ms, 1, 86400000},
 *     };
 *     if (!json_read_object(root, fields, JSON_FIELDS(fields), e)) ...
 *
 * All functions work on any thread, on a tree that one thread owns. */
#ifndef JSON_READ_H
#define JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "base/error.h"

enum {
    JSON_MAX_DEPTH = 100,     /* arrays and objects inside one another */
    JSON_MAX_VALUES = 250000, /* in all: a tree takes up to 200 bytes for each */
};

typedef enum field_type {
    FIELD_STR,    /* const char *: text without NUL bytes */
    FIELD_INT,    /* int64_t, within min and max unless both are 0 */
    FIELD_BOOL,   /* bool */
    FIELD_OBJECT, /* json_t * */
    FIELD_ARRAY,  /* json_t * */
    FIELD_ANY,    /* json_t *: any value, null too */
} field_type;

typedef struct json_field {
    const char *name;
    field_type type;
    bool required;
    void *to;         /* where the value goes; left alone when the field is absent */
    int64_t min, max; /* FIELD_INT */
} json_field;

#define JSON_FIELDS(table) (int)(sizeof(table) / sizeof *(table))

/* Parses one complete JSON value. NULL and INVALID_MESSAGE with the line, the column and, in
 * e->position, the byte offset when it is malformed, not UTF-8, nested deeper than JSON_MAX_DEPTH,
 * names a member twice, or holds an integer beyond 64 bits; MESSAGE_TOO_BIG when it has more than
 * JSON_MAX_VALUES. The caller frees with json_decref. */
json_t *json_read_text(const char *p, size_t n, error *e);

/* Takes the fields of `root`. Values are borrowed from the tree. An optional field that is null is
 * as good as absent, except FIELD_ANY. False and INVALID_MESSAGE when root is not an object, or a
 * field is unknown, missing, or wrong. */
bool json_read_object(json_t *root, const json_field *fields, int n, error *e);

/* The same for an object inside another: `where` ("payload", "statements[2]") goes before the names
 * in messages. */
bool json_read_object_at(json_t *root, const char *where, const json_field *fields, int n,
                         error *e);

/* What a value is, for messages: "an object", "a string", "null". */
const char *json_kind(const json_t *j);

#endif
