/* Throws bodies at the decoder of chunks, in pieces: however they are cut, the outcome is the same.
 * And a body that is put into chunks comes out again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The decoder's end; how much was used is counted in *used. */
static chunked_state decode(const char *p, size_t size, size_t step, buf *body, size_t *used)
{
    chunked c = {0};
    *used = 0;
    for (size_t at = 0; at < size && c.state != CHUNKED_DONE && c.state != CHUNKED_BAD;) {
        size_t n = size - at < step ? size - at : step, len, took;
        char *piece = malloc(n);
        const char *data = NULL;
        memcpy(piece, p + at, n);
        took = chunked_feed(&c, piece, n, &data, &len);
        if (took == 0 || took > n || (len && (data < piece || data + len > piece + n)))
            abort();
        buf_add(body, data, len);
        free(piece);
        at += took;
        *used = at;
    }
    return c.state;
}

static void must_come_back(const char *p, size_t size, size_t step)
{
    buf chunks = BUF_INIT, body = BUF_INIT;
    for (size_t at = 0; at < size; at += step) {
        size_t n = size - at < step ? size - at : step;
        buf_addf(&chunks, at % 2 ? "%zx;x=\"y\"\r\n" : "%zX\r\n", n);
        buf_add(&chunks, p + at, n);
        buf_adds(&chunks, "\r\n");
    }
    buf_adds(&chunks, "0\r\nTrailer: x\r\n\r\n");
    size_t used;
    if (decode(chunks.data, chunks.len, step + 3, &body, &used) != CHUNKED_DONE ||
        used != chunks.len || body.len != size || (size && memcmp(body.data, p, size) != 0))
        abort();
    buf_free(&chunks);
    buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] % 17 + 1u, a_used, b_used;
    const char *p = (const char *)data + 1;
    size--;
    buf a = BUF_INIT, b = BUF_INIT;
    chunked_state one = decode(p, size, size ? size : 1, &a, &a_used);
    chunked_state two = decode(p, size, step, &b, &b_used);
    if (one != two || a_used != b_used || a.len != b.len ||
        (a.len && memcmp(a.data, b.data, a.len) != 0))
        abort();
    must_come_back(p, size, step);
    buf_free(&a);
    buf_free(&b);
    return 0;
}
