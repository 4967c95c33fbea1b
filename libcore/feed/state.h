/* The feed from the inside: what it knows, and what its files do for each other.
 *
 *   feed.c     the thread and the functions that others call
 *   subs.c     subscriptions: admitted, moved between states, ended
 *   streams.c  tables with filters that somebody follows
 *   legs.c     their parts in each table
 *   outlets.c  streams in one form, and the frames that wait for sending
 *   live.c     follows the log at its head and feeds the streams
 *   replay.c   catches subscriptions up that asked for the past
 *   cohort.c   the same for many at once
 *
 * Everything belongs to the feed's thread, except what stands under `lock`.
 *
 * The hand-over from replay to live is exact because both run on this thread: the feed has one
 * position (`at`: every record up to it was given to the streams), each subscription has its own,
 * and a subscription becomes live when the two are equal. New subscriptions may be ahead of the
 * feed (they start at the log's head, which the feed may not have reached), those with `since` are
 * behind it. */
#ifndef FEED_STATE_H
#define FEED_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "feed/event.h"
#include "feed/feed.h"
#include "feed/filter.h"
#include "feed/filter_index.h"
#include "feed/sight.h"

/* A table that somebody follows by name. */
typedef struct followed {
    char *table; /* as the schema spells it */
    list topics;
} followed;

/* The same as some of its followers see it: those with the same key, which is empty where the table
 * is seen as it is. */
typedef struct topic {
    followed *of;
    list link; /* followed->topics */
    char key[VIEWER_KEY + 1];
    sight *sight;       /* NULL: as it is */
    list legs;          /* all of them */
    filter_index index; /* the same, to find those that an event may be for */
} topic;

/* A table that a request names, and what its viewer sees of it. */
typedef struct named_table {
    const table_shape *shape; /* of the table itself */
    char key[VIEWER_KEY + 1];
} named_table;

typedef struct stream stream;

/* A stream's part in one of the tables that it names. */
typedef struct leg {
    stream *stream;
    topic *topic;
    list of_topic;         /* topic->legs */
    list of_stream;        /* stream->legs */
    index_entry indexed;   /* in topic->index */
    filter *live, *past;   /* `where` for the table's present shape, and for one met in replay */
    int64_t columns_shape; /* the shape that columns_at is for; 0: none yet */
    int *columns_at;       /* the places of stream->columns in it; owned */
} leg;

/* Tables with a filter. */
struct stream {
    list legs;        /* empty: every table */
    int n_tables;     /* 0: every table */
    list everything;  /* feed->everything, when it is of every table: */
    const viewer *as; /* whose; held. NULL: everything is shown */
    map sights;       /* with a viewer: table -> sight, of those that had records */
    list idle;        /* feed->idle while it has no subscriptions: freed at the end of the round */
    list touched;     /* feed->touched while the record at hand means something to it */
    list outlets;     /* one per form that somebody asked for */
    op_set ops;
    char *where; /* as its first subscriber wrote it; NULL: every row */
    arena mem;   /* holds columns */
    int n_columns;
    const char *const *columns;
    char *key; /* tables and filter in their normal form: equal keys are equal streams */
    char filter_id[FEED_FILTER_ID + 1];
    int subs;         /* subscriptions in any state */
    int n_live;       /* live ones, of all outlets */
    int64_t done_lsn; /* the record at hand, once every outlet has sent up to it */
    bool failed;      /* its filter failed on the record at hand: `why` */
    error *why;
};

/* A stream in one form: the listeners know it by `id`. It lives as long as its stream. */
typedef struct outlet {
    uint64_t id;
    stream *stream;
    int form;
    list link;  /* stream->outlets */
    list dirty; /* feed->dirty while frames are pending */
    list live_subs;
    list behind_subs;
    list behind; /* feed->behind while there are such */
    int n_live;
    int live_at[FEED_MAX_LISTENERS]; /* how many of them each listener has */

    buf pending; /* frames of this slice, not sent yet */
    int pending_events;
    int64_t pending_lsn;
    int64_t mark_lsn; /* the record that was being added, and what pending held before it */
    size_t mark_len;
    int mark_events;
    int64_t mark_last;
    int64_t done_lsn; /* the record at hand, once what is pending was sent up to it */
} outlet;

