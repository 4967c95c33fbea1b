/* The endpoint /api/v1/ws/query: bare JSON messages, one query after the other, results in batches.
 *
 * What belongs to one query, for the endpoint and for the encoder of its results. */
#ifndef DAEMON_WS_QUERY_H
#define DAEMON_WS_QUERY_H

#include <stdint.h>

#include "daemon/run.h"

enum {
    BATCH_ROWS = 1000, /* where none is asked for */
    BATCH_ROWS_MAX = 10000,
    BATCH_BYTES = 1 << 20, /* a batch of as many is ended before it is full */
};

/* In the arena of its run, as run.arg. */
typedef struct ws_query {
    uint64_t number;     /* counts the queries of the connection */
    const char *id;      /* the client's name of it, as JSON text; NULL: none */
    int batch_size;      /* rows */
    int in_batch;        /* rows in the message under way; the sink's */
    int64_t progress_us; /* how often the client wants to know; 0: not at all */
    int64_t asked_us, told_us;
} ws_query;

/* Begins a message about a query in `out`: {"type","query","id"?; the caller adds members. */
void ws_query_begin(json_writer *w, buf *out, const ws_query *q, const char *type);

extern const run_encoder encode_query; /* encode_query.c */

#endif
