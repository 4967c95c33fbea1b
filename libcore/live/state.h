/* Live queries from the inside: what there is, and what the files do for each other.
 *
 *   queries.c  the thread, its mailbox, and the functions that others call
 *   ask.c      a request: its statement in its normal form, its hash
 *   subs.c     subscriptions: admitted, answered, ended
 *   watch.c    the change log: which queries a commit concerns
 *   run.c      running the statement: the engine's job and its sink
 *   query.c    a query's life: when it is due, what a run came to
 *   send.c     streams: differences, messages, who becomes live when
 *   result.c, index.c, diff.c, event.c   results, and what is told of them
 *
 * Everything belongs to the thread of the live queries, except what stands under `lock`, and a run
 * while the engine has it.
 *
 * A stream has a base: the result its live subscribers have. Every message leads from there to the
 * query's newest result, which becomes the base. A subscription starts with the newest result,
 * which may be ahead of the base where the stream's interval is not over; then it waits beside the
 * stream with a base of its own, is told the first difference by itself, and becomes live with it,
 * the same result now being the base of both. That is why no difference is missed or repeated. */
#ifndef LIVE_STATE_H
#define LIVE_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "live/event.h"
#include "live/queries.h"
#include "live/result.h"

#define LQ_NEVER INT64_MAX

enum { LQ_DIGEST = 32 };

typedef enum lq_mail_kind { LQ_MAIL_WAKE, LQ_MAIL_STOP, LQ_MAIL_SUB, LQ_MAIL_RUN } lq_mail_kind;

/* In the mailbox. */
typedef struct lq_mail {
    list link;
    lq_mail_kind kind;
} lq_mail;

/* What was asked for; a query keeps that of its first subscription. */
typedef struct lq_ask {
    arena mem; /* holds the statement */
    engine_stmt stmt;
    const viewer *as; /* kept; NULL: the daemon itself */
    bool moved; /* the text is not the one that was sent: places in it mean nothing to the sender */
    unsigned char digest[LQ_DIGEST]; /* of statement, parameters and viewer */
    char hash[LIVE_HASH + 1];        /* its first digits */
} lq_ask;

typedef struct lq_query lq_query;
typedef struct lq_stream lq_stream;
typedef struct lq_run lq_run;

/* A table that some query reads. */
typedef struct lq_table {
    char *name;
    list readers; /* lq_reads.link */
} lq_table;

typedef struct lq_reads {
    list link; /* lq_table.readers */
    lq_table *table;
    lq_query *query;
} lq_reads;

/* A statement with its parameters and who asks. */
struct lq_query {
    list link; /* queries->all */
    lq_ask *ask;
    bool known;      /* it is in queries->by_digest: not so once it ends */
    int subs;        /* subscriptions in any state */
    list waiting;    /* those that wait for a first result */
    list streams;    /* the same query at different intervals */
    lq_reads *reads; /* the tables it reads, n_reads of them */
    int n_reads;

    lq_result *now;                /* the newest result, NULL before the first */
    refbuf *texts[LIVE_MAX_FORMS]; /* its event, rendered; NULL: not needed so far */
    int64_t run_lsn;               /* position of the last run that succeeded */
    int64_t touched;               /* highest lsn of a change to its tables that the log told */
    bool rerun;                    /* it must run again, whatever the log says */
    bool to_send;                  /* somebody is to be told at once */
    bool ran;                      /* ... and by a run: the streams' intervals begin anew */

    lq_run *run;        /* while it runs */
    int64_t runs, done; /* number of the last run that was started, and that succeeded */
    list ready;         /* queries->ready while it waits for its turn */
    int64_t rest_until; /* it must not run before */
    int failures;       /* runs that failed in a row, for want of something that may come */
    bool ends;          /* it is over: `why`; what remains is to tell everyone */
    error why;

    int64_t due; /* what the heap sorts by, LQ_NEVER: it is not in it */
    int place;   /* in the heap */
};

/* A way of writing the messages of a stream, with those who want it so. */
typedef struct lq_outlet {
    int n_live;
    int live_at[FEED_MAX_LISTENERS]; /* live subscriptions of each listener */
} lq_outlet;

