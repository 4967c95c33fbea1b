/* The messages of rustydb.bin.v1: one WebSocket message is one bin_message in the encoding of
 * bincode 2 (wire/bincode.h), so that a Rust peer derives what it needs:
 *
 *     struct Message { version: u8, msg_type: MsgType, id: String, payload: Vec<u8> }
 *
 * The payload is again bincode: of the struct that belongs to the type, or of an enum of structs
 * where a type has several forms. The structs below are these layouts, field by field and in order;
 * bin_layout.h has them as tables, from which writing and reading follow. They are documented for
 * users in rustydb-protocol(7). Variants and types may be added at the end of their enum; anything
 * else is a new version.
 *
 * Nothing here owns memory: a message that was read points into the input, and for its lists into
 * the arena it was read with. Texts are UTF-8, are not NUL-terminated and may hold NULs. Any
 * thread. */
#ifndef WIRE_BIN_MESSAGE_H
#define WIRE_BIN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "wire/bin_value.h"

enum { BIN_VERSION = 1, BIN_MAX_ID = 256 /* bytes */ };

typedef enum bin_type { /* MsgType */
                        BIN_QUERY,
                        BIN_QUERY_RESULT,
                        BIN_EXECUTE,
                        BIN_EXECUTE_RESULT,
                        BIN_BEGIN_TXN,
                        BIN_COMMIT,
                        BIN_ROLLBACK,
                        BIN_SUBSCRIBE,
                        BIN_UNSUBSCRIBE,
                        BIN_EVENT,
                        BIN_ERROR,
                        BIN_TYPES
} bin_type;

/* ---- what the structs are made of --------------------------------------------------------------
 */

typedef struct bin_text { /* String */
    const char *p;
    size_t n;
} bin_text;

typedef struct bin_opt_text { /* Option<String> */
    const char *p;            /* NULL: None */
    size_t n;
} bin_opt_text;

typedef struct bin_opt_uint { /* Option<u64> */
    bool is;
    uint64_t v;
} bin_opt_uint;

typedef struct bin_texts { /* Vec<String> */
    size_t n;
    const bin_text *v;
} bin_texts;

typedef struct bin_indexes { /* Vec<u32> */
    size_t n;
    const uint32_t *v;
} bin_indexes;

typedef struct bin_values { /* Vec<Value> */
    size_t n;
    const bin_value *v;
} bin_values;

typedef struct bin_opt_values { /* Option<Vec<Value>> */
    bool is;
    bin_values values;
} bin_opt_values;

typedef enum bin_params_form {
    BIN_PARAMS_NONE,       /* None */
    BIN_PARAMS_POSITIONAL, /* Positional(Vec<Value>) */
    BIN_PARAMS_NAMED,      /* Named(Vec<(String, Value)>) */
    BIN_PARAMS_FORMS
} bin_params_form;

typedef struct bin_params { /* Params */
    bin_params_form form;
    size_t n;
    const bin_value *v;
    const bin_text *names; /* BIN_PARAMS_NAMED: without : @ or $ */
} bin_params;

typedef struct bin_column { /* Column */
    bin_text name;
    bin_opt_text decl_type; /* None: an expression */
} bin_column;

typedef struct bin_column_list { /* Vec<Column> */
    size_t n;
    const bin_column *v;
} bin_column_list;

typedef enum bin_op { BIN_INSERT, BIN_UPDATE, BIN_DELETE, BIN_OPS } bin_op; /* Op */

typedef struct bin_op_list { /* Vec<Op>; as a set of 1 << bin_op, in no order */
    unsigned set;
} bin_op_list;

typedef enum bin_policy { /* Policy */
                          BIN_POLICY_DISCONNECT,
                          BIN_POLICY_DROP_OLDEST,
                          BIN_POLICY_REPLAY,
                          BIN_POLICIES
} bin_policy;

typedef struct bin_opt_policy { /* Option<Policy> */
    bool is;
    bin_policy v;
} bin_opt_policy;

typedef enum bin_table_change { /* TableChange */
                                BIN_TABLE_ALTERED,
                                BIN_TABLE_RENAMED,
                                BIN_TABLE_DROPPED,
                                BIN_TABLE_CHANGES
} bin_table_change;

typedef enum bin_body_form {                  /* Body */
                             BIN_BODY_JSON,   /* Json(String): any JSON value as text */
                             BIN_BODY_TEXT,   /* Text(String) */
                             BIN_BODY_BINARY, /* Binary(Vec<u8>) */
                             BIN_BODY_FORMS
} bin_body_form;

typedef struct bin_body {
    bin_body_form form;
    const char *p;
    size_t n;
} bin_body;

