/* The layouts of bin_message.h as tables: which fields a payload has, of which kind, in what order.
 * Writing and reading walk them, and so can whoever wants to show a message. */
#ifndef WIRE_BIN_LAYOUT_H
#define WIRE_BIN_LAYOUT_H

#include <stddef.h>

#include "wire/bin_message.h"

typedef enum bin_kind {
    BIN_KIND_BOOL,
    BIN_KIND_U16,
    BIN_KIND_U64,
    BIN_KIND_I64,
    BIN_KIND_TEXT,
    BIN_KIND_OPT_TEXT,
    BIN_KIND_OPT_UINT,
    BIN_KIND_TEXTS,
    BIN_KIND_INDEXES,
    BIN_KIND_VALUES,
    BIN_KIND_OPT_VALUES,
    BIN_KIND_PARAMS,
    BIN_KIND_COLUMNS,
    BIN_KIND_OP,
    BIN_KIND_OPS,
    BIN_KIND_OPT_POLICY,
    BIN_KIND_TABLE_CHANGE,
    BIN_KIND_BODY,
} bin_kind;

typedef struct bin_field {
    const char *name;
    bin_kind kind;
    size_t at; /* offset in bin_message */
} bin_field;

typedef struct bin_layout {
    const char *name; /* of the enum's variant; of a type without variants, the type's */
    int n;
    const bin_field *fields;
} bin_layout;

typedef struct bin_type_layout {
    const char *name;
    unsigned n_forms; /* 0: the payload is a struct, forms[0] */
    const bin_layout *forms;
} bin_type_layout;

extern const bin_type_layout bin_types[BIN_TYPES];

#endif