typedef enum sub_state {
    SUB_NEW,    /* in the mailbox */
    SUB_AHEAD,  /* waits for the feed to reach its position, or apart_to to be in sight */
    SUB_BEHIND, /* to be caught up */
    SUB_FULL,   /* to be caught up, when its reader has acknowledged */
    SUB_LIVE,   /* follows its stream */
    SUB_OVER,   /* ended; freed when its last request has come out of the mailbox */
} sub_state;

enum { ASK_SUBSCRIBE = 1, ASK_UNSUBSCRIBE = 2, ASK_ACK = 4 };

/* A subscription. What is asked about it travels in its own link, so asking allocates nothing. */
typedef struct sub {
    list mail; /* the feed's mailbox */
    /* under feed->lock */
    bool queued;    /* mail is linked */
    unsigned asked; /* ASK_* since it was last taken */
    size_t acked;   /* bytes, likewise */
    /* set by feed_subscribe */
    int listener;
    uint64_t number;
    feed_request ask; /* in mem */
    const viewer *as; /* kept until it has been admitted; NULL: everything is shown */
    arena mem;        /* freed when it has been admitted, unless ask.read_to is needed */
    feed_msg *answer; /* FEED_SUBSCRIBED or FEED_REFUSED, until it is sent */
    /* the feed's */
    sub_state state;
    list link; /* feed->ahead or full, or outlet->behind_subs or live_subs */
    outlet *outlet;
    int64_t at;       /* everything up to this lsn has been sent or did not match */
    int64_t known_at; /* head of the log when it was admitted: what came before is history */
    int64_t apart_to; /* the furthest of ask.read_to: up to there its events are its own */
    size_t unacked;   /* bytes of replay under way */
} sub;

struct feed {
    engine *engine;
    feed_config config;
    pthread_t thread;
    mailbox box;
    list wake_mail;
    atomic_bool woken; /* wake_mail is in the box */

    pthread_mutex_t lock; /* guards subs, listeners, and the marked fields of every sub */
    map subs;             /* listener and number -> sub; what is here may be asked about */
    mailbox *listeners[FEED_MAX_LISTENERS];
    int n_listeners;

    log_reader *reader;
    filter_env *env;
    atomic_llong shown_at; /* `at`, for feed_position */
    int64_t at;            /* the feed's position */
    bool has_more;         /* the log may go on behind `at` */
    int n_live;            /* live subscriptions of all streams */
    map tables;            /* name -> followed */
    map streams;           /* key -> stream */
    list everything;       /* streams of every table */
    list touched;          /* streams that the record at hand means something to */
    list dirty;            /* outlets */
    list idle;             /* streams */
    list ahead, full;      /* subscriptions */
    list behind;           /* outlets that have some to catch up */
    uint64_t last_outlet;
    event_text event;
    buf scratch, replay;
    int64_t retry_at,
        retry_us; /* after a failure: when to go on (monotonic), and the pause; 0: none */
};

/* ---- feed.c -----------------------------------------------------------------------------------
 */

feed_msg *feed_msg_new(feed_msg_kind kind, const sub *s);
void feed_post(feed *f, int listener, feed_msg *m);
/* Something that must succeed did not: pause, then try again. `e` NULL: memory. */
void feed_back_off(feed *f, const char *doing, const error *e);

/* ---- streams.c --------------------------------------------------------------------------------
 */

/* The stream for these tables, a filter and a viewer, made where there is none. INVALID_MESSAGE for
 * a bad filter. The named tables are q->tables; as is kept (viewer_keep), q->as is not looked at.
 */
stream *stream_get(feed *f, const feed_request *q, const named_table *tables, const viewer *as,
                   error *e);
/* Whether the record takes the stream's table away. A stream of several outlives each. */
bool stream_ends_with(const stream *s, const log_record *rec);
/* The stream's part in this table; NULL: it does not name it. */
leg *stream_leg(const stream *s, const char *table);
/* What the stream's subscribers may see of a record, as sight_see. l is its part in the record's
 * table, NULL for a stream of every table. */
lens_result stream_see(feed *f, stream *s, leg *l, const log_record *rec, const log_record **seen,
                       error *e);
/* Whether the record, as it is seen, is for the stream's subscribers. l is its part in the record's
 * table, NULL for a stream of every table; in_replay says which of its filters. FILTER_FAILED: e
 * says why. */
