#include "cli/bench/frames.h"

#include <string.h>

static bool broken(bench_frames *f, const char *why)
{
    f->broken = why;
    return false;
}

/* How long the header is, as far as its first two bytes tell. */
static size_t head_size(const uint8_t *h)
{
    switch (h[1] & 0x7f) {
    case 126:
        return 4;
    case 127:
        return 10;
    default:
        return 2;
    }
}

static uint64_t payload_size(const uint8_t *h, size_t size)
{
    if (size == 2)
        return h[1] & 0x7f;
    uint64_t v = 0;
    for (size_t i = 2; i < size; i++)
        v = v << 8 | h[i];
    return v;
}

static bool check_order(bench_frames *f)
{
    if (f->opcode >= WS_CLOSE) {
        if (f->len > 125 || !f->fin)
            return broken(f, "a control frame is long or fragmented");
        return true;
    }
    if (f->in_message != (f->opcode == WS_CONTINUATION))
        return broken(f, "a message's fragments are out of order");
    f->in_message = !f->fin;
    return true;
}

static bool begin_frame(bench_frames *f, const uint8_t *h, size_t size)
{
    if (h[0] & (f->compressed ? 0x30 : 0x70))
        return broken(f, "a reserved bit is set though no extension was agreed");
    if (h[1] & 0x80)
        return broken(f, "the server masked a frame");
    uint64_t len = payload_size(h, size);
    if (len > BENCH_FRAME_MAX)
        return broken(f, "a frame is too long");
    f->fin = h[0] & 0x80;
    f->opcode = h[0] & 0x0f;
    if ((f->opcode > WS_BINARY && f->opcode < WS_CLOSE) || f->opcode > WS_PONG)
        return broken(f, "a frame has an unknown opcode");
    f->len = f->left = (size_t)len;
    f->head_len = 0;
    f->in_frame = true;
    return check_order(f);
}

/* Takes header bytes; in the common case the whole header lies in the input. */
static size_t feed_head(bench_frames *f, const char *p, size_t n)
{
    const uint8_t *h = (const uint8_t *)p;
    if (!f->head_len && n >= 2 && n >= head_size(h)) {
        size_t size = head_size(h);
        begin_frame(f, h, size);
        return size;
    }
    f->head[f->head_len++] = *h;
    if (f->head_len >= 2 && f->head_len == head_size(f->head))
        begin_frame(f, f->head, f->head_len);
    return 1;
}

static size_t feed_payload(bench_frames *f, const char *p, size_t n)
{
    size_t take = n < f->left ? n : f->left;
    bool split = take < f->len;
    bool keep = split && (f->want || f->opcode >= WS_CLOSE);
    if (keep)
        buf_add(&f->split, p, take);
    f->left -= take;
    if (f->left)
        return take;
    f->in_frame = false;
    if (keep && f->split.failed)
        broken(f, "memory is out");
    else
        f->frame(f->arg, f->opcode, f->fin, split ? (keep ? f->split.data : NULL) : p, f->len);
    if (keep)
        buf_free(&f->split);
    return take;
}

bool bench_frames_feed(bench_frames *f, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && !f->broken) {
        if (!f->in_frame)
            at += feed_head(f, p + at, n - at);
        if (f->in_frame && !f->broken && (at < n || !f->left))
            at += feed_payload(f, p + at, n - at);
    }
    return !f->broken;
}

void bench_frames_free(bench_frames *f)
{
    buf_free(&f->split);
}

void bench_frame_put(buf *out, int opcode, const char *payload, size_t len, uint32_t mask)
{
    uint8_t head[14] = {(uint8_t)(0x80 | opcode)};
    size_t n = 2;
    if (len < 126) {
        head[1] = (uint8_t)(0x80 | len);
    } else {
        size_t bytes = len <= 0xffff ? 2 : 8;
        head[1] = bytes == 2 ? 0x80 | 126 : 0x80 | 127;
        for (size_t i = 0; i < bytes; i++)
            head[n++] = (uint8_t)((uint64_t)len >> (8 * (bytes - 1 - i)));
    }
    uint8_t key[4];
    memcpy(key, &mask, 4);
    memcpy(head + n, key, 4);
    buf_add(out, head, n + 4);
    char *to = buf_reserve(out, len);
    if (!to)
        return;
    for (size_t i = 0; i < len; i++)
        to[i] = (char)(payload[i] ^ key[i & 3]);
    out->len += len;
}
