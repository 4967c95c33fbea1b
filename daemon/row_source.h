/* Rows out of an import's bytes, whatever their format: JSON, JSON lines or CSV. Fed in pieces;
 * holds one row. One thread. */
#ifndef DAEMON_ROW_SOURCE_H
#define DAEMON_ROW_SOURCE_H

#include "base/csv.h"
#include "daemon/rows.h"
#include "json/scan.h"

typedef enum import_format { IMPORT_JSON, IMPORT_JSONL, IMPORT_CSV } import_format;

typedef enum source_result {
    SOURCE_ROW,  /* one was added */
    SOURCE_MORE, /* feed the next piece */
    SOURCE_END,
    SOURCE_ERROR, /* e names the row, its line and byte offset */
} source_result;

typedef struct row_source {
    import_format format;
    json_scan scan; /* IMPORT_JSON, IMPORT_JSONL */
    csv_reader csv; /* IMPORT_CSV */
    char **names;   /* of the CSV header; owned */
    int n_names;
    int64_t rows;  /* read so far */
    int64_t bytes; /* of their text */
} row_source;

/* pointer: where the array is (IMPORT_JSON only). INVALID_MESSAGE when it is malformed. */
bool row_source_init(row_source *s, import_format format, const char *pointer, error *e);
void row_source_free(row_source *s);
/* The next piece; it must stay until row_source_next has said SOURCE_MORE. */
void row_source_feed(row_source *s, const char *p, size_t n);
void row_source_finish(row_source *s);
/* Adds the next row to `to`. */
source_result row_source_next(row_source *s, rows *to, error *e);

#endif
