#include "json/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "json/read.h"

/* Where in a body a value is: a member or an item of what `in` says. */
typedef struct place {
    const struct place *in;
    const char *name; /* NULL: an item */
    size_t index;
} place;

enum { PLACE_ROOM = 200 };

static size_t put_place(const place *at, char *out, size_t room)
{
    size_t n = at->in ? put_place(at->in, out, room) : 0;
    if (n >= room)
        return n;
    int more = at->name ? snprintf(out + n, room - n, "%s%.60s", n ? "." : "", at->name)
                        : snprintf(out + n, room - n, "[%zu]", at->index);
    return n + (size_t)more;
}

static const char *name_of(const place *at, char out[PLACE_ROOM])
{
    out[0] = '\0';
    if (at)
        put_place(at, out, PLACE_ROOM);
    return out;
}

/* ---- texts ------------------------------------------------------------------------------------
 */

/* Compiled each time: patterns stand at few, short values, and a table of compiled ones would need
 * a lock or an order of starting. */
static bool fits_pattern(const char *pattern, const char *text)
{
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool fits = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return fits;
}

static bool is_among(const char *const *values, const char *text)
{
    while (*values && strcmp(*values, text) != 0)
        values++;
    return *values != NULL;
}

static void list_values(const char *const *values, error *e)
{
    char known[sizeof e->hint];
    size_t used = 0;
    known[0] = '\0';
    for (; *values && used < sizeof known; values++)
        used +=
            (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", *values);
    error_hint(e, "known: %s", known);
}

static int64_t characters(const char *text)
{
    int64_t n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

static bool wrong_size(const schema *s, int64_t n, const char *name, const char *unit, error *e)
{
    if (s->max_size < 0)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "\"%s\" has %" PRId64 " %s; at least %" PRId64 " are wanted", name, n,
                         unit, s->min_size);
    return error_set(e, ERR_INVALID_MESSAGE,
                     "\"%s\" has %" PRId64 " %s; %" PRId64 " to %" PRId64 " are allowed", name, n,
                     unit, s->min_size, s->max_size);
}

static bool is_size(const schema *s, int64_t n)
{
    return n >= s->min_size && (s->max_size < 0 || n <= s->max_size);
}

static bool check_string(const schema *s, const char *text, const char *name, error *e)
{
    if (s->values && !is_among(s->values, text)) {
        error_set(e, ERR_INVALID_MESSAGE, "\"%s\" may not be '%.60s'", name, text);
        list_values(s->values, e);
        return false;
    }
    if ((s->min_size > 0 || s->max_size >= 0) && !is_size(s, characters(text)))
        return wrong_size(s, characters(text), name, "characters", e);
    if (!s->pattern || fits_pattern(s->pattern, text))
        return true;
    error_set(e, ERR_INVALID_MESSAGE, "\"%s\" may not be '%.60s'", name, text);
    return error_hint(e, "It must fit the pattern %s", s->pattern);
}

static bool check_int(const schema *s, int64_t v, const char *name, error *e)
{
    if ((!s->has_min || v >= s->min) && (!s->has_max || v <= s->max))
        return true;
    if (!s->has_max)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "\"%s\" must be at least %" PRId64 ", not %" PRId64, name, s->min, v);
    if (!s->has_min)
        return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" must be at most %" PRId64 ", not %" PRId64,
                         name, s->max, v);
    return error_set(e, ERR_INVALID_MESSAGE,
                     "\"%s\" must be from %" PRId64 " to %" PRId64 ", not %" PRId64, name, s->min,
                     s->max, v);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static bool check(const schema *s, const json_t *v, const place *at, error *e);

static unsigned type_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return SCHEMA_OBJECT;
    case JSON_ARRAY:
        return SCHEMA_ARRAY;
    case JSON_STRING:
        return SCHEMA_STRING;
    case JSON_INTEGER:
        return SCHEMA_INTEGER | SCHEMA_NUMBER;
    case JSON_REAL:
        return SCHEMA_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return SCHEMA_BOOLEAN;
    case JSON_NULL:
        return SCHEMA_NULL;
    }
    return 0;
}

static bool wrong_type(const schema *s, const json_t *v, const place *at, error *e)
{
    char name[PLACE_ROOM];
    if (at)
        return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" must be %s, not %s", name_of(at, name),
                         s->expected, json_kind(v));
    return error_set(e, ERR_INVALID_MESSAGE, "this must be %s, not %s",
                     s->types == SCHEMA_OBJECT ? "a JSON object" : s->expected, json_kind(v));
}

static const schema_member *member(const schema *s, const char *name)
{
    for (size_t i = 0; i < s->n_members; i++) {
        if (strcmp(s->members[i].name, name) == 0)
            return &s->members[i];
    }
    return NULL;
}

static bool unknown_member(const schema *s, const place *at, error *e)
{
    char name[PLACE_ROOM], known[sizeof e->hint];
    size_t used = 0;
    error_set(e, ERR_INVALID_MESSAGE, "there is no field \"%s\"", name_of(at, name));
    known[0] = '\0';
    for (size_t i = 0; i < s->n_members && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 s->members[i].name);
    return s->n_members ? error_hint(e, "known: %s", known)
                        : error_hint(e, "no fields are known here");
}

