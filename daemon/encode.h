/* The forms of a result: see run_encoder in run.h. */
#ifndef DAEMON_ENCODE_H
#define DAEMON_ENCODE_H

#include "daemon/run.h"

extern const run_encoder encode_none;         /* rows are of no interest */
extern const run_encoder encode_object;       /* the JSON object of POST /query */
extern const run_encoder encode_ndjson;       /* a line per row */
extern const run_encoder encode_export_jsonl; /* a line per row, an object */
extern const run_encoder encode_export_csv;   /* RFC 4180, with a header */
extern const run_encoder encode_batch;        /* {"results":[...]} */
extern const run_encoder encode_ws;           /* query_result messages of rustydb.json.v1 */
extern const run_encoder encode_rpc;          /* an answer of JSON-RPC, as a WebSocket frame */
extern const run_encoder encode_rpc_item;     /* the same as text, for a batch and for HTTP */
extern const run_encoder encode_bin;          /* QueryResult messages of rustydb.bin.v1 */
extern const run_encoder encode_bin_end;      /* its ExecuteResult: rows are counted only */

/* The text in r->out is a whole message: makes it a frame in r->wire. */
void encode_frame(run *r);

/* Members of a JSON object that several forms have. */
void encode_columns(json_writer *w, const engine_column *cols, int n);
void encode_row(json_writer *w, const value *row, int n);
void encode_summary(json_writer *w, const engine_summary *sum);

#endif
