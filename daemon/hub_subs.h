/* Subscriptions of connections: each is a cursor into a stream of the hub, once its source (the
 * change feed, for tables) or its topic (channels) has said that it is live. Reactor thread only.
 */
#ifndef DAEMON_HUB_SUBS_H
#define DAEMON_HUB_SUBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "daemon/hub.h"
#include "daemon/metrics.h"
#include "daemon/reactor.h"
#include "feed/feed.h"

struct conn;

typedef enum sub_state {
    SUB_ASKED,    /* the source has not answered yet */
    SUB_INITIAL,  /* the rows that are there are being read (hub_initial.h) */
    SUB_REPLAY,   /* known; catching up from the log */
    SUB_LIVE,     /* reads the stream */
    SUB_RESUMING, /* fell behind; its source has been asked to go on from its last lsn */
} sub_state;

/* What happens to a subscriber that reads more slowly than events come. */
typedef enum sub_policy {
    POLICY_DISCONNECT,  /* its connection is closed with 1013; it can resume */
    POLICY_DROP_OLDEST, /* it is told which events it has missed, and goes on */
    POLICY_REPLAY,      /* it gets them from the log, as fast as it reads */
} sub_policy;

/* Who asked for a subscription on behalf of its connection, and wants to know what became of it. */
typedef struct sub_watch {
    /* Once: it is known now (e NULL), or it has ended before it was. */
    void (*told)(struct sub_watch *w, const struct sub *s, const error *e);
} sub_watch;

typedef struct sub {
    list ws_link;     /* ws.subs */
    list stream_link; /* hub_stream.subs while it reads there */
    struct conn *c;
    sub_state state;
    sub_policy policy;
    uint64_t id;     /* "s<id>" to the client */
    uint64_t number; /* the listener's number at the source; another one after each resuming */
    const feed_source *source; /* NULL: a topic's, which has none */
    hub_stream *stream;
    hub_segment *at; /* cursor, when live */
    size_t offset;
    int64_t lsn;     /* everything up to it has been written or did not match; 0: no lsn */
    int64_t lost_to; /* with lost: highest lsn that it was not given */
    uint64_t read;   /* frames of its stream before its cursor, when live */
    uint64_t sent;   /* messages handed to its connection */
    int64_t sent_us; /* when the last of them was; 0: none */
    int64_t created_us;
    int64_t since;             /* as it was asked for; -1: from then on */
    struct kept_request *kept; /* POLICY_REPLAY, or initial: as it was first asked for; owned */
    struct run *reading;       /* SUB_INITIAL: what reads them */
    int tables_read;
    char *shown;      /* with initial: what is seen of its tables, see feed_msg; owned */
    bool initial;     /* begins with the rows that are there */
    bool lost;        /* it has missed something and has not been told yet */
    int64_t *read_to; /* of each table, the position that it was read at; owned */
    char filter[FEED_FILTER_ID + 1];
    char *topic;             /* owned */
    char *query;             /* of a live query: its statement; owned */
    int64_t min_interval_ms; /* likewise, 0: none was asked for */
    char *key;               /* topic, operations, filter, columns: to find a second one; owned */
    int n_tables;            /* that were named in a list, 0: none */
    char **tables;           /* n_tables of them; owned, and each is */
    op_set ops;              /* 0: all */
    unsigned where_len;      /* 0: no expression */
    const char *where;       /* in key; behind it the columns, each after a line end */
    char *request_id;        /* of the subscribe message, until answered; owned */
    sub_watch *watch;        /* NULL: nobody, or it was told */
    atomic_int *listening;   /* NULL, or the count of an own topic's subscriptions that it is in */
} sub;

typedef struct sub_request {
    const char *topic; /* "table:NAME", "channel:NAME" or "tables:*"; NULL: `tables` */
    int n_tables;
    const char *const *tables;
    const int64_t *read_to; /* see feed_request */
    op_set ops;
    const char *where;
    int n_columns;
    const char *const *columns;
    bool has_since;
    int64_t since;
    const char *log_id;
    sub_policy policy;
    const engine_stmt *query; /* a live query; NULL: none. Then there is no topic */
    int64_t min_interval_ms;  /* 0: the default */
    bool initial;             /* the rows that are there first */
    bool of_metrics;          /* the next two were given; else all metrics, every second */
    int64_t interval_ms;
    metric_set metrics;
} sub_request;

/* A request kept for asking the feed again. */
typedef struct kept_request {
    feed_request q; /* in mem */
    arena mem;
} kept_request;

/* The policy of this name; false when there is none. */
bool sub_parse_policy(const char *name, sub_policy *to);
const char *sub_policy_name(sub_policy policy);

/* Checks, and answers now (topics) or when the source has. False with e set when it is refused. */
bool hub_subscribe(struct conn *c, const sub_request *s, const char *request_id, error *e);
/* By the client's name of it; false when the connection has no such subscription. */
bool hub_unsubscribe(struct conn *c, const char *subscription_id);
/* Ends it; the client is told why. */
void hub_cancel(sub *s, const error *why);
/* Drops all subscriptions of a connection. */
void hub_forget(struct conn *c);
void hub_sub_name(const sub *s, char out[32]);

/* A source's message; takes it over. */
void hub_on_feed(reactor *r, feed_msg *m);
/* `bytes` of replay for the subscription of this number were written. */
void hub_on_written(reactor *r, uint64_t number, size_t bytes);

/* ---- for those who add topics ---- */
/* For topics without positions: INVALID_MESSAGE for what only tables have. `what` names the topic
 * in the message. */
bool hub_check_live_only(const sub_request *q, const char *what, error *e);
/* A subscription that is not answered yet. NULL with e set: CONFLICT, SUBSCRIPTION_LIMIT. */
sub *hub_sub_new(struct conn *c, const sub_request *q, const char *request_id, error *e);
/* Forgets it, and (drop) tells its source. */
void hub_sub_free(sub *s);
void hub_sub_drop(sub *s);
/* Asks the feed anew for what is in s->kept. */
void hub_sub_ask_again(sub *s);
/* Answers the request; m: the source's answer, NULL for a topic. */
void hub_say_subscribed(sub *s, const feed_msg *m);

/* ---- for hub.c ---- */
/* The segment it has not read is about to go: acts as its policy says. */
void sub_fell_behind(sub *s, const hub_segment *oldest);
/* It cannot be given what comes: its connection is told and closed. */
void sub_cut_off(sub *s);
/* Says which events were lost, before the next are written. False: broken socket. */
bool sub_tell_loss(sub *s);

#endif
