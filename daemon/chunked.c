#include "daemon/chunked.h"

enum { MAX_SIZE_DIGITS = 15, MAX_LINE = 4096, MAX_TRAILERS = 16384 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void size_byte(chunked *c, char b)
{
    int v = hex(b);
    if (v >= 0) {
        c->left = c->left * 16 + (uint64_t)v;
        if (++c->digits > MAX_SIZE_DIGITS)
            c->state = CHUNKED_BAD;
    } else if (c->digits && (b == '\r' || b == ';' || b == ' ' || b == '\t')) {
        c->state = CHUNKED_EXTENSION;
        c->line = b == '\r' ? -1 : 0; /* -1: the CR was seen */
    } else {
        c->state = CHUNKED_BAD;
    }
}

static void extension_byte(chunked *c, char b)
{
    if (b == '\n' && c->line == -1) {
        c->state = c->left ? CHUNKED_DATA : CHUNKED_TRAILER;
        c->line = 0;
    } else if (c->line == -1 || b == '\n' || ++c->line > MAX_LINE) {
        c->state = CHUNKED_BAD;
    } else if (b == '\r') {
        c->line = -1;
    }
}

static void trailer_byte(chunked *c, char b)
{
    if (++c->trailers > MAX_TRAILERS)
        c->state = CHUNKED_BAD;
    else if (b == '\n')
        c->state = c->line == 0 ? CHUNKED_DONE : CHUNKED_TRAILER, c->line = 0;
    else if (b != '\r')
        c->line++;
}

size_t chunked_feed(chunked *c, const char *p, size_t len, const char **data, size_t *n)
{
    size_t at = 0;
    *n = 0;
    while (at < len && c->state != CHUNKED_DONE && c->state != CHUNKED_BAD) {
        switch (c->state) {
        case CHUNKED_SIZE:
            size_byte(c, p[at++]);
            break;
        case CHUNKED_EXTENSION:
            extension_byte(c, p[at++]);
            break;
        case CHUNKED_DATA: {
            size_t take = len - at < c->left ? len - at : (size_t)c->left;
            *data = p + at;
            *n = take;
            c->left -= take;
            if (!c->left)
                c->state = CHUNKED_DATA_CR;
            return at + take;
        }
        case CHUNKED_DATA_CR:
            c->state = p[at++] == '\r' ? CHUNKED_DATA_LF : CHUNKED_BAD;
            break;
        case CHUNKED_DATA_LF:
            c->state = p[at++] == '\n' ? CHUNKED_SIZE : CHUNKED_BAD;
            c->digits = 0;
            break;
        case CHUNKED_TRAILER:
            trailer_byte(c, p[at++]);
            break;
        case CHUNKED_DONE:
        case CHUNKED_BAD:
            break;
        }
    }
    return at;
}
