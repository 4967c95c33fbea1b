#include "auth/document.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "json/read.h"

enum { DOCUMENT_MAX = 256 * 1024 }; /* bytes of JSON */

static const struct {
    const char *name;
    int max;
    auth_reader *read;
} kinds[AUTH_KINDS] = {
    [AUTH_USER] = {"user", 10000, auth_read_user},
    [AUTH_ROLE] = {"role", 1000, auth_read_role},
    [AUTH_KEY] = {"key", 10000, auth_read_key},
};

const char *auth_kind_name(auth_kind kind)
{
    return kinds[kind].name;
}

auth_kind auth_kind_of(const char *name)
{
    int kind = 0;
    while (kind < AUTH_KINDS && strcmp(kinds[kind].name, name) != 0)
        kind++;
    return (auth_kind)kind;
}

int auth_kind_max(auth_kind kind)
{
    return kinds[kind].max;
}

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- life -------------------------------------------------------------------------------------
 */

/* What was kept must be readable at the next start, too; a NUL character in a text is not. */
static bool is_readable(const auth_document *d, error *e)
{
    json_t *again = auth_document_object(d);
    json_decref(again);
    return again || error_set(e, ERR_INVALID_MESSAGE, "a text has a NUL character");
}

static bool keep_object(auth_document *d, const json_t *object, error *e)
{
    if (!auth_keep_json(d, object, "the document", DOCUMENT_MAX, &d->json, e))
        return false;
    d->len = strlen(d->json);
    return is_readable(d, e);
}

auth_document *auth_document_make(auth_kind kind, json_t *object, error *e)
{
    auth_document *d = object ? mem_zalloc(sizeof *d) : NULL;
    error_clear(e);
    if (!d) {
        json_decref(object);
        no_memory(e);
        return NULL;
    }
    atomic_init(&d->refs, 1);
    d->kind = kind;
    bool ok = keep_object(d, object, e) && kinds[kind].read(d, object, e);
    json_decref(object);
    if (ok)
        return d;
    auth_document_release(d);
    return NULL;
}

auth_document *auth_document_hold(const auth_document *d)
{
    auth_document *own = (auth_document *)(uintptr_t)d;
    if (own)
        atomic_fetch_add_explicit(&own->refs, 1, memory_order_relaxed);
    return own;
}

void auth_document_release(const auth_document *d)
{
    auth_document *own = (auth_document *)(uintptr_t)d;
    if (!own || atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
        return;
    identity_release(own->seen);
    arena_free(&own->mem);
    mem_free(own);
}

json_t *auth_document_object(const auth_document *d)
{
    return json_loadb(d->json, d->len, 0, NULL);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

bool auth_keep_text(auth_document *d, const char *text, const char **to, error *e)
{
    *to = text ? arena_strndup(&d->mem, text, strlen(text)) : NULL;
    return !text || *to || no_memory(e);
}

bool auth_check_length(const char *text, const char *what, bool empty, size_t longest, error *e)
{
    size_t n = strlen(text);
    if (n <= longest && (n || empty))
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "%s must have %s %zu bytes, not %zu", what,
                     empty ? "at most" : "1 to", longest, n);
}

static bool keep_one(auth_document *d, const json_t *one, const char *what, int longest,
                     const char **to, error *e)
{
    const char *text = json_string_value(one);
    if (!text || strlen(text) != json_string_length(one))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%s must be an array of texts without NUL characters", what);
    return auth_check_length(text, what, false, (size_t)longest, e) &&
           auth_keep_text(d, text, to, e);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool all_differ(const char *const *texts, int n, const char *what, error *e)
{
    if (n < 2)
        return true;
    const char **sorted = mem_alloc((size_t)n * sizeof *sorted);
    bool ok = true;
    if (!sorted)
        return no_memory(e);
    memcpy(sorted, texts, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    for (int i = 1; ok && i < n; i++)
        ok = strcmp(sorted[i - 1], sorted[i]) != 0 ||
             error_set(e, ERR_INVALID_MESSAGE, "%s names \"%.100s\" twice", what, sorted[i]);
    mem_free(sorted);
    return ok;
}

bool auth_keep_texts(auth_document *d, json_t *array, const char *what, int max, int longest,
                     int *n, const char *const **to, error *e)
{
    size_t count = json_array_size(array);
    if (count > (size_t)max)
        return error_set(e, ERR_INVALID_MESSAGE, "%s may have %d members, not %zu", what, max,
                         count);
    const char **texts = arena_alloc(&d->mem, (count + 1) * sizeof *texts);
    if (!texts)
        return no_memory(e);
    for (size_t i = 0; i < count; i++) {
        if (!keep_one(d, json_array_get(array, i), what, longest, &texts[i], e))
            return false;
    }
    *n = (int)count;
    *to = texts;
    return all_differ(texts, *n, what, e);
}

bool auth_keep_json(auth_document *d, const json_t *value, const char *what, size_t longest,
                    const char **to, error *e)
{
    *to = NULL;
    if (!value)
        return true;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return no_memory(e);
    bool ok = auth_check_length(text, what, false, longest, e) && auth_keep_text(d, text, to, e);
    free(text);
    return ok;
}

bool auth_mark(auth_document *d, const char *what, const char *value, error *e)
{
    size_t n = strlen(what) + 1 + strlen(value);
    const char **more = arena_alloc(&d->mem, (size_t)(d->n_marks + 1) * sizeof *more);
    char *mark = arena_alloc(&d->mem, n + 1);
    if (!more || !mark)
        return no_memory(e);
    snprintf(mark, n + 1, "%s %s", what, value);
    if (d->n_marks)
        memcpy(more, d->marks, (size_t)d->n_marks * sizeof *more);
    more[d->n_marks++] = mark;
    d->marks = more;
    return true;
}

bool auth_check_name(const char *name, const char *what, error *e)
{
    size_t n = strlen(name);
    bool ok = n && n <= AUTH_NAME_MAX && isalnum((unsigned char)*name);
    for (size_t i = 0; ok && i < n; i++)
        ok = (unsigned char)name[i] < 0x80 &&
             (isalnum((unsigned char)name[i]) || strchr("._-@", name[i]));
    if (ok)
        return true;
    error_set(e, ERR_INVALID_MESSAGE, "\"%.80s\" cannot be the name of a %s", name, what);
    return error_hint(e,
                      "A name has 1 to %d letters, digits and . _ - @, and begins with a letter "
                      "or digit.",
                      AUTH_NAME_MAX);
}
