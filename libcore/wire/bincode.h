/* The encoding of the Rust crate bincode, version 2, in its standard configuration: little endian,
 * integers of variable length. Just the types that messages are made of:
 *
 *   u8, bool           one byte; a bool is 0 or 1
 *   u16, u32, u64      up to 250: one byte; else 251, 252 or 253 and 2, 4 or 8 bytes
 *   i64                zigzag (0, -1, 1, -2, ... as 0, 1, 2, 3, ...), then as a u64
 *   f64                eight bytes
 *   String, Vec<u8>    the length as a u64, and the bytes; a String is UTF-8
 *   Vec<T>             the number of items as a u64, and the items
 *   Option<T>          a byte 0, or a byte 1 and the value
 *   enum               the variant's index as a u32, and its fields
 *   struct, tuple      the fields, nothing else
 *
 * Writing appends to a buf, whose `failed` tells at the end whether everything fitted. Reading goes
 * through a reader that stops at the first fault: from then on everything reads as 0 and empty, and
 * the caller asks once at the end. It never looks behind the end, allocates nothing, and takes what
 * the crate takes: an integer in a longer form than needed is read, one wider than its type is not.
 * One thread at a time owns a reader. */
#ifndef WIRE_BINCODE_H
#define WIRE_BINCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* ---- writing ---- */

enum { BC_UINT_MAX = 9 }; /* bytes of the longest integer */

void bc_put_u8(buf *out, uint8_t v);
void bc_put_uint(buf *out, uint64_t v); /* u16, u32, u64: the same bytes for the same number */
void bc_put_int(buf *out, int64_t v);
void bc_put_real(buf *out, double v);
void bc_put_bytes(buf *out, const void *p, size_t n); /* a Vec<u8> */
/* A String. Bytes that are not UTF-8 become U+FFFD each: a peer would refuse the whole message. */
void bc_put_str(buf *out, const char *p, size_t n);

/* The bytes that bc_put_uint would append, into to; how many. */
size_t bc_uint(uint64_t v, char to[BC_UINT_MAX]);

/* ---- reading ---- */

typedef struct bc_reader {
    const unsigned char *start, *p, *end;
    const char *fault; /* what is wrong at p; NULL: nothing so far */
} bc_reader;

typedef enum bc_width { BC_U16 = 2, BC_U32 = 4, BC_U64 = 8 } bc_width;

void bc_open(bc_reader *r, const void *p, size_t n);
/* Whatever was found wrong by whoever knows what the bytes mean. The first fault stays. */
void bc_fail(bc_reader *r, const char *fault);
size_t bc_left(const bc_reader *r);

uint8_t bc_get_u8(bc_reader *r);
bool bc_get_bool(bc_reader *r); /* an Option's first byte, too */
uint64_t bc_get_uint(bc_reader *r, bc_width width);
int64_t bc_get_int(bc_reader *r);
double bc_get_real(bc_reader *r);
/* The index of an enum that has n variants. */
unsigned bc_get_variant(bc_reader *r, unsigned n);
/* The number of items that follow, each of which takes `least` bytes or more; a number for which
 * there are not enough bytes left is a fault, so that it is safe to allocate for. */
size_t bc_get_count(bc_reader *r, size_t least);
/* A Vec<u8> and a String: where the bytes stand in the input, and how many. */
const char *bc_get_bytes(bc_reader *r, size_t *n);
const char *bc_get_str(bc_reader *r, size_t *n);

#endif
