/* Reads WebSocket frames a server sends, split anywhere, by their headers: payloads are skipped,
 * not copied. A payload is shown where it lies when it arrived in one piece; only where it is
 * wanted and was split is it collected first. */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

#define BENCH_FRAME_MAX (64u << 20) /* a longer frame breaks the connection */

typedef struct bench_frames {
    /* Called at the end of each frame. payload is NULL when it was split and is not wanted; else
     * it has len bytes, which live for the call. */
    void (*frame)(void *arg, int opcode, bool fin, const char *payload, size_t len);
    void *arg;
    bool compressed;  /* permessage-deflate was agreed: RSV1 may be set; payloads are left as they
                         are */
    bool want;        /* collect split payloads of data frames too (of control frames always) */
    bool in_frame;    /* the header is complete, payload bytes are to come */
    bool fin;         /* of this frame */
    bool in_message;  /* a data message was begun and not yet finished */
    uint8_t opcode;   /* of this frame */
    uint8_t head_len; /* bytes of header so far */
    uint8_t head[10];
    size_t len;         /* of this frame's payload */
    size_t left;        /* bytes of it still to come */
    const char *broken; /* why nothing more is read; NULL: all is well */
    buf split;          /* a payload that arrived in pieces */
} bench_frames;

/* False when the peer broke the protocol (f->broken says how) or memory is out. */
bool bench_frames_feed(bench_frames *f, const char *p, size_t n);
void bench_frames_free(bench_frames *f);

/* Appends one masked client frame (FIN set) with the payload to out. */
void bench_frame_put(buf *out, int opcode, const char *payload, size_t len, uint32_t mask);

#endif
