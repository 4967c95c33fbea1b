#include "wire/bin_layout.h"

/* A field's kind follows from its C type. */
/* clang-format off */
#define KIND(field) _Generic(((bin_message *)0)->field, \
    bool: BIN_KIND_BOOL, \
    uint16_t: BIN_KIND_U16, \
    uint64_t: BIN_KIND_U64, \
    int64_t: BIN_KIND_I64, \
    bin_text: BIN_KIND_TEXT, \
    bin_opt_text: BIN_KIND_OPT_TEXT, \
    bin_opt_uint: BIN_KIND_OPT_UINT, \
    bin_texts: BIN_KIND_TEXTS, \
    bin_indexes: BIN_KIND_INDEXES, \
    bin_values: BIN_KIND_VALUES, \
    bin_opt_values: BIN_KIND_OPT_VALUES, \
    bin_params: BIN_KIND_PARAMS, \
    bin_column_list: BIN_KIND_COLUMNS, \
    bin_op_list: BIN_KIND_OPS, \
    bin_opt_policy: BIN_KIND_OPT_POLICY, \
    bin_body: BIN_KIND_BODY)

#define FIELD_AS(form, name, kind) {#name, kind, offsetof(bin_message, form.name)}
#define FIELD(form, name) FIELD_AS(form, name, KIND(form.name))
#define FORM(name, fields) {name, (int)(sizeof(fields) / sizeof *(fields)), fields}
#define FORMS(forms) (unsigned)(sizeof(forms) / sizeof *(forms)), forms
/* clang-format on */

static const bin_field query[] = {
    FIELD(query, sql),        FIELD(query, params),   FIELD(query, transaction),
    FIELD(query, timeout_ms), FIELD(query, max_rows),
};
static const bin_field columns[] = {FIELD(columns, columns)};
static const bin_field rows[] = {FIELD(rows, values)};
static const bin_field summary[] = {
    FIELD(summary, rows), FIELD(summary, changes),    FIELD(summary, last_insert_rowid),
    FIELD(summary, lsn),  FIELD(summary, elapsed_us), FIELD(summary, truncated),
};
static const bin_field cancel[] = {FIELD(cancel, id)};
static const bin_field publish[] = {
    FIELD(publish, channel),
    FIELD(publish, event),
    FIELD(publish, message),
    FIELD(publish, metadata),
};
static const bin_field begun[] = {FIELD(begun, transaction)};
static const bin_field ended[] = {FIELD(ended, transaction), FIELD(ended, lsn)};
static const bin_field subscribed[] = {
    FIELD(subscribed, subscription_id), FIELD(subscribed, topic), FIELD(subscribed, filter),
    FIELD(subscribed, log_id),          FIELD(subscribed, lsn),
};
static const bin_field subscription[] = {FIELD(subscription, subscription_id)};
static const bin_field published[] = {FIELD(published, delivered)};
static const bin_field end_txn[] = {FIELD(end_txn, transaction)};
#define SUBSCRIBE_OPTIONS                                                                          \
    FIELD(subscribe, ops), FIELD(subscribe, where), FIELD(subscribe, columns),                     \
        FIELD(subscribe, since), FIELD(subscribe, log_id), FIELD(subscribe, policy),               \
        FIELD(subscribe, initial)
static const bin_field subscribe[] = {FIELD(subscribe, topic), SUBSCRIBE_OPTIONS};
static const bin_field subscribe_tables[] = {FIELD(subscribe, tables), SUBSCRIBE_OPTIONS};
static const bin_field subscribe_query[] = {
    FIELD(subscribe, sql),
    FIELD(subscribe, params),
    FIELD(subscribe, min_interval_ms),
    FIELD(subscribe, policy),
};
static const bin_field subscribe_metrics[] = {
    FIELD(subscribe, interval_ms),
    FIELD(subscribe, metrics),
    FIELD(subscribe, policy),
};
static const bin_field welcome[] = {
    FIELD(welcome, connection_id), FIELD(welcome, version),     FIELD(welcome, log_id),
    FIELD(welcome, lsn),           FIELD(welcome, max_message), FIELD(welcome, max_subscriptions),
    FIELD(welcome, max_pending),
};
static const bin_field change[] = {
    FIELD(change, topic),   FIELD(change, filter),       FIELD(change, lsn),
    FIELD(change, tx),      FIELD(change, committed_at), FIELD_AS(change, op, BIN_KIND_OP),
    FIELD(change, columns), FIELD(change, row),          FIELD(change, old_row),
    FIELD(change, changed),
};
static const bin_field table[] = {
    FIELD(table, topic),
    FIELD(table, filter),
    FIELD(table, lsn),
    FIELD(table, committed_at),
    FIELD_AS(table, change, BIN_KIND_TABLE_CHANGE),
    FIELD(table, renamed_to),
    FIELD(table, sql),
};
static const bin_field message[] = {
    FIELD(message, topic),    FIELD(message, event),   FIELD(message, message),
    FIELD(message, metadata), FIELD(message, sent_at),
};
static const bin_field notice[] = {FIELD(notice, kind), FIELD(notice, topic),
                                   FIELD(notice, payload)};
