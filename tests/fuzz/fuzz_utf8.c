/* Throws bytes at the check of UTF-8 that takes its text in pieces: it agrees with the check of a
 * whole text, and refuses no later than at the byte where that one stops. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t step = data[0] % 9 + 1u, at = 0;
    const char *p = (const char *)data + 1;
    size--;
    size_t valid = utf8_valid(p, size);
    utf8_stream u = {0};
    bool ok = true;
    while (ok && at < size) {
        size_t n = size - at < step ? size - at : step;
        ok = utf8_feed(&u, p + at, n);
        at += n;
    }
    bool whole = ok && utf8_whole(&u);
    if (whole != (valid == size))
        abort();
    /* A sequence has four bytes at most, so what is wrong shows within three of its beginning. */
    if (!ok && at > valid + 3 + step)
        abort();
    if (ok && valid != size && size - valid > 3)
        abort();
    return 0;
}
