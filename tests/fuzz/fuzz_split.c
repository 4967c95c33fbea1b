/* Throws scripts at the cutting of SQL into statements, in pieces: however they are cut, the same
 * statements come out; each stands in the text, in order, and none is empty. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sql_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct outcome {
    buf text; /* statements, each with a NUL behind it */
    int count;
    int64_t lines, kinds; /* sums */
} outcome;

static void drain(sql_split *s, bool last, outcome *o)
{
    sql_statement st;
    while (sql_split_next(s, last, &st)) {
        if (st.n == 0 || st.line < 1)
            abort();
        buf_add(&o->text, st.text, st.n);
        buf_addc(&o->text, '\0');
        o->count++;
        o->lines += st.line;
        o->kinds += (int64_t)st.kind * o->count;
    }
}

static outcome split(const char *p, size_t size, size_t step)
{
    outcome o = {0};
    sql_split s;
    sql_split_init(&s);
    for (size_t at = 0; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;
        char *piece = malloc(n);
        memcpy(piece, p + at, n);
        sql_split_feed(&s, piece, n);
        free(piece);
        drain(&s, false, &o);
    }
    drain(&s, true, &o);
    sql_split_free(&s);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] % 17 + 1u;
    const char *p = (const char *)data + 1;
    size--;
    outcome a = split(p, size, size ? size : 1), b = split(p, size, step);
    if (a.count != b.count || a.lines != b.lines || a.kinds != b.kinds ||
        a.text.len != b.text.len ||
        (a.text.len && memcmp(a.text.data, b.text.data, a.text.len) != 0))
        abort();
    const char *from = p, *end = p + size;
    for (size_t at = 0; at < a.text.len; at += strlen(a.text.data + at) + 1) {
        size_t n = strlen(a.text.data + at);
        if (memchr(p, '\0', size))
            break; /* a NUL in the text: statements cannot be told apart here */
        from = memmem(from, (size_t)(end - from), a.text.data + at, n);
        if (!from)
            abort();
        from += n;
    }
    buf_free(&a.text);
    buf_free(&b.text);
    return 0;
}
