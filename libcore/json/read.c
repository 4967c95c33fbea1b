#include "json/read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- text to tree -----------------------------------------------------------------------------
 */

/* What a tree of this text would cost, told before there is one: false, with e->position, when it
 * goes deeper than JSON_MAX_DEPTH or has more than JSON_MAX_VALUES. Text that is not JSON may be
 * judged wrongly here, which the parser then finds. */
static bool affordable(const char *p, size_t n, error *e)
{
    int depth = 0;
    size_t values = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{' || c == ',') {
            values++;
            depth += c != ',';
            if (values <= JSON_MAX_VALUES && depth <= JSON_MAX_DEPTH)
                continue;
            if (depth > JSON_MAX_DEPTH)
                error_set(e, ERR_INVALID_MESSAGE, "the JSON is nested deeper than %d levels",
                          JSON_MAX_DEPTH);
            else
                error_set(e, ERR_MESSAGE_TOO_BIG, "the JSON has more than %d values",
                          JSON_MAX_VALUES);
            e->position = (int64_t)i;
            return false;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return true;
}

static void malformed(const json_error_t *why, error *e)
{
    switch (json_error_code(why)) {
    case json_error_out_of_memory:
        error_set(e, ERR_INTERNAL_ERROR, "out of memory while reading JSON");
        return;
    case json_error_numeric_overflow:
        error_set(e, ERR_INVALID_MESSAGE,
                  "a number at line %d, column %d is too large: integers have 64 bits, reals go up "
                  "to 1.8e308",
                  why->line, why->column);
        error_hint(e, "send larger numbers as text");
        break;
    case json_error_invalid_utf8:
        error_set(e, ERR_INVALID_MESSAGE, "the JSON is not valid UTF-8 at line %d, column %d",
                  why->line, why->column);
        break;
    default:
        error_set(e, ERR_INVALID_MESSAGE, "malformed JSON at line %d, column %d: %s", why->line,
                  why->column, why->text);
    }
    e->position = why->position;
}

json_t *json_read_text(const char *p, size_t n, error *e)
{
    error unwanted;
    if (!e)
        e = &unwanted;
    if (!affordable(p, n, e))
        return NULL;
    /* jansson passes over a NUL behind a number. */
    const char *nul = n ? memchr(p, '\0', n) : NULL;
    if (nul) {
        error_set(e, ERR_INVALID_MESSAGE, "malformed JSON: a NUL byte at offset %td", nul - p);
        e->position = nul - p;
        return NULL;
    }
    json_error_t why;
    json_t *root =
        json_loadb(p ? p : "", n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
    if (!root)
        malformed(&why, e);
    return root;
}

/* ---- fields -----------------------------------------------------------------------------------
 */

const char *json_kind(const json_t *j)
{
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    }
    return "something else";
}

static const char *wanted(field_type t)
{
    static const char *const names[] = {
        [FIELD_STR] = "a string",     [FIELD_INT] = "an integer", [FIELD_BOOL] = "true or false",
        [FIELD_OBJECT] = "an object", [FIELD_ARRAY] = "an array", [FIELD_ANY] = "any value",
    };
    return names[t];
}

/* "payload.sql", or "sql" at the top. */
typedef struct place {
    const char *where, *dot, *name;
} place;

#define PLACE_FMT      "\"%s%s%.60s\""
#define PLACE_ARGS(at) (at).where, (at).dot, (at).name

static place place_of(const char *where, const char *name)
{
    return (place){where ? where : "", where ? "." : "", name};
}

static bool take_string(const json_field *f, json_t *j, place at, error *e)
{
    const char *s = json_string_value(j);
    if (memchr(s, '\0', json_string_length(j)))
        return error_set(e, ERR_INVALID_MESSAGE, PLACE_FMT " may not hold a NUL character",
                         PLACE_ARGS(at));
    *(const char **)f->to = s;
    return true;
}

static bool take_int(const json_field *f, json_t *j, place at, error *e)
{
    int64_t v = json_integer_value(j);
    if ((f->min || f->max) && (v < f->min || v > f->max))
        return error_set(e, ERR_INVALID_MESSAGE,
                         PLACE_FMT " must be from %" PRId64 " to %" PRId64 ", not %" PRId64,
                         PLACE_ARGS(at), f->min, f->max, v);
    *(int64_t *)f->to = v;
    return true;
}

static bool has_type(field_type t, const json_t *j)
{
    switch (t) {
    case FIELD_STR:
        return json_is_string(j);
    case FIELD_INT:
        return json_is_integer(j);
    case FIELD_BOOL:
        return json_is_boolean(j);
    case FIELD_OBJECT:
        return json_is_object(j);
    case FIELD_ARRAY:
        return json_is_array(j);
    case FIELD_ANY:
        return true;
    }
    return false;
}

static bool take(const json_field *f, json_t *j, const char *where, error *e)
{
    place at = place_of(where, f->name);
    if (json_is_null(j) && !f->required && f->type != FIELD_ANY)
        return true;
    if (!has_type(f->type, j))
        return error_set(e, ERR_INVALID_MESSAGE, PLACE_FMT " must be %s, not %s", PLACE_ARGS(at),
                         wanted(f->type), json_kind(j));
    switch (f->type) {
    case FIELD_STR:
        return take_string(f, j, at, e);
    case FIELD_INT:
        return take_int(f, j, at, e);
    case FIELD_BOOL:
        *(bool *)f->to = json_is_true(j);
        return true;
    case FIELD_OBJECT:
    case FIELD_ARRAY:
    case FIELD_ANY:
        *(json_t **)f->to = j;
        return true;
    }
    return true;
}

static bool unknown_field(const char *where, const char *name, const json_field *fields, int n,
                          error *e)
{
    error_set(e, ERR_INVALID_MESSAGE, "there is no field " PLACE_FMT,
              PLACE_ARGS(place_of(where, name)));
    char known[sizeof e->hint];
    size_t used = 0;
    known[0] = '\0';
    for (int i = 0; i < n && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 fields[i].name);
    return n ? error_hint(e, "known: %s", known) : error_hint(e, "no fields are known here");
}

bool json_read_object_at(json_t *root, const char *where, const json_field *fields, int n, error *e)
{
    if (!json_is_object(root)) {
        const char *kind = root ? json_kind(root) : "nothing";
        return where
                   ? error_set(e, ERR_INVALID_MESSAGE, "\"%s\" must be an object, not %s", where,
                               kind)
                   : error_set(e, ERR_INVALID_MESSAGE, "this must be a JSON object, not %s", kind);
    }
    size_t known = 0;
    for (int i = 0; i < n; i++) {
        json_t *j = json_object_get(root, fields[i].name);
        if (!j && fields[i].required)
            return error_set(e, ERR_INVALID_MESSAGE, "the field " PLACE_FMT " (%s) is missing",
                             PLACE_ARGS(place_of(where, fields[i].name)), wanted(fields[i].type));
        if (j && !take(&fields[i], j, where, e))
            return false;
        known += j != NULL;
    }
    if (known == json_object_size(root))
        return true;
    const char *name;
    json_t *j;
    json_object_foreach(root, name, j)
    {
        bool found = false;
        for (int i = 0; i < n && !found; i++)
            found = strcmp(fields[i].name, name) == 0;
        if (!found)
            return unknown_field(where, name, fields, n, e);
    }
    return true;
}

bool json_read_object(json_t *root, const json_field *fields, int n, error *e)
{
    return json_read_object_at(root, NULL, fields, n, e);
}
