#include "json/scan_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static const char bom[3] = "\xEF\xBB\xBF";

/* ---- errors -----------------------------------------------------------------------------------
 */

scan_result scan_fail(json_scan *s, error_code code, const char *what)
{
    s->failed = true;
    error_set(&s->why, code, "%s, at line %" PRId64 " (byte %" PRId64 ")", what, s->line,
              s->offset);
    s->why.position = s->offset;
    return SCAN_ERROR;
}

static scan_result malformed(json_scan *s, const char *what)
{
    return scan_fail(s, ERR_INVALID_MESSAGE, what);
}

static scan_result too_big(json_scan *s)
{
    char what[120];
    snprintf(what, sizeof what, "element %" PRId64 " is larger than %zu bytes", s->n_elements,
             s->max_element);
    s->line = s->element_line;
    s->offset = s->element_offset;
    return scan_fail(s, ERR_MESSAGE_TOO_BIG, what);
}

/* ---- input ------------------------------------------------------------------------------------
 */

static void advance(json_scan *s)
{
    s->line += *s->in == '\n';
    s->offset++;
    s->in++;
}

/* Keeps what the piece has of the open element. */
static bool hold(json_scan *s)
{
    if (!s->mark)
        return true;
    size_t n = (size_t)(s->in - s->mark);
    if (s->held.len + n > s->max_element) {
        too_big(s);
        return false;
    }
    buf_add(&s->held, s->mark, n);
    if (s->held.failed) {
        scan_fail(s, ERR_INTERNAL_ERROR, "out of memory");
        return false;
    }
    return true;
}

/* The element from its mark (or from what is held) to s->in. */
static scan_result give(json_scan *s, const char **text, size_t *n)
{
    if (s->held.len == 0) {
        *text = s->mark;
        *n = (size_t)(s->in - s->mark);
        s->mark = NULL;
        return *n > s->max_element ? too_big(s) : SCAN_ELEMENT;
    }
    if (!hold(s))
        return SCAN_ERROR;
    s->mark = NULL;
    s->given = true;
    *text = s->held.data;
    *n = s->held.len;
    return SCAN_ELEMENT;
}

static bool skip_bom(json_scan *s)
{
    while (s->offset == s->bom && s->bom < 3 && s->in < s->in_end && *s->in == bom[s->bom]) {
        s->bom++;
        advance(s);
    }
    /* Its first byte alone starts no JSON. */
    if (s->in < s->in_end && s->bom > 0 && s->bom < 3) {
        malformed(s, "a JSON value is missing");
        return false;
    }
    return true;
}

static scan_result end_of_array(json_scan *s)
{
    char where[120], what[200];
    scan_end_number(s);
    if (s->state != SCAN_DONE)
        return malformed(s, "the JSON ends too early");
    if (s->found)
        return SCAN_END;
    scan_path_describe(s, where, sizeof where);
    snprintf(what, sizeof what, "there is no array at %s", where);
    return malformed(s, what);
}

/* Inside a string most bytes change nothing. */
static void skip_plain(json_scan *s)
{
    const char *p = s->in;
    while (p < s->in_end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    s->offset += p - s->in;
    s->in = p;
}

static scan_result next_of_array(json_scan *s, const char **text, size_t *n)
{
    if (!skip_bom(s))
        return SCAN_ERROR;
    while (s->in < s->in_end) {
        switch (scan_step(s, *s->in)) {
        case STEP_ON:
            advance(s);
            if (s->state == SCAN_STRING && !s->key_same)
                skip_plain(s);
            break;
        case STEP_AGAIN:
            break;
        case STEP_ENDS:
            advance(s);
            return give(s, text, n);
        case STEP_ENDED:
            return give(s, text, n);
        case STEP_MALFORMED:
            return SCAN_ERROR;
        }
    }
    if (!hold(s))
        return SCAN_ERROR;
    if (s->mark)
        s->mark = s->in = s->in_end = "";
    return s->finished ? end_of_array(s) : SCAN_MORE;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static void trim(const char **text, size_t *n)
{
    while (*n && strchr(" \t\r\n", (*text)[*n - 1]) && (*text)[*n - 1])
        --*n;
    while (*n && **text && strchr(" \t\r\n", **text))
        ++*text, --*n;
}

static void begin_line(json_scan *s)
{
    s->mark = s->in;
    s->n_elements++;
    s->element_line = s->line;
    s->element_offset = s->offset;
}

/* The line up to s->in; SCAN_MORE when it is blank, which makes it no element. */
static scan_result give_line(json_scan *s, const char **text, size_t *n)
{
    scan_result r = give(s, text, n);
    if (r != SCAN_ELEMENT)
        return r;
    if (s->element_offset == 0 && *n >= 3 && memcmp(*text, bom, 3) == 0) {
        *text += 3;
        *n -= 3;
    }
    trim(text, n);
    if (*n == 0) {
        s->n_elements--;
        return SCAN_MORE;
    }
    return SCAN_ELEMENT;
}

static scan_result next_line(json_scan *s, const char **text, size_t *n)
{
    while (s->in < s->in_end) {
        if (!s->mark)
            begin_line(s);
        const char *end = memchr(s->in, '\n', (size_t)(s->in_end - s->in));
        const char *stop = end ? end : s->in_end;
        s->offset += stop - s->in;
        s->in = stop;
        if (!end)
            break;
        scan_result r = give_line(s, text, n);
        advance(s);
        if (r != SCAN_MORE)
            return r;
        buf_clear(&s->held);
        s->given = false;
    }
    if (!hold(s))
        return SCAN_ERROR;
    if (s->mark)
        s->mark = s->in = s->in_end = "";
    if (!s->finished)
        return SCAN_MORE;
    if (s->mark && give_line(s, text, n) == SCAN_ELEMENT)
        return SCAN_ELEMENT;
    return s->failed ? SCAN_ERROR : SCAN_END;
}

/* ---- the interface ----------------------------------------------------------------------------
 */

bool json_scan_init(json_scan *s, scan_mode mode, const char *pointer, size_t max_element, error *e)
{
    *s = (json_scan){.mode = mode, .max_element = max_element, .line = 1, .in = "", .in_end = ""};
    s->in_end = s->in;
    if (mode == SCAN_ARRAY && !scan_path_parse(s, pointer, e)) {
        json_scan_free(s);
        return false;
    }
    return true;
}

void json_scan_free(json_scan *s)
{
    mem_free(s->path);
    s->path = NULL;
    buf_free(&s->held);
}

void json_scan_feed(json_scan *s, const char *p, size_t n)
{
    s->in = p;
    s->in_end = p + n;
    if (s->mark)
        s->mark = p;
}

void json_scan_finish(json_scan *s)
{
    s->finished = true;
}

scan_result json_scan_next(json_scan *s, const char **text, size_t *n, error *e)
{
    scan_result r = SCAN_ERROR;
    if (s->given) {
        buf_clear(&s->held);
        s->given = false;
    }
    if (!s->failed)
        r = s->mode == SCAN_ARRAY ? next_of_array(s, text, n) : next_line(s, text, n);
    if (r == SCAN_ERROR && e)
        *e = s->why;
    return r;
}