static bool check_object(const schema *s, const json_t *v, const place *at, error *e)
{
    char name[PLACE_ROOM];
    const char *key;
    json_t *item;
    for (size_t i = 0; i < s->n_members; i++) {
        if (!s->members[i].required || json_object_get(v, s->members[i].name))
            continue;
        const place missing = {at, s->members[i].name, 0};
        const char *kind = s->members[i].schema->expected;
        return error_set(e, ERR_INVALID_MESSAGE, "the field \"%s\" (%s) is missing",
                         name_of(&missing, name), kind);
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, item)
    {
        const place here = {at, key, 0};
        const schema_member *m = member(s, key);
        if (!m && s->closed)
            return unknown_member(s, &here, e);
        const schema *of = m ? m->schema : s->rest;
        if (of && !check(of, item, &here, e))
            return false;
    }
    return true;
}

static bool check_array(const schema *s, const json_t *v, const place *at, error *e)
{
    char name[PLACE_ROOM];
    if (!is_size(s, (int64_t)json_array_size(v)))
        return wrong_size(s, (int64_t)json_array_size(v), name_of(at, name), "items", e);
    for (size_t i = 0; s->items && i < json_array_size(v); i++) {
        const place here = {at, NULL, i};
        if (!check(s->items, json_array_get(v, i), &here, e))
            return false;
    }
    return true;
}

/* The message is of the last one whose type fits, or says what all of them expect. */
static bool check_any(const schema *s, const json_t *v, const place *at, error *e)
{
    error why;
    bool told = false;
    for (size_t i = 0; s->any_of[i]; i++) {
        if (check(s->any_of[i], v, at, &why))
            return true;
        if (!s->any_of[i]->types || s->any_of[i]->types & type_of(v)) {
            *e = why;
            told = true;
        }
    }
    return told ? false : wrong_type(s, v, at, e);
}

static bool check(const schema *s, const json_t *v, const place *at, error *e)
{
    char name[PLACE_ROOM];
    if (s->types && !(s->types & type_of(v)))
        return wrong_type(s, v, at, e);
    if (s->any_of && !check_any(s, v, at, e))
        return false;
    switch (json_typeof(v)) {
    case JSON_STRING:
        if (s->types && memchr(json_string_value(v), '\0', json_string_length(v)))
            return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" may not hold a NUL character",
                             name_of(at, name));
        return check_string(s, json_string_value(v), name_of(at, name), e);
    case JSON_INTEGER:
        return check_int(s, json_integer_value(v), name_of(at, name), e);
    case JSON_REAL:
        if ((s->has_min && json_real_value(v) < (double)s->min) ||
            (s->has_max && json_real_value(v) > (double)s->max))
            return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" is %g: too small or too large",
                             name_of(at, name), json_real_value(v));
        return true;
    case JSON_OBJECT:
        return check_object(s, v, at, e);
    case JSON_ARRAY:
        return check_array(s, v, at, e);
    default:
        return true;
    }
}

bool schema_check(const schema *s, const json_t *value, const char *where, error *e)
{
    const place top = {NULL, where, 0};
    return check(s, value, where ? &top : NULL, e);
}

/* ---- parameters -------------------------------------------------------------------------------
 */

bool schema_parse_int(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '-');
    size_t n = strlen(digits);
    char *end;
    if (n == 0 || n > 19 || strspn(digits, "0123456789") != n)
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0;
}

static bool is_number(const char *text)
{
    char *end;
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    strtod(text, &end);
    return !*end;
}

static bool check_int_text(const schema *s, const char *text, const char *name, error *e)
{
    int64_t v;
    if (schema_parse_int(text, &v) && (!s->has_min || v >= s->min) && (!s->has_max || v <= s->max))
        return true;
    if (s->has_min && s->has_max)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s is not a whole number from %" PRId64 " to %" PRId64, name, s->min,
                         s->max);
    if (s->has_min)
        return error_set(e, ERR_INVALID_MESSAGE, "%s is not a whole number of %" PRId64 " or more",
                         name, s->min);
    return error_set(e, ERR_INVALID_MESSAGE, "%s is not a whole number", name);
}

static bool check_list_text(const schema *s, const char *text, const char *name, error *e)
{
    int64_t n = 0;
    char *copy = strdup(text), *rest = copy;
    if (!copy)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    bool good = true;
    for (char *item; good && (item = strsep(&rest, ",")) != NULL; n++)
        good = !s->items || schema_check_text(s->items, item, name, e);
    free(copy);
    return good && (is_size(s, n) || wrong_size(s, n, name, "items", e));
}

bool schema_check_text(const schema *s, const char *text, const char *name, error *e)
{
    if (utf8_valid(text, strlen(text)) != strlen(text))
        return error_set(e, ERR_INVALID_MESSAGE, "%s is not valid UTF-8", name);
    if (s->types & SCHEMA_ARRAY)
        return check_list_text(s, text, name, e);
    if (s->types & SCHEMA_STRING || !s->types)
        return check_string(s, text, name, e);
    if (s->types & SCHEMA_BOOLEAN)
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
               error_set(e, ERR_INVALID_MESSAGE, "%s is neither true nor false", name);
    if (s->types & SCHEMA_NUMBER)
        return is_number(text) || error_set(e, ERR_INVALID_MESSAGE, "%s is not a number", name);
    return check_int_text(s, text, name, e);
}