/* A query at an interval. */
struct lq_stream {
    uint64_t id; /* without the form */
    lq_query *query;
    list link; /* query->streams */
    int64_t interval_us;
    int subs;        /* subscriptions that are answered */
    lq_result *base; /* what its live subscribers have; NULL: it has none */
    uint64_t seen;   /* serial of the result that was last compared with the base */
    int64_t next;    /* no message before */
    list live, beside;
    lq_outlet outlets[LIVE_MAX_FORMS];
};

typedef enum lq_sub_state {
    LQ_SUB_NEW,     /* in the mailbox */
    LQ_SUB_WAITING, /* for a result to start with */
    LQ_SUB_BESIDE,  /* has a result, its own; becomes live with the next difference */
    LQ_SUB_LIVE,    /* follows its stream */
    LQ_SUB_OVER,    /* ended; freed when its last request has come out of the mailbox */
} lq_sub_state;

enum { LQ_ASK_SUBSCRIBE = 1, LQ_ASK_UNSUBSCRIBE = 2, LQ_ASK_RESTART = 4 };

/* No padding: the bytes are the key. */
typedef struct lq_sub_key {
    uint64_t listener, number;
} lq_sub_key;

typedef struct lq_sub {
    lq_mail mail;
    /* under queries->lock */
    bool queued;    /* mail is linked */
    unsigned asked; /* LQ_ASK_* since it was last taken */
    size_t unread;  /* bytes of FEED_REPLAY that are not acknowledged */
    feed_msg *next; /* to answer with after a restart; with it, unread must be 0 to ask for one */
    /* set by queries_subscribe */
    int listener, form;
    uint64_t number;
    int64_t interval_us;
    lq_ask *ask;      /* until it is admitted */
    feed_msg *answer; /* FEED_SUBSCRIBED or FEED_REFUSED, until it is sent */
    /* the thread's */
    lq_sub_state state;
    list link; /* query->waiting, stream->beside or live */
    lq_query *query;
    lq_stream *stream; /* once it is answered */
    lq_result *base;   /* LQ_SUB_BESIDE */
    int64_t need_lsn;  /* LQ_SUB_WAITING: a result of this position will do */
    int64_t need_run;  /* ... and of this run or a later one */
} lq_sub;

/* The statement under way. The engine has it from the start to the sink's done, which posts it. */
struct lq_run {
    lq_mail mail;
    job_sink sink;
    job job;
    queries *owner;
    lq_query *query;
    int64_t number; /* which run of the query */
    int64_t max_rows, max_bytes;
    int64_t took_us; /* of a reader thread */
    lq_result *result;
    bool no_memory, too_big, too_many;
    bool failed;
    error err;
};

struct queries {
    engine *engine;
    queries_config config;
    pthread_t thread;
    mailbox box;
    lq_mail wake_mail, stop_mail;
    atomic_bool woken;  /* wake_mail is in the box, or was taken and the log not yet looked at */
    atomic_bool active; /* there are queries: commits are of interest */
    /* queries_limits, each by itself; see limits_of */
    _Atomic int64_t max_queries, max_rows, max_result, max_memory, min_interval_us;
    /* queries_stats, each by itself */
    _Atomic int64_t n_queries, n_subs, memory, n_runs, n_unchanged, n_results, n_diffs, n_looks;

    pthread_mutex_t lock; /* guards subs, listeners, and the marked fields of every subscription */
    map subs;             /* listener and number -> lq_sub; what is here may be asked about */
    mailbox *listeners[FEED_MAX_LISTENERS];

    log_reader *reader;
    char log_id[40];
    int64_t at;        /* the log was looked at up to here */
    int64_t schema;    /* number of the schema then */
    bool look_wanted;  /* there was a commit since, perhaps */
    int64_t looked_at; /* monotonic */
    list arrivals;     /* subscriptions to be admitted after the next look */

    list all;        /* queries */
    map by_digest;   /* digest -> query */
    map tables;      /* name -> lq_table */
    lq_query **heap; /* those with something to do, the next one first */
    int n_heap, heap_room;
    list ready; /* queries to run, in line */
    int running;
    bool stopping;
    uint64_t last_stream, last_serial;
    lq_writer writer;
    buf text, frames;
    int64_t retry_at, retry_us; /* after a failure: when to go on (monotonic), the pause; 0: none */
};

/* ---- queries.c --------------------------------------------------------------------------------
 */