static const bin_field closing[] = {FIELD(closing, code), FIELD(closing, reason)};
static const bin_field initial[] = {
    FIELD(initial, topic),
    FIELD(initial, filter),
    FIELD(initial, columns),
    FIELD(initial, row),
};
static const bin_field initial_end[] = {
    FIELD(initial_end, topic),
    FIELD(initial_end, subscription_id),
    FIELD(initial_end, lsn),
    FIELD(initial_end, rows),
};
static const bin_field problem[] = {
    FIELD(problem, code),      FIELD(problem, message), FIELD(problem, hint),
    FIELD(problem, position),  FIELD(problem, oldest),  FIELD(problem, subscription_id),
    FIELD(problem, lost_from), FIELD(problem, lost_to), FIELD(problem, continues),
};

static const bin_layout query_forms[] = {FORM("Query", query)};
static const bin_layout query_result_forms[] = {
    [BIN_RESULT_COLUMNS] = FORM("Columns", columns),
    [BIN_RESULT_ROWS] = FORM("Rows", rows),
    [BIN_RESULT_END] = FORM("End", summary),
};
static const bin_layout execute_forms[] = {
    [BIN_EXECUTE_STATEMENT] = FORM("Statement", query),
    [BIN_EXECUTE_CANCEL] = FORM("Cancel", cancel),
    [BIN_EXECUTE_PUBLISH] = FORM("Publish", publish),
};
static const bin_layout execute_result_forms[] = {
    [BIN_DONE_STATEMENT] = FORM("Statement", summary),
    [BIN_DONE_BEGUN] = FORM("Begun", begun),
    [BIN_DONE_COMMITTED] = FORM("Committed", ended),
    [BIN_DONE_ROLLED_BACK] = FORM("RolledBack", ended),
    [BIN_DONE_SUBSCRIBED] = FORM("Subscribed", subscribed),
    [BIN_DONE_UNSUBSCRIBED] = FORM("Unsubscribed", subscription),
    [BIN_DONE_CANCELLED] = FORM("Cancelled", cancel),
    [BIN_DONE_PUBLISHED] = FORM("Published", published),
};
static const bin_layout begin_forms[] = {{"BeginTxn", 0, NULL}};
static const bin_layout commit_forms[] = {FORM("Commit", end_txn)};
static const bin_layout rollback_forms[] = {FORM("Rollback", end_txn)};
static const bin_layout subscribe_forms[] = {
    [BIN_SUBSCRIBE_TOPIC] = FORM("Topic", subscribe),
    [BIN_SUBSCRIBE_TABLES] = FORM("Tables", subscribe_tables),
    [BIN_SUBSCRIBE_QUERY] = FORM("Query", subscribe_query),
    [BIN_SUBSCRIBE_METRICS] = FORM("Metrics", subscribe_metrics),
};
static const bin_layout unsubscribe_forms[] = {FORM("Unsubscribe", subscription)};
static const bin_layout event_forms[] = {
    [BIN_EVENT_WELCOME] = FORM("Welcome", welcome),
    [BIN_EVENT_CHANGE] = FORM("Change", change),
    [BIN_EVENT_TABLE] = FORM("Table", table),
    [BIN_EVENT_MESSAGE] = FORM("Message", message),
    [BIN_EVENT_NOTICE] = FORM("Notice", notice),
    [BIN_EVENT_CLOSING] = FORM("Closing", closing),
    [BIN_EVENT_INITIAL] = FORM("Initial", initial),
    [BIN_EVENT_INITIAL_END] = FORM("InitialEnd", initial_end),
};
static const bin_layout error_forms[] = {FORM("Error", problem)};

const bin_type_layout bin_types[BIN_TYPES] = {
    [BIN_QUERY] = {"Query", 0, query_forms},
    [BIN_QUERY_RESULT] = {"QueryResult", FORMS(query_result_forms)},
    [BIN_EXECUTE] = {"Execute", FORMS(execute_forms)},
    [BIN_EXECUTE_RESULT] = {"ExecuteResult", FORMS(execute_result_forms)},
    [BIN_BEGIN_TXN] = {"BeginTxn", 0, begin_forms},
    [BIN_COMMIT] = {"Commit", 0, commit_forms},
    [BIN_ROLLBACK] = {"Rollback", 0, rollback_forms},
    [BIN_SUBSCRIBE] = {"Subscribe", FORMS(subscribe_forms)},
    [BIN_UNSUBSCRIBE] = {"Unsubscribe", 0, unsubscribe_forms},
    [BIN_EVENT] = {"Event", FORMS(event_forms)},
    [BIN_ERROR] = {"Error", 0, error_forms},
};