/* ---- payloads ----------------------------------------------------------------------------------
 */

/* Query, and Execute::Statement. */
typedef struct bin_query {
    bin_text sql;
    bin_params params;
    bin_opt_text transaction; /* run in this one */
    bin_opt_uint timeout_ms;
    bin_opt_uint max_rows;
} bin_query;

/* QueryResult: the parts of a result, each a message with the request's id: Columns once, Rows any
 * number of times, End once. */
typedef enum bin_result_form {
    BIN_RESULT_COLUMNS,
    BIN_RESULT_ROWS,
    BIN_RESULT_END,
    BIN_RESULT_FORMS
} bin_result_form;

typedef struct bin_columns {
    bin_column_list columns;
} bin_columns;

typedef struct bin_rows {
    bin_values values; /* whole rows, one behind the other: as many values each as columns */
} bin_rows;

typedef struct bin_summary { /* QueryResult::End and ExecuteResult::Statement */
    uint64_t rows;
    uint64_t changes;
    int64_t last_insert_rowid; /* 0: inserted nothing */
    uint64_t lsn;
    uint64_t elapsed_us;
    bool truncated; /* there were more rows than max_rows */
} bin_summary;

typedef enum bin_execute_form {
    BIN_EXECUTE_STATEMENT, /* bin_query; rows are counted and not sent */
    BIN_EXECUTE_CANCEL,
    BIN_EXECUTE_PUBLISH,
    BIN_EXECUTE_FORMS
} bin_execute_form;

typedef struct bin_cancel {
    bin_text id; /* of the message that asked for what is to be cancelled */
} bin_cancel;

typedef struct bin_publish {
    bin_text channel;
    bin_opt_text event;
    bin_body message;
    bin_opt_text metadata; /* a JSON object as text */
} bin_publish;

/* ExecuteResult: the answer to everything that gives no rows. */
typedef enum bin_done_form {
    BIN_DONE_STATEMENT,   /* bin_summary */
    BIN_DONE_BEGUN,       /* bin_begun */
    BIN_DONE_COMMITTED,   /* bin_ended */
    BIN_DONE_ROLLED_BACK, /* bin_ended */
    BIN_DONE_SUBSCRIBED,
    BIN_DONE_UNSUBSCRIBED, /* bin_subscription */
    BIN_DONE_CANCELLED,    /* bin_cancel */
    BIN_DONE_PUBLISHED,
    BIN_DONE_FORMS
} bin_done_form;

typedef struct bin_begun {
    bin_text transaction;
} bin_begun;

typedef struct bin_ended {
    bin_text transaction;
    uint64_t lsn; /* head of the log afterwards */
} bin_ended;

typedef struct bin_subscribed {
    bin_text subscription_id;
    bin_text topic;
    bin_opt_text filter; /* short id of the filter, as events carry it */
    bin_opt_text log_id; /* None, as is lsn: the topic has no positions */
    bin_opt_uint lsn;
} bin_subscribed;

typedef struct bin_subscription { /* also Unsubscribe */
    bin_text subscription_id;
} bin_subscription;

typedef struct bin_published {
    uint64_t delivered;
} bin_published;

/* BeginTxn has no fields; Commit and Rollback: */
typedef struct bin_end_txn {
    bin_text transaction;
} bin_end_txn;

typedef enum bin_subscribe_form {
    BIN_SUBSCRIBE_TOPIC,   /* topic, and the rest */
    BIN_SUBSCRIBE_TABLES,  /* tables, and the rest: their events in one stream */
    BIN_SUBSCRIBE_QUERY,   /* a live query: sql, params, min_interval_ms, policy */
    BIN_SUBSCRIBE_METRICS, /* the topic metrics, chosen: interval_ms, metrics, policy */
    BIN_SUBSCRIBE_FORMS
} bin_subscribe_form;

typedef struct bin_subscribe {
    bin_text topic;
    bin_texts tables;
    bin_op_list ops; /* none: all */
    bin_opt_text where;
    bin_texts columns;   /* updates only where one of these changed; none: all */
    bin_opt_uint since;  /* events with an lsn above it */
    bin_opt_text log_id; /* the log that `since` is of, to be sure */
    bin_opt_policy policy;
    bool initial; /* first the rows that are there */
    bin_text sql;
    bin_params params;
    bin_opt_uint min_interval_ms; /* between two messages */
    bin_opt_uint interval_ms;
    bin_texts metrics; /* none: all */
} bin_subscribe;