feed_msg *lq_msg_new(feed_msg_kind kind, const lq_sub *s);
/* The number of a stream in a form, as messages have it. */
uint64_t lq_stream_number(const lq_stream *s, int form);
void lq_post(queries *f, int listener, feed_msg *m);
/* Something that must succeed did not: pause, then try again. `e` NULL: memory. */
void lq_back_off(queries *f, const char *doing, const error *e);
void lq_count(_Atomic int64_t *what, int64_t n);

/* ---- ask.c ------------------------------------------------------------------------------------
 */

/* NULL when memory is out. Any thread. */
lq_ask *lq_ask_new(const engine_stmt *stmt, const viewer *as);
void lq_ask_free(lq_ask *a); /* NULL is fine */
/* The interval that subscribers who want this one share. */
int64_t lq_interval(int64_t wanted_us, int64_t least_us);

/* ---- subs.c -----------------------------------------------------------------------------------
 */

void lq_sub_on_mail(queries *f, lq_sub *s);
/* Admits those who have arrived; the log was looked at since. */
void lq_admit_all(queries *f);
/* The one place where a subscription changes its state. */
void lq_sub_move(lq_sub *s, lq_sub_state to);
/* A FEED_REPLAY is about to be posted. */
void lq_sub_sent(queries *f, int listener, const feed_msg *m);
/* Lets go of a subscription that is not to hear anything more. */
void lq_sub_forget(queries *f, lq_sub *s);
void lq_sub_free(lq_sub *s);

/* ---- watch.c ----------------------------------------------------------------------------------
 */

/* Reads in the log which tables were touched. False after a failure, which was answered with a
 * pause. */
bool lq_look(queries *f);
/* From nothing to the first query: the position is the log's head. */
bool lq_begin_watching(queries *f, error *e);
/* Has the query hear of these tables (names, each with a NUL behind it) and of no others, changes
 * behind `since` included. False with e set. */
bool lq_watch(queries *f, lq_query *q, const buf *tables, int64_t since, error *e);
void lq_unwatch(queries *f, lq_query *q);

/* ---- run.c ------------------------------------------------------------------------------------
 */

/* A run to be given to the engine; it comes back as mail. NULL when memory is out. */
lq_run *lq_run_new(queries *f, lq_query *q);
/* Whether it succeeded; otherwise why not. */
bool lq_run_check(lq_run *r, error *e);
void lq_run_free(lq_run *r);

/* ---- query.c ----------------------------------------------------------------------------------
 */

/* The query for what is asked, made where there is none; takes the ask over where it makes one (and
 * sets *ask to NULL). BUSY when there are too many. */
lq_query *lq_query_get(queries *f, lq_ask **ask, error *e);
/* Whether it must run before it has anything new to tell. */
static inline bool lq_query_is_stale(const lq_query *q)
{
    return !q->now || q->rerun || q->touched > q->run_lsn;
}
/* Whether its newest result is good enough for a subscription that waits: one that holds all that
 * was committed when it was asked for. */
static inline bool lq_query_serves(const lq_query *q, const lq_sub *s)
{
    return q->now && q->done >= s->need_run &&
           (q->touched <= q->run_lsn || s->need_lsn <= q->run_lsn);
}
/* Something about it has changed: finds out when it is due. */
void lq_query_update(queries *f, lq_query *q);
/* A run has come back. */
void lq_query_on_run(queries *f, lq_run *r);
/* Does what is due. */
void lq_query_work(queries *f);
/* When lq_query_work is next to be called. */
int64_t lq_query_next(const queries *f);
/* Frees it when nobody listens and nothing runs. */
void lq_query_release(queries *f, lq_query *q);

/* ---- send.c -----------------------------------------------------------------------------------
 */

/* Tells every stream whose time has come, then those who wait for a first result. False when memory
 * is out: what was not sent stays to be sent. */
bool lq_send(queries *f, lq_query *q, int64_t now);
/* The same, with the query's end. */
bool lq_send_end(queries *f, lq_query *q);
/* When the first of its streams may be told something (any: all of them; else those that were not
 * told of the newest result). LQ_NEVER when there is none. */
int64_t lq_streams_due(const lq_query *q, bool any);
/* One subscription less; the stream goes with its last. */
void lq_stream_leave(lq_stream *s);
/* The newest result is another one. */
void lq_drop_texts(queries *f, lq_query *q);

#endif
