/* Forms in which the rows of a result are shown. A format appends to a buf and knows nothing of
 * where the rows come from or where the text goes. One thread.
 *
 *   table  for people: columns as wide as their first rows need
 *   csv    RFC 4180 quoting, lines end in LF; NULL is an empty field, empty text is ""
 *   json   an array of objects, one a line
 *   jsonl  an object a line
 *   line   "column = value" lines, an empty line between rows
 *
 * In table and line, NULL is shown as NULL and control characters as \n, \x1b and so on. In json
 * and jsonl values stand exactly as the daemon sent them; a column name that occurs twice gets _2.
 * After an error json stays without its closing bracket, so that a part is not taken for the whole.
 * Several results in one output are set apart by an empty line, except in json and jsonl. */
#ifndef CLI_FORMAT_FORMAT_H
#define CLI_FORMAT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/cell.h"

typedef struct format_options {
    bool color;  /* ANSI colours */
    bool utf8;   /* lines drawn with box characters, otherwise with - and | */
    bool header; /* csv and table: column names first */
} format_options;

typedef struct format format;

typedef struct format_ops {
    const char *name;
    /* A result begins: f->names are set. */
    void (*begin)(format *f);
    /* f->n cells, valid during the call. */
    void (*row)(format *f, const cell *cells);
    /* Rows held back to be measured must be shown now; NULL when none are ever held. */
    void (*show)(format *f);
    void (*end)(format *f);
    void (*free)(format *f); /* NULL when there is nothing */
} format_ops;

struct format {
    const format_ops *ops;
    format_options options;
    buf *out;     /* not owned */
    int n;        /* columns */
    buf *names;   /* n column names, decoded; owned */
    int results;  /* results begun so far */
    int64_t rows; /* rows of the present result */
    void *own;    /* the format's own state */
};

/* The words for --format, separated by spaces. */
#define FORMAT_NAMES "table csv json jsonl line"

/* NULL for an unknown name. */
format *format_new(const char *name, const format_options *options, buf *out);
/* A result with these columns ({"name":...} objects in a JSON array) begins. False when the text is
 * not understood. */
bool format_begin(format *f, scan_text columns);
/* A row, as a JSON array. False when it has not one value per column. */
bool format_row(format *f, scan_text row);
void format_show(format *f);
void format_end(format *f);
void format_free(format *f);

extern const format_ops format_table, format_csv, format_json, format_jsonl, format_line;

#endif
