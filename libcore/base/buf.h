/* A growable byte buffer, and a counted, immutable one for sharing between threads.
 *
 * A `buf` keeps a sticky `failed` flag: when memory is out or the limit is reached, further appends
 * do nothing, and the writer of a long text checks once at its end. One thread owns a buf.
 * A `refbuf` never changes after it was made; any thread may hold a reference.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct buf {
    char *data;   /* owned; not NUL-terminated unless buf_cstr was called */
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* most bytes it may hold, 0 = no limit */
    bool failed;  /* something did not fit; data holds what came before */
} buf;

#define BUF_INIT ((buf){0})

/* Room for n more bytes at data + len; NULL (and failed) when there is none. */
char *buf_reserve(buf *b, size_t n);
void buf_add(buf *b, const void *p, size_t n);
void buf_adds(buf *b, const char *s);
void buf_addf(buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vaddf(buf *b, const char *fmt, va_list ap);
/* The bytes with a NUL behind them; the NUL is not counted. Never NULL ("" when failed and empty).
 */
const char *buf_cstr(buf *b);
/* Drops n bytes from the front (moves the rest). */
void buf_consume(buf *b, size_t n);
void buf_clear(buf *b); /* keeps the memory */
void buf_free(buf *b);

static inline void buf_addc(buf *b, char c)
{
    if (b->len < b->cap && !b->failed && (!b->limit || b->len < b->limit))
        b->data[b->len++] = c;
    else
        buf_add(b, &c, 1);
}

typedef struct refbuf {
    atomic_int refs;
    size_t len;
    char data[];
} refbuf;

/* A copy of n bytes with one reference; NULL when memory is out. p may be NULL: bytes unset. */
refbuf *refbuf_new(const void *p, size_t n);
refbuf *refbuf_ref(refbuf *r);
void refbuf_unref(refbuf *r); /* NULL is fine */

#endif
