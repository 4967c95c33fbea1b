/* Live queries: a SELECT whose subscribers get its result, and then the difference whenever a
 * commit touched a table it reads.
 *
 * It speaks the feed's language. A subscription is answered with FEED_SUBSCRIBED (or FEED_REFUSED),
 * gets the present result as FEED_REPLAY for itself alone, with the same window and the same
 * acknowledgement as a replay of the feed's, and after FEED_LIVE the differences as FEED_FRAMES of
 * its stream. FEED_ENDED says why it is over. So whoever serves the feed's listeners serves these.
 * Numbers of streams and of subscriptions share the feed's space: a stream's number has the bit
 * QUERY_STREAM set, and a listener gives no number to both.
 *
 * The same SQL with the same parameters for the same identity is one query, and runs once for all
 * its subscribers, on the engine's readers like any other statement: one run at a time, the next
 * not before the shortest interval asked for has passed since the last began. Subscribers with
 * different intervals get their differences at their own pace.
 *
 * A result is that of one snapshot, and its lsn is exact: everything up to it is in the result,
 * nothing behind it. What the messages look like is in docs/protocol.md.
 */
#ifndef FEED_QUERY_H
#define FEED_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mailbox.h"
#include "engine/engine.h"
#include "feed/feed.h"

typedef struct queries queries;
struct feed_event;

enum {
    QUERY_HASH = 16,                    /* hex digits in a topic's name */
    QUERY_INTERVAL_DEFAULT_US = 100000, /* 100 ms */
    QUERY_INTERVAL_MIN_US = 10000,      /* 10 ms */
    QUERY_MAX_SQL = 65536,              /* bytes of a statement */
    QUERY_PART = 262144,                /* bytes of rows after which a message is split */
    QUERY_MAX_KEY = 16,                 /* columns of a primary key that serves as one */
};
#define QUERY_INTERVAL_MAX_US INT64_C(3600000000) /* 1 h */
#define QUERY_STREAM          (UINT64_C(1) << 63)

/* 0 means no limit. */
typedef struct query_limits {
    int64_t max_rows;    /* of one result; more ends the query with MESSAGE_TOO_BIG */
    int64_t max_bytes;   /* of one result as JSON; likewise */
    int64_t max_queries; /* running at once; more are refused: SUBSCRIPTION_LIMIT */
    int64_t max_memory;  /* bytes of all results kept; who exceeds it ends with BUSY */
} query_limits;

typedef struct queries_config {
    /* Turns a message into the bytes that go on the wire in this form, appended to out. The rows
     * are in ev->payload; ev->rec is NULL and ev->filter empty. Called on one thread only. */
    void (*render)(buf *out, int form, const struct feed_event *ev);
    /* Asked before each run and each admission, since settings change; on the same thread. */
    void (*limits)(void *arg, query_limits *out);
    void *limits_arg;
    int parallel; /* runs under way at once, of all queries together; 0: 1 */
} queries_config;

/* Starts the thread. NULL with e set when the change log cannot be read. */
queries *queries_start(engine *g, const queries_config *config, error *e);
/* There was a commit. Any thread, never blocks, costs an atomic read while there is no live query
 * (engine_config.on_commit). */
void queries_wake(queries *q);
/* Cancels what runs, ends the thread and forgets all subscriptions; no message is posted
 * afterwards. The engine must still be open. From here on nobody may call anything but
 * queries_wake, which does nothing. */
void queries_stop(queries *q);
/* After queries_stop, once nobody wakes it any more (the engine is closed). NULL is fine. */
void queries_free(queries *q);

/* As feed_add_listener; each listener is added to both in the same order, so the numbers agree. */
int queries_add_listener(queries *q, mailbox *box);

typedef struct query_request {
    int listener;
    uint64_t sub; /* the listener's number, unique per listener and never used again */
    int form;
    const char *sql;
    int n_params;
    const value *params;
    const char *const *names; /* NULL: positional, else as in engine_stmt */
    int64_t min_interval_us;  /* 0: QUERY_INTERVAL_DEFAULT_US */
    const char *identity;     /* whose rights it runs with: equal text, equal rights; NULL is "" */
} query_request;

/* Copied; answered with FEED_SUBSCRIBED once the query has run for the first time (`table` is then
 * the HASH of its topic query:HASH, `filter` is empty, lsn that of the result), or with
 * FEED_REFUSED: what the engine said of the statement, READ_ONLY when it writes, INVALID_MESSAGE
 * for an interval out of bounds, for anything but one SELECT, and for tables whose changes are not
 * logged, MESSAGE_TOO_BIG, SUBSCRIPTION_LIMIT, BUSY. Any thread. False, and nothing will be posted,
 * when memory is out. */
bool queries_subscribe(queries *q, const query_request *r);
/* Afterwards at most messages already posted arrive for it. Any thread. Unknown ones are fine. */
void queries_unsubscribe(queries *q, int listener, uint64_t sub);
/* `bytes` of FEED_REPLAY frames were written to the socket: the window opens. Any thread. */
void queries_ack(queries *q, int listener, uint64_t sub, size_t bytes);

/* Figures for statistics. Any thread. */
typedef struct queries_stats {
    int64_t queries;       /* live now */
    int64_t subscriptions; /* of them */
    int64_t runs;          /* since start */
    int64_t memory;        /* bytes of results kept */
} queries_stats;
void queries_stats_get(queries *q, queries_stats *out);

#endif
