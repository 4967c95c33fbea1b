#include "wire/bincode.h"
#include "base/utf8.h"

#include <string.h>

enum { SINGLE_MAX = 250, MARK_16, MARK_32, MARK_64, MARK_128 };

static void write_little(char *to, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(unsigned char)(v >> (8 * i));
}

size_t bc_uint(uint64_t v, char to[BC_UINT_MAX])
{
    if (v <= SINGLE_MAX) {
        to[0] = (char)(unsigned char)v;
        return 1;
    }
    int mark = v <= UINT16_MAX ? MARK_16 : v <= UINT32_MAX ? MARK_32 : MARK_64;
    size_t n = (size_t)2 << (mark - MARK_16);
    to[0] = (char)(unsigned char)mark;
    write_little(to + 1, v, n);
    return 1 + n;
}

void bc_put_u8(buf *out, uint8_t v)
{
    buf_addc(out, (char)v);
}

void bc_put_uint(buf *out, uint64_t v)
{
    char bytes[BC_UINT_MAX];
    size_t n = bc_uint(v, bytes);
    buf_add(out, bytes, n);
}

void bc_put_int(buf *out, int64_t v)
{
    bc_put_uint(out, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void bc_put_real(buf *out, double v)
{
    uint64_t bits;
    char bytes[sizeof bits];
    memcpy(&bits, &v, sizeof bits);
    write_little(bytes, bits, sizeof bits);
    buf_add(out, bytes, sizeof bytes);
}

void bc_put_bytes(buf *out, const void *p, size_t n)
{
    bc_put_uint(out, n);
    buf_add(out, p, n);
}

/* The text behind its first `good` bytes, with what is not UTF-8 replaced; out NULL: only how long
 * that is. */
static size_t put_mended(buf *out, const char *p, size_t n, size_t good)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t len = 0;
    for (size_t i = good; i < n;) {
        size_t length = utf8_sequence((const unsigned char *)p + i, n - i);
        size_t adds = length ? length : sizeof replacement - 1;
        if (out)
            buf_add(out, length ? p + i : replacement, adds);
        len += adds;
        i += length ? length : 1;
    }
    return len;
}

void bc_put_str(buf *out, const char *p, size_t n)
{
    size_t good = utf8_valid(p, n);
    bc_put_uint(out, good + put_mended(NULL, p, n, good));
    buf_add(out, p, good);
    put_mended(out, p, n, good);
}

void bc_open(bc_reader *r, const void *p, size_t n)
{
    r->start = r->p = p;
    r->end = n ? r->p + n : r->p;
    r->fault = NULL;
}

void bc_fail(bc_reader *r, const char *fault)
{
    if (!r->fault)
        r->fault = fault;
}

size_t bc_left(const bc_reader *r)
{
    return r->fault ? 0 : (size_t)(r->end - r->p);
}

static const unsigned char *take(bc_reader *r, size_t n)
{
    if (bc_left(r) < n) {
        bc_fail(r, "the bytes end too early");
        return NULL;
    }
    r->p += n;
    return r->p - n;
}

static uint64_t take_little(bc_reader *r, size_t n)
{
    const unsigned char *p = take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t bc_get_u8(bc_reader *r)
{
    const unsigned char *p = take(r, 1);
    return p ? *p : 0;
}

static uint8_t look(const bc_reader *r)
{
    return bc_left(r) ? *r->p : 0;
}

bool bc_get_bool(bc_reader *r)
{
    if (look(r) > 1)
        bc_fail(r, "neither 0 nor 1");
    return bc_get_u8(r) == 1;
}

uint64_t bc_get_uint(bc_reader *r, bc_width width)
{
    uint8_t mark = look(r);
    if (mark <= SINGLE_MAX)
        return bc_get_u8(r);
    if (mark > MARK_128)
        bc_fail(r, "no integer begins with 255");
    else if (mark == MARK_128 || ((size_t)2 << (mark - MARK_16)) > (size_t)width)
        bc_fail(r, "the integer is wider than its type");
    if (!take(r, 1))
        return 0;
    return take_little(r, (size_t)2 << (mark - MARK_16));
}

int64_t bc_get_int(bc_reader *r)
{
    uint64_t v = bc_get_uint(r, BC_U64);
    return (int64_t)((v >> 1) ^ (v & 1 ? UINT64_MAX : 0));
}

double bc_get_real(bc_reader *r)
{
    uint64_t bits = take_little(r, sizeof bits);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

unsigned bc_get_variant(bc_reader *r, unsigned n)
{
    bc_reader before = *r;
    uint64_t v = bc_get_uint(r, BC_U32);
    if (!r->fault && v >= n) {
        *r = before;
        bc_fail(r, "there is no variant of this number");
        return 0;
    }
    return (unsigned)v;
}

size_t bc_get_count(bc_reader *r, size_t least)
{
    bc_reader before = *r;
    uint64_t n = bc_get_uint(r, BC_U64);
    if (!r->fault && n > bc_left(r) / least) {
        *r = before;
        bc_fail(r, "the length is more than the bytes that follow");
        return 0;
    }
    return (size_t)n;
}

const char *bc_get_bytes(bc_reader *r, size_t *n)
{
    *n = bc_get_count(r, 1);
    const unsigned char *p = take(r, *n);
    if (!p) {
        *n = 0;
        return "";
    }
    return (const char *)p;
}

const char *bc_get_str(bc_reader *r, size_t *n)
{
    const char *p = bc_get_bytes(r, n);
    size_t good = utf8_valid(p, *n);
    if (good == *n)
        return p;
    r->p = (const unsigned char *)p + good;
    bc_fail(r, "the text is not UTF-8");
    *n = 0;
    return "";
}