/* Event: what comes without having been asked for by this message; its id is empty. */
typedef enum bin_event_form {
    BIN_EVENT_WELCOME,
    BIN_EVENT_CHANGE,
    BIN_EVENT_TABLE,
    BIN_EVENT_MESSAGE,
    BIN_EVENT_NOTICE,
    BIN_EVENT_CLOSING,
    BIN_EVENT_INITIAL,
    BIN_EVENT_INITIAL_END,
    BIN_EVENT_FORMS
} bin_event_form;

typedef struct bin_welcome {
    bin_text connection_id;
    bin_text version;
    bin_text log_id;
    uint64_t lsn;
    uint64_t max_message; /* bytes */
    uint64_t max_subscriptions;
    uint64_t max_pending; /* requests under way */
} bin_welcome;

typedef struct bin_change {
    bin_text topic;
    bin_opt_text filter;
    uint64_t lsn;
    uint64_t tx;
    int64_t committed_at; /* microseconds since 1970 */
    bin_op op;
    bin_texts columns;      /* names, in the order of the values */
    bin_opt_values row;     /* None: a delete */
    bin_opt_values old_row; /* None: an insert */
    bin_indexes changed;    /* of an update: places in columns, from 0 */
} bin_change;

typedef struct bin_table_event {
    bin_text topic;
    bin_opt_text filter;
    uint64_t lsn;
    int64_t committed_at;
    bin_table_change change;
    bin_opt_text renamed_to;
    bin_text sql;
} bin_table_event;

typedef struct bin_channel_message {
    bin_text topic; /* "channel:NAME", or "broadcast" */
    bin_opt_text event;
    bin_body message;
    bin_opt_text metadata; /* a JSON object as text */
    int64_t sent_at;       /* microseconds since 1970 */
} bin_channel_message;

typedef struct bin_notice { /* what is a JSON object in every protocol */
    bin_text kind;          /* the type it has in rustydb.json.v1: "event", "system", ... */
    bin_opt_text topic;     /* where it has one */
    bin_text payload;       /* a JSON object as text */
} bin_notice;

typedef struct bin_closing {
    uint16_t code;
    bin_text reason;
} bin_closing;

typedef struct bin_initial { /* a row that is there when a subscription begins */
    bin_text topic;
    bin_opt_text filter;
    bin_texts columns;
    bin_values row;
} bin_initial;

typedef struct bin_initial_end { /* all rows of the table have come */
    bin_text topic;
    bin_text subscription_id;
    uint64_t lsn; /* changes above it follow */
    uint64_t rows;
} bin_initial_end;

typedef struct bin_problem { /* Error */
    bin_text code;           /* a name of errors.def */
    bin_text message;
    bin_opt_text hint;
    bin_opt_uint position;        /* byte offset into the SQL or the filter */
    bin_opt_uint oldest;          /* GAP: the lowest lsn kept */
    bin_opt_text subscription_id; /* that subscription has ended, unless it continues */
    bin_opt_uint lost_from;       /* GAP of a subscription that continues: the first and the last */
    bin_opt_uint lost_to;         /* lsn that it was not given, where its events have one */
    bool continues;
} bin_problem;

/* ---- messages ----------------------------------------------------------------------------------
 */

typedef struct bin_message {
    bin_type type;
    bin_text id;
    unsigned form; /* of types that have several: the enum's variant */
    union {
        bin_query query;
        bin_columns columns;
        bin_rows rows;
        bin_summary summary;
        bin_cancel cancel;
        bin_publish publish;
        bin_begun begun;
        bin_ended ended;
        bin_subscribed subscribed;
        bin_subscription subscription;
        bin_published published;
        bin_end_txn end_txn;
        bin_subscribe subscribe;
        bin_welcome welcome;
        bin_change change;
        bin_table_event table;
        bin_channel_message message;
        bin_notice notice;
        bin_closing closing;
        bin_initial initial;
        bin_initial_end initial_end;
        bin_problem problem;
    };
} bin_message;

/* Appends the message; out->failed says whether it fitted. */
void bin_message_put(buf *out, const bin_message *m);

/* What stands before a payload; the payload follows as a Vec<u8>. For whoever writes it piece by
 * piece. */
void bin_envelope_put(buf *out, bin_type type, bin_text id);

/* Reads one message of exactly n bytes. False and INVALID_MESSAGE, with the place in e->position,
 * when it is anything else; INTERNAL_ERROR when memory is out. What was understood before that, the
 * id above all, is in *m: an answer can name it. */
bool bin_message_get(bin_message *m, const void *p, size_t n, arena *mem, error *e);

/* A C string as a text; NULL is None. */
bin_text bin_str(const char *s);
bin_opt_text bin_opt_str(const char *s);

#endif
