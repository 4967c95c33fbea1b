/* One value of a result, as the daemon sent it, and its text for people and CSV. */
#ifndef CLI_CELL_H
#define CLI_CELL_H

#include "base/buf.h"
#include "cli/scan.h"

typedef enum cell_kind {
    CELL_NULL,
    CELL_NUMBER, /* infinities too */
    CELL_TEXT,
    CELL_BLOB,
} cell_kind;

typedef struct cell {
    cell_kind kind;
    scan_text json; /* borrowed: the line it came in */
} cell;

cell cell_of(scan_text json);

/* Appends the value without any quoting: numbers digit for digit, infinities as Infinity and
 * -Infinity, text decoded, blobs as the SQL literal x'0aff', NULL as nothing. */
void cell_text(const cell *c, buf *out);

#endif
