/* Imports: rows that stream in with a request body and go into a table in bounded chunks.
 *
 *   reactor: body pieces --> input queue --> worker thread: parse, collect a chunk of rows
 *                                            --> JOB_INSERT_ROWS --> (engine) --> next chunk
 *
 * The worker waits while a chunk is being committed, and the socket is not read while the input
 * queue is full, so an import of any size takes a bounded amount of memory and never holds the
 * writer for longer than one chunk. */
#ifndef DAEMON_IMPORT_H
#define DAEMON_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/http.h"
#include "daemon/row_source.h"

typedef struct import_options {
    const char *table; /* copied */
    import_format format;
    const char *pointer; /* IMPORT_JSON: where the array is (RFC 6901); copied */
    bool create;         /* make the table, types inferred from the first rows */
    bool atomic;         /* all rows or none */
} import_options;

typedef struct import import;

/* Starts reading the request's body. The request is answered by the import, in every case. */
void import_start(request *q, const import_options *o);

#endif
