/* WebSocket frames built by ourselves (RFC 6455, section 5.2), so that one frame can be written to
 * any number of connections. Only the server's direction: unmasked, never fragmented. Any thread.
 */
#ifndef WIRE_WS_FRAME_H
#define WIRE_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef enum ws_opcode { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8 } ws_opcode;

enum { WS_FRAME_HEADER_MAX = 10 };

/* Appends one whole message. */
void ws_frame_add(buf *out, ws_opcode op, const void *payload, size_t n);

/* The same, compressed by itself (permessage-deflate without using an earlier window, which RFC
 * 7692, 7.1.1 leaves to the sender). window_bits: 9 to 15. Falls back to the plain form when
 * compression does not pay. */
void ws_frame_add_deflated(buf *out, ws_opcode op, const void *payload, size_t n, int window_bits);

/* Messages of fewer bytes are not worth compressing. */
enum { WS_COMPRESS_MIN = 1024 };

/* Appends one whole message to a connection that negotiated permessage-deflate with this many
 * window bits, or none of it (0): compressed where that may pay. */
void ws_frame_add_message(buf *out, ws_opcode op, const void *payload, size_t n, int window_bits);

/* A Close frame: a code and up to 123 bytes of reason. */
void ws_frame_add_close(buf *out, int code, const char *reason);

/* Counts the messages in a run of whole frames. */
int ws_frame_count(const char *frames, size_t n);

#endif
