/* Throws bytes at the header of the PROXY protocol, whole and in pieces: the outcome is the same,
 * no byte behind the header is taken, and a header that was accepted names what it says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds copies of `step` bytes, so that a read beyond one is seen. */
static size_t feed(proxy_header *h, const uint8_t *data, size_t size, size_t step)
{
    size_t used = 0;
    while (used < size && h->state == PROXY_MORE) {
        size_t n = size - used < step ? size - used : step;
        uint8_t *piece = malloc(n);
        memcpy(piece, data + used, n);
        size_t taken = proxy_feed(h, piece, n);
        free(piece);
        if (taken > n || (taken < n && h->state == PROXY_MORE))
            abort();
        used += taken;
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] % 31 + 1u;
    proxy_header whole = {0}, pieces = {0};
    data++, size--;
    size_t a = feed(&whole, data, size, size ? size : 1), b = feed(&pieces, data, size, step);
    if (a != b || memcmp(&whole, &pieces, sizeof whole) != 0)
        abort();
    if (proxy_feed(&whole, data, whole.state == PROXY_MORE ? 0 : size) != 0)
        abort();
    if (whole.state == PROXY_MORE && a != size)
        abort();
    if (a > 16 + PROXY_V2_MAX || (size && data[0] == 'P' && a > PROXY_V1_MAX))
        abort();
    if (whole.state == PROXY_DONE && whole.local && ip_is_known(&whole.from))
        abort();
    return 0;
}
