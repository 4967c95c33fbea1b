/* A value as the engines know it. Text and blobs are borrowed: they live as long as whoever handed
 * the value out says (a row: until the next row; a job's parameters: as long as its arena). */
#ifndef ENGINE_VALUE_H
#define ENGINE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "json/writer.h"

typedef enum value_type { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB } value_type;

typedef struct value {
    value_type type;
    size_t len; /* bytes of text (UTF-8, may hold NULs) or blob */
    union {
        int64_t i;
        double d;
        const char *p;
    };
} value;

/* As JSON: 64-bit integers exact, reals in the shortest form, blobs as {"$base64":"..."}. */
void value_write_json(json_writer *w, const value *v);

/* From JSON: the reverse, copied into the arena. true and false become 1 and 0. Other objects and
 * arrays are refused with INVALID_MESSAGE. `what` names the place for the message ("params[2]"). */
bool value_from_json(value *v, json_t *j, arena *mem, const char *what, error *e);

/* Two values are the same when type and content are; a NaN never occurs. */
bool value_equal(const value *a, const value *b);

/* A compact, self-delimiting record of n values, appended to out; the change log stores rows so.
 * Layout per value: one type byte, then for integers and reals 8 bytes little endian, for text and
 * blobs a 4-byte little-endian length and the bytes. */
void value_pack(buf *out, const value *v, int n);
/* Reads n values back; text and blobs point into the record. The bytes consumed, or -1 when the
 * record is damaged. */
long value_unpack(const char *p, size_t len, value *v, int n);

#endif
