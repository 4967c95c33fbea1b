/* Throws bytes at the decoder of rustydb.bin.v1. What is refused is refused with INVALID_MESSAGE
 * and a place within the input; what is read, written again and read again is the same; written, it
 * is never longer than it came. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bin_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool get(bin_message *m, const void *p, size_t n, arena *mem)
{
    error e;
    error_clear(&e);
    if (bin_message_get(m, p, n, mem, &e))
        return true;
    if (e.code != ERR_INVALID_MESSAGE || !*e.message || e.position > (int64_t)n || m->id.n > n)
        abort();
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena mem = ARENA_INIT, again_mem = ARENA_INIT;
    buf first = BUF_INIT, second = BUF_INIT;
    bin_message m, again;
    if (get(&m, data, size, &mem)) {
        bin_message_put(&first, &m);
        if (first.failed || first.len > size || !get(&again, first.data, first.len, &again_mem))
            abort();
        bin_message_put(&second, &again);
        if (second.len != first.len || memcmp(first.data, second.data, first.len) != 0)
            abort();
    }
    buf_free(&first);
    buf_free(&second);
    arena_free(&mem);
    arena_free(&again_mem);
    return 0;
}
