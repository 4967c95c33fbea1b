#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

char *buf_reserve(buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (b->limit && (n > b->limit || b->len > b->limit - n)) {
        b->failed = true;
        return NULL;
    }
    if (b->cap - b->len < n) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap - b->len < n)
            cap *= 2;
        char *p = mem_realloc(b->data, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->data = p;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_add(buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    char *to = buf_reserve(b, n);
    if (!to)
        return;
    memcpy(to, p, n);
    b->len += n;
}

void buf_adds(buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_vaddf(buf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n >= 0 && (size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
    } else if (n >= 0) {
        char *to = buf_reserve(b, (size_t)n + 1);
        if (to) {
            vsnprintf(to, (size_t)n + 1, fmt, again);
            b->len += (size_t)n;
        }
    }
    va_end(again);
}

void buf_addf(buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(b, fmt, ap);
    va_end(ap);
}

const char *buf_cstr(buf *b)
{
    if (b->len < b->cap) {
        b->data[b->len] = '\0';
        return b->data;
    }
    size_t limit = b->limit;
    b->limit = 0; /* the NUL is not content */
    char *to = buf_reserve(b, 1);
    b->limit = limit;
    if (!to) {
        if (b->len == 0)
            return "";
        b->data[b->len - 1] = '\0'; /* failed: cut rather than overrun */
        return b->data;
    }
    *to = '\0';
    return b->data;
}

void buf_consume(buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

void buf_clear(buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_free(buf *b)
{
    mem_free(b->data);
    size_t limit = b->limit;
    *b = BUF_INIT;
    b->limit = limit;
}

refbuf *refbuf_new(const void *p, size_t n)
{
    refbuf *r = mem_alloc(sizeof *r + n);
    if (!r)
        return NULL;
    atomic_init(&r->refs, 1);
    r->len = n;
    if (p && n)
        memcpy(r->data, p, n);
    return r;
}

refbuf *refbuf_ref(refbuf *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void refbuf_unref(refbuf *r)
{
    if (r && atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
        mem_free(r);
}
