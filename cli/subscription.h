/* One subscription, kept alive over any number of connections: what to ask for, where it stands,
 * and what the daemon's messages mean for it. Knows nothing of sockets. One thread.
 *
 * The position is the lsn of the last event passed on, or, before the first one, that of the
 * `subscribed` answer; so events are neither lost nor repeated when the request is made again. */
#ifndef CLI_SUBSCRIPTION_H
#define CLI_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/scan.h"

enum { SUBSCRIPTION_LOG_ID = 80 };

typedef struct subscription subscription;

typedef enum event_verdict {
    EVENT_NEXT,   /* passed on; the next one, please */
    EVENT_LAST,   /* passed on, and that was all that was wanted */
    EVENT_FAILED, /* not passed on: the position stays before it, and the subscription ends */
} event_verdict;

/* What the daemon tells. The slices live during the call. All run on the caller's thread. */
typedef struct subscription_ops {
    /* An event, in order. */
    event_verdict (*event)(subscription *s, scan_text payload);
    /* The position has moved. False ends the subscription. */
    bool (*moved)(subscription *s);
    void (*subscribed)(subscription *s);
    void (*notice)(subscription *s, const char *text);
} subscription_ops;

struct subscription {
    const subscription_ops *ops;
    void *arg;
    const char *topic; /* "table:NAME" or "channel:NAME"; this and the next are borrowed */
    const char *where; /* NULL: none */
    const char *kinds; /* operations as a JSON array, NULL: all */
    bool table;        /* the topic is a table, so there are positions */
    const char
        *query; /* a live query in place of a topic, which the daemon then tells; else NULL */
    const char *params;   /* of the query: a JSON array or object, NULL: none */
    bool of_daemon;       /* the topic is one of the daemon's own */
    const char *metrics;  /* a JSON array of names, NULL: all */
    int64_t interval_ms;  /* of the query or the metrics, 0: the daemon's default */
    char query_topic[64]; /* what the daemon told */
    char id[32];          /* the subscription's on this connection, while live */

    bool has_position;
    int64_t lsn;
    char log_id[SUBSCRIPTION_LOG_ID]; /* empty: not known (a plain --since) */

    int64_t retry_after_ms; /* the daemon asks to wait so long before the next connection, 0: not */
    bool live;              /* `subscribed` has come on this connection */
    bool finished;          /* an event handler ended it */
    error err; /* why it must end, or why the connection was given up; ERR_NONE: neither */
};

/* Sets the position from "N" or "LOG_ID:N". False when it is neither. */
bool subscription_since(subscription *s, const char *text);
/* The position as "LOG_ID:N" (or "N"), into `out`. */
void subscription_position(const subscription *s, buf *out);

/* A new connection begins. */
void subscription_connect(subscription *s);
/* Takes a message; `send` gets a text to send, if any. False when the connection is to be ended:
 * the subscription is finished, or s->err says why it cannot go on. */
bool subscription_message(subscription *s, const char *p, size_t n, buf *send);

/* Whether trying again cannot help. */
bool subscription_is_permanent(const error *e);

#endif
