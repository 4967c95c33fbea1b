/* The values of rustydb.bin.v1: parameters, results, rows of events. Text and blobs are borrowed.
 * Any thread. */
#ifndef WIRE_BIN_VALUE_H
#define WIRE_BIN_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/bincode.h"

typedef enum bin_value_type {
    BIN_NULL,    /* Null */
    BIN_INTEGER, /* Integer(i64) */
    BIN_REAL,    /* Real(f64) */
    BIN_TEXT,    /* Text(String) */
    BIN_BLOB,    /* Blob(Vec<u8>) */
    BIN_DECIMAL, /* Decimal(i64, u8): the real digits / 10^scale, where that is shorter */
    BIN_VALUE_TYPES
} bin_value_type;

enum { BIN_MAX_SCALE = 22 }; /* the highest power of ten that a double holds exactly */

typedef struct bin_value {
    bin_value_type type;
    size_t n; /* bytes of text or blob; BIN_DECIMAL: the scale */
    union {
        int64_t i; /* BIN_INTEGER; BIN_DECIMAL: the digits */
        double d;
        const char *p;
    };
} bin_value;

void bin_put_value(buf *out, const bin_value *v);
/* Text and blobs point into the input. */
bin_value bin_get_value(bc_reader *r);

/* A real as Real or, where that is shorter and reads back as the very same, as Decimal. Short
 * decimals are most of what tables hold, and a Real takes more room than their digits. */
bin_value bin_shortest_real(double v);
/* The real that a BIN_REAL or BIN_DECIMAL means. */
double bin_value_real(const bin_value *v);

#endif