filter_verdict stream_wants(feed *f, stream *s, leg *l, bool in_replay, const log_record *rec,
                            error *e);
/* Adds the record to what is pending in every outlet that has live subscriptions. *made says
 * whether f->event is its text already. */
bool stream_add(feed *f, stream *s, const log_record *rec, bool *made);
/* Takes it back. */
void stream_take_back(stream *s, const log_record *rec);
/* Sends what is pending in all outlets, each once for this record. */
bool stream_finish(feed *f, stream *s, const log_record *rec);

/* ---- legs.c -----------------------------------------------------------------------------------
 */

followed *followed_find(const feed *f, const char *table);
/* As sight_see. */
lens_result topic_see(feed *f, topic *t, const log_record *rec, const log_record **seen, error *e);
/* What it sees of a shape of its table; NULL with e. */
const table_shape *topic_shape(feed *f, topic *t, const table_shape *shape, error *e);
/* Makes the index fit the shape of the event at hand. False when memory is out. */
bool topic_prepare(topic *t, const table_shape *shape);

leg *leg_new(feed *f, stream *s, const named_table *table, const viewer *as);
void leg_free(feed *f, leg *l);
/* Whether the stream's WHERE works for this shape, compiled into `slot` (&l->live or &l->past). */
bool leg_compile(feed *f, const leg *l, filter **slot, const table_shape *shape, error *e);
/* Finds the stream's columns in this shape. INVALID_MESSAGE when one is not there. */
bool leg_find_columns(leg *l, const table_shape *shape, error *e);
/* Whether an update changed one of them (anything else counts as if it had). */
bool leg_columns_changed(const leg *l, const log_record *rec);

/* ---- outlets.c --------------------------------------------------------------------------------
 */

/* A stream's outlet for a form, made where there is none; NULL when memory is out. */
outlet *outlet_get(feed *f, stream *s, int form);
void outlet_free(outlet *o);
/* Appends the frame of a record to out; f->event is made first where *made says that it is not
 * there. False when memory is out; out is then as before. */
bool outlet_render(feed *f, const outlet *o, const log_record *rec, bool *made, buf *out);
bool outlet_add(feed *f, outlet *o, const log_record *rec, bool *made);
void outlet_take_back(outlet *o, const log_record *rec);
/* Sends what is pending. False when memory is out: then nothing was sent and it stays. */
bool outlet_flush(feed *f, outlet *o);
bool outlets_flush(feed *f);

void streams_free_idle(feed *f);
void streams_free_all(feed *f);

/* ---- subs.c -----------------------------------------------------------------------------------
 */

/* Handles what is asked about a subscription (its mail has come). */
void sub_on_mail(feed *f, sub *s);
/* Where a subscription goes from its position: live, ahead or behind. */
void sub_place(feed *f, sub *s);
/* Ends a subscription and tells why. False when memory is out: then nothing happened. */
bool sub_end(feed *f, sub *s, const error *why);
/* The same with the message (FEED_ENDED) at hand. */
void sub_end_with(feed *f, sub *s, feed_msg *m, const error *why);
/* The same for all live ones of a stream, after what is pending was sent. */
bool stream_end_live(feed *f, stream *s, const error *why);
void sub_free(sub *s);
/* Makes live those whom the feed has reached; all streams are flushed. False after a failure, which
 * was answered with a pause. */
bool subs_join(feed *f);

/* Reasons to end (position.h has another). rec is the record as it is seen. */
void why_ddl(error *e, const log_record *rec);
void why_filter(error *e, const error *cause, int64_t lsn);
void why_lens(error *e, const error *cause, int64_t lsn);

/* ---- cohort.c ---------------------------------------------------------------------------------
 */

typedef enum cohort_result {
    COHORT_NONE,   /* what is next is for one subscription alone */
    COHORT_MOVED,  /* those behind were brought forward */
    COHORT_FAILED, /* answered with a pause; nothing is lost by it */
} cohort_result;

/* Brings the hindmost of an outlet's subscriptions, and all that are less far behind than a slice,
 * a slice forward. */
cohort_result cohort_run(feed *f, outlet *o, int64_t until_us);

/* ---- live.c, replay.c -------------------------------------------------------------------------
 */

enum { FEED_TURN_US = 5000 }; /* live and replay take turns of this length */

void live_run(feed *f, int64_t until_us);
void replay_run(feed *f, int64_t until_us);

#endif
