#include "wire/ws_frame.h"
#include "base/mem.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

enum { FIN = 0x80, RSV1 = 0x40, DEFLATE_LEVEL = 4, DEFLATE_MEMORY = 8 };

static void add_frame(buf *out, int first_byte, const void *payload, size_t n)
{
    unsigned char head[WS_FRAME_HEADER_MAX];
    size_t len = 2;
    head[0] = (unsigned char)first_byte;
    if (n < 126) {
        head[1] = (unsigned char)n;
    } else if (n <= 0xFFFF) {
        head[1] = 126;
        head[2] = (unsigned char)(n >> 8);
        head[3] = (unsigned char)n;
        len = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
        len = 10;
    }
    buf_add(out, head, len);
    buf_add(out, payload, n);
}

void ws_frame_add(buf *out, ws_opcode op, const void *payload, size_t n)
{
    add_frame(out, FIN | (int)op, payload, n);
}

void ws_frame_add_deflated(buf *out, ws_opcode op, const void *payload, size_t n, int window_bits)
{
    z_stream z = {0};
    if (deflateInit2(&z, DEFLATE_LEVEL, Z_DEFLATED, -window_bits, DEFLATE_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        ws_frame_add(out, op, payload, n);
        return;
    }
    size_t room = deflateBound(&z, n) + 16;
    unsigned char *packed = mem_alloc(room);
    z.next_in = (unsigned char *)(uintptr_t)payload;
    z.avail_in = (unsigned)n;
    z.next_out = packed;
    z.avail_out = (unsigned)room;
    bool done = packed && deflate(&z, Z_SYNC_FLUSH) == Z_OK && z.avail_in == 0 && z.avail_out > 0;
    size_t len = room - z.avail_out;
    deflateEnd(&z);
    /* The four bytes 00 00 FF FF at the end of a flush are not sent (RFC 7692, 7.2.1). */
    if (done && len >= 4 && len - 4 < n)
        add_frame(out, FIN | RSV1 | (int)op, packed, len - 4);
    else
        ws_frame_add(out, op, payload, n);
    mem_free(packed);
}

void ws_frame_add_message(buf *out, ws_opcode op, const void *payload, size_t n, int window_bits)
{
    if (window_bits && n >= WS_COMPRESS_MIN)
        ws_frame_add_deflated(out, op, payload, n, window_bits);
    else
        ws_frame_add(out, op, payload, n);
}

void ws_frame_add_close(buf *out, int code, const char *reason)
{
    unsigned char payload[125] = {(unsigned char)(code >> 8), (unsigned char)code};
    size_t n = strlen(reason);
    if (n > sizeof payload - 2)
        n = sizeof payload - 2;
    memcpy(payload + 2, reason, n);
    add_frame(out, FIN | WS_CLOSE, payload, n + 2);
}

int ws_frame_count(const char *frames, size_t n)
{
    const unsigned char *p = (const unsigned char *)frames, *end = p + n;
    int count = 0;
    while (end - p >= 2) {
        uint64_t len = p[1] & 0x7F;
        size_t head = 2;
        if (len == 126) {
            len = (uint64_t)p[2] << 8 | p[3];
            head = 4;
        } else if (len == 127) {
            len = 0;
            for (int i = 0; i < 8; i++)
                len = len << 8 | p[2 + i];
            head = 10;
        }
        p += head + len;
        count++;
    }
    return count;
}
