/* Live queries: a SELECT's result, and then what changes in it, for as long as somebody listens.
 *
 * A live query is a statement with its parameters and the viewer that asks. Whoever subscribes to
 * the same one shares it: it runs once for all of them, on a reader thread of the engine, whenever
 * a commit has touched a table it reads. Its result is compared with the one before, and only the
 * difference is sent (live/event.h has the form of both).
 *
 * A subscriber asks for a least interval between two messages. It is rounded up to the next of 1,
 * 2, 5, 10, 20, 50, ... ms; subscribers of one query with one interval are a stream and share each
 * message of it, so that nobody is sent more than he asked for because of somebody else. Streams of
 * a query share its runs and results.
 *
 * Listeners, their mailboxes and the messages are the feed's (feed/feed.h), so that the receiver
 * need not tell the two apart: FEED_SUBSCRIBED once the query has run, FEED_REPLAY with the present
 * result for that subscription alone, FEED_LIVE, FEED_FRAMES for the stream, FEED_ENDED. `stream`
 * has LIVE_STREAM set in all of them. A result is made once and shared, however many read it
 * slowly, so there is no window.
 *
 * One thread does all of it but running the statements. It sleeps while nothing is subscribed, and
 * a commit then costs one look at a flag. */
#ifndef LIVE_QUERIES_H
#define LIVE_QUERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "engine/engine.h"
#include "feed/feed.h"

typedef struct queries queries;

enum {
    LIVE_HASH = 16,                 /* hex digits of a query's short name */
    LIVE_MAX_SQL = 65536,           /* bytes of its statement */
    LIVE_MAX_INTERVAL_MS = 3600000, /* the longest interval to ask for */
    LIVE_MAX_FORMS = 16,            /* ways of writing a message */
};
/* Set in the number of every stream, and in no number of the feed's. */
#define LIVE_STREAM (UINT64_C(1) << 63)

/* What may change while it runs. */
typedef struct queries_limits {
    int64_t max_queries;     /* distinct live queries */
    int64_t max_rows;        /* of a result */
    int64_t max_result;      /* bytes of a result, packed */
    int64_t max_memory;      /* bytes of all results that are held */
    int64_t min_interval_us; /* least interval between two messages, and the default */
} queries_limits;

typedef struct queries_config {
    int parallel;           /* statements that may run at once */
    const feed_form *forms; /* the feed's; their events have JSON and no record */
    int n_forms;            /* 1 to LIVE_MAX_FORMS */
    queries_limits limits;
} queries_config;

/* NULL with e set when the log cannot be read or memory is out. */
queries *queries_start(engine *g, const queries_config *config, error *e);
void queries_set_limits(queries *q, const queries_limits *limits); /* any thread */
/* There was a commit. Any thread, never blocks (engine_config.on_commit). */
void queries_wake(queries *q);
/* Cancels what runs, ends the thread and forgets all subscriptions; no message is posted
 * afterwards. From here on nobody may call anything but queries_wake. Before engine_close. */
void queries_stop(queries *q);
/* After queries_stop, once the engine is closed. NULL is fine. */
void queries_free(queries *q);

/* A listener has the number that feed_add_listener gave it. Its mailbox must outlive the live
 * queries. Any thread. */
void queries_add_listener(queries *q, int listener, mailbox *box);

/* The name of a query in topics: "query:" and this. False when memory is out. Any thread. */
bool queries_hash(const engine_stmt *stmt, const viewer *as, char out[LIVE_HASH + 1]);

typedef struct query_request {
    int listener;
    uint64_t sub; /* the listener's number, unique per listener and never used again */
    int form;
    const engine_stmt *stmt;
    const viewer *as;        /* whose eyes the query sees with (copied): never shared by two who see
                                differently, or are different users. NULL: the daemon itself */
    int64_t min_interval_us; /* 0: the default */
} query_request;

/* Copied; answered with FEED_SUBSCRIBED, or with FEED_REFUSED: the statement's own error,
 * INVALID_MESSAGE where it reads what the change log does not tell of, or nothing at all,
 * MESSAGE_TOO_BIG for its result, BUSY when there are too many. Any thread. False, and nothing will
 * be posted, when memory is out. */
bool queries_subscribe(queries *q, const query_request *r);
/* Afterwards at most messages already posted arrive for it. Any thread. */
void queries_unsubscribe(queries *q, int listener, uint64_t sub);

/* The subscription missed messages of its stream: it is answered anew, from FEED_SUBSCRIBED on,
 * with a result that takes the place of all it had; but not before it has acknowledged all the
 * bytes of FEED_REPLAY it was sent, so that a slow reader has one result under way. False when
 * memory is out. Any thread. */
bool queries_restart(queries *q, int listener, uint64_t sub);
/* `bytes` of FEED_REPLAY were written to the socket. Any thread. */
void queries_ack(queries *q, int listener, uint64_t sub, size_t bytes);
/* As feed_as_source. */
feed_source queries_as_source(queries *q);

/* What it has done since it started; a snapshot, any thread. */
typedef struct queries_stats {
    int64_t queries;        /* distinct live queries now */
    int64_t subscriptions;  /* now */
    int64_t memory;         /* bytes of results held now */
    int64_t runs;           /* statements that ran to their end */
    int64_t unchanged;      /* runs whose result was the one before */
    int64_t results, diffs; /* messages made, each once for all who share it */
    int64_t looks;          /* at the change log */
} queries_stats;
void queries_stats_get(queries *q, queries_stats *out);

#endif
