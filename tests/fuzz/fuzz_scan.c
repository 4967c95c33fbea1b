/* Throws documents at the JSON scanner, in pieces. However they are cut, the outcome is the same,
 * and it agrees with a parser that sees the document whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "json/scan.h"

enum { MAX_ELEMENT = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct outcome {
    buf elements; /* each with a NUL behind it */
    size_t n;
    bool good;       /* every element is JSON by itself */
    scan_result end; /* SCAN_END or SCAN_ERROR */
    int64_t position;
} outcome;

static scan_result drain(json_scan *s, outcome *o, error *e)
{
    const char *text;
    size_t n;
    scan_result r;
    while ((r = json_scan_next(s, &text, &n, e)) == SCAN_ELEMENT) {
        error ignored;
        json_t *j = json_read_text(text, n, &ignored);
        o->good &= j != NULL;
        json_decref(j);
        buf_add(&o->elements, text, n);
        buf_addc(&o->elements, '\0');
        o->n++;
    }
    return r;
}

/* Pieces are `step` bytes long, each in memory of its own. */
static outcome scan(scan_mode mode, const char *pointer, const char *p, size_t size, size_t step)
{
    outcome o = {.good = true};
    json_scan s;
    error e;
    error_clear(&e);
    if (!json_scan_init(&s, mode, pointer, MAX_ELEMENT, &e))
        abort();
    scan_result r = SCAN_MORE;
    for (size_t at = 0; at < size && r == SCAN_MORE; at += step) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);
        memcpy(piece, p + at, n);
        json_scan_feed(&s, piece, n);
        r = drain(&s, &o, &e);
        free(piece);
    }
    json_scan_finish(&s);
    if (r == SCAN_MORE)
        r = drain(&s, &o, &e);
    if (r != SCAN_END && r != SCAN_ERROR)
        abort();
    o.end = r;
    o.position = e.position;
    json_scan_free(&s);
    return o;
}

static void must_be_same(const outcome *a, const outcome *b)
{
    if (a->end != b->end || a->n != b->n || a->position != b->position ||
        a->elements.len != b->elements.len ||
        (a->elements.len && memcmp(a->elements.data, b->elements.data, a->elements.len) != 0))
        abort();
}

/* The parser knows a whole array when it sees one. */
static void must_agree(const outcome *o, const char *p, size_t size)
{
    error e;
    error_clear(&e);
    json_t *whole = json_read_text(p, size, &e);
    bool array = json_is_array(whole);
    if (array && (o->end != SCAN_END || o->n != json_array_size(whole) || !o->good))
        abort();
    /* An element alone may be one level deeper than in its array. */
    bool mark = size >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0;
    bool deep = e.code == ERR_INVALID_MESSAGE && strstr(e.message, "nested deeper");
    if (!array && o->end == SCAN_END && o->good && !mark && !deep)
        abort();
    json_decref(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const pointers[] = {"", "/a", "/0", "/a/0/b", "/\xc3\xa9"};
    if (size < 2)
        return 0;
    size_t step = data[0] % 17 + 1u, choice = data[1] % 6u;
    const char *p = (const char *)data + 2;
    size -= 2;
    scan_mode mode = choice == 5 ? SCAN_LINES : SCAN_ARRAY;
    const char *pointer = mode == SCAN_ARRAY ? pointers[choice] : NULL;
    outcome whole = scan(mode, pointer, p, size, size ? size : 1);
    outcome cut = scan(mode, pointer, p, size, step);
    must_be_same(&whole, &cut);
    if (choice == 0)
        must_agree(&whole, p, size);
    buf_free(&whole.elements);
    buf_free(&cut.elements);
    return 0;
}
