/* How each kind of field is written and read: the inside of bin_message.c. */
#ifndef WIRE_BIN_FIELD_H
#define WIRE_BIN_FIELD_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/bin_layout.h"
#include "wire/bincode.h"

typedef struct bin_input {
    bc_reader *r;
    arena *mem;     /* for lists */
    bool no_memory; /* that is why the reader stopped */
} bin_input;

/* `at` points to the field, of the kind's C type. What is read into must be zeroed. */
void bin_put_field(buf *out, bin_kind kind, const void *at);
void bin_get_field(bin_input *in, bin_kind kind, void *at);

#endif
