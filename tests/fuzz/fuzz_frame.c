/* Makes frames out of the input and counts them: the count is right, the lengths are, and what was
 * compressed inflates to what it was. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pmd.h"
#include "wire/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One frame without a mask; returns its size, and where its payload is. */
static size_t take_apart(const unsigned char *p, size_t n, const unsigned char **payload,
                         size_t *len)
{
    size_t head = 2;
    if (n < 2 || p[1] & 0x80)
        abort();
    *len = p[1];
    if (*len == 126) {
        *len = (size_t)p[2] << 8 | p[3];
        head = 4;
    } else if (*len == 127) {
        *len = 0;
        for (int i = 0; i < 8; i++)
            *len = *len << 8 | p[2 + i];
        head = 10;
    }
    if (head > n || *len > n - head)
        abort();
    *payload = p + head;
    return head + *len;
}

static void must_hold(const unsigned char *payload, size_t len, bool deflated, const uint8_t *text,
                      size_t n)
{
    buf out = BUF_INIT;
    pmd_inflater z = {0};
    if (!deflated)
        buf_add(&out, payload, len);
    else if (pmd_inflate(&z, payload, len, true, &out, n) != PMD_OK)
        abort();
    if (out.len != n || (n && memcmp(out.data, text, n) != 0))
        abort();
    pmd_free(&z);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buf frames = BUF_INIT;
    struct {
        const uint8_t *p;
        size_t n;
    } made[64];
    int count = 0;
    while (size >= 2 && count < 64) {
        size_t n = data[1] < size - 2 ? data[1] : size - 2;
        ws_opcode op = data[0] & 1 ? WS_TEXT : WS_BINARY;
        made[count].p = data + 2;
        made[count++].n = n;
        if (data[0] & 2)
            ws_frame_add_deflated(&frames, op, data + 2, n, 9 + data[0] / 4 % 7);
        else
            ws_frame_add(&frames, op, data + 2, n);
        data += 2 + n;
        size -= 2 + n;
    }
    if (count == 0)
        return 0;
    if (ws_frame_count(frames.data, frames.len) != count)
        abort();
    const unsigned char *at = (const unsigned char *)frames.data;
    size_t left = frames.len;
    for (int i = 0; i < count; i++) {
        const unsigned char *payload;
        size_t len, used = take_apart(at, left, &payload, &len);
        must_hold(payload, len, *at & 0x40, made[i].p, made[i].n);
        at += used;
        left -= used;
    }
    if (left)
        abort();
    buf_free(&frames);
    return 0;
}
