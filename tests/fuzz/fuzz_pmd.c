/* Throws bytes at permessage-deflate: at the reading of offers as they are, and at the inflater in
 * pieces. However a message is cut, the outcome is the same; nothing grows beyond the bound; and
 * what is taken for a whole message is what zlib makes of it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pmd.h"

enum { MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_offers(const uint8_t *data, size_t size)
{
    char header[256];
    size_t n = size < sizeof header - 1 ? size : sizeof header - 1;
    memcpy(header, data, n);
    header[n] = '\0';
    pmd_offer o = {.index = -1};
    if (pmd_choose(header, &o) && (o.index < 0 || !strstr(header, "permessage-deflate")))
        abort();
}

static pmd_result inflate_message(const uint8_t *p, size_t size, size_t step, buf *out)
{
    pmd_inflater z = {0};
    pmd_result r = PMD_OK;
    size_t at = 0;
    do {
        size_t n = size - at < step ? size - at : step;
        uint8_t *piece = malloc(n + 1);
        memcpy(piece, p + at, n);
        r = pmd_inflate(&z, piece, n, at + n == size, out, MAX);
        free(piece);
        at += n;
    } while (r == PMD_OK && at < size);
    pmd_free(&z);
    if (out->len > MAX + 1 || (r == PMD_OK && out->len > MAX) || r == PMD_NO_MEMORY)
        abort();
    return r;
}

/* Without final blocks, zlib by itself has to agree. */
static void must_agree(const uint8_t *p, size_t size, pmd_result r, const buf *out)
{
    static unsigned char plain[MAX + 1];
    uint8_t *whole = malloc(size + 4);
    z_stream z = {0};
    if (inflateInit2(&z, -15) != Z_OK)
        abort();
    memcpy(whole, p, size);
    memcpy(whole + size, "\0\0\xff\xff", 4);
    z.next_in = whole;
    z.avail_in = (unsigned)(size + 4);
    z.next_out = plain;
    z.avail_out = sizeof plain;
    int end = inflate(&z, Z_SYNC_FLUSH);
    if (end == Z_OK && r == PMD_OK &&
        (z.total_out != out->len || memcmp(plain, out->data ? out->data : "", out->len) != 0))
        abort();
    if (end == Z_DATA_ERROR && r == PMD_OK && size)
        abort();
    inflateEnd(&z);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] % 17 + 1u;
    read_offers(data + 1, size - 1);
    buf whole = BUF_INIT, cut = BUF_INIT;
    pmd_result a = inflate_message(data + 1, size - 1, size, &whole);
    pmd_result b = inflate_message(data + 1, size - 1, step, &cut);
    if (a != b || (a == PMD_OK && (whole.len != cut.len ||
                                   (whole.len && memcmp(whole.data, cut.data, whole.len) != 0))))
        abort();
    must_agree(data + 1, size - 1, a, &whole);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
