/* Replication from the inside.
 *
 *   replication.c          the thread and the functions that others call
 *   replication_consumer.c consumers: admitted, moved between states, ended
 *   replication_cursor.c   reads the log for them
 *   replication_slots.c    slots: found, made, dropped, written
 *   replication_text.c     the text of frames
 *   replication_status.c   what lists show
 *
 * Everything belongs to the replication's thread, except what stands under `lock`. */
#ifndef FEED_REPLICATION_STATE_H
#define FEED_REPLICATION_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "engine/viewer.h"
#include "feed/replication.h"

/* What is in the mailbox; every item begins with a link and its tag. */
typedef enum letter_tag {
    LETTER_WAKE,     /* there may be new records */
    LETTER_CONSUMER, /* something is asked about a consumer */
    LETTER_CALL,     /* replication_ask */
    LETTER_WRITTEN,  /* a write of slots is done */
} letter_tag;

typedef struct letter {
    list link;
    int tag;
} letter;

/* ---- slots ------------------------------------------------------------------------------------
 */

typedef enum slot_state {
    SLOT_MAKING,   /* not durable yet: whoever asked for it waits */
    SLOT_KEPT,     /* in the database */
    SLOT_DROPPING, /* about to be gone */
} slot_state;

typedef struct slot {
    log_slot is; /* as it is now; the database may know an older position */
    slot_state state;
    struct consumer *user;  /* NULL: nobody */
    replication_call *call; /* waits for it to be made or dropped; NULL: none */
    bool dirty;             /* the database does not know, and no write of it is under way */
    bool writing;           /* part of the write under way */
    int64_t due_us;         /* when to write it, if dirty (monotonic) */
    int64_t written_us;     /* when it was last handed to the engine (monotonic) */
} slot;

/* A write of slots: a job of the engine, its sink, and what it writes. */
typedef struct slot_write {
    letter letter;
    job job;
    job_sink sink;
    struct replication *owner;
    slot_change *changes; /* max_kept of them */
    slot **slots;         /* whose they are */
    int n;
    bool failed; /* set before the letter is posted */
    error err;
} slot_write;

/* ---- consumers --------------------------------------------------------------------------------
 */

typedef enum consumer_state {
    CONSUMER_NEW,     /* in the mailbox */
    CONSUMER_WAITING, /* for its slot to be made */
    CONSUMER_READY,   /* there may be records for it */
    CONSUMER_FULL,    /* there may be, when its reader has taken what is under way */
    CONSUMER_AT_HEAD, /* has everything */
    CONSUMER_OVER,    /* ended; freed when its last letter has come out of the mailbox */
} consumer_state;

enum { ASK_SUBSCRIBE = 1, ASK_UNSUBSCRIBE = 2, ASK_ACK = 4, ASK_CONFIRM = 8 };

/* The transaction that a consumer's position is in or at the end of. */
typedef struct cursor_tx {
    int64_t number;       /* of the record at the position; TX_UNKNOWN, or 0 before the first */
    int64_t first;        /* lsn of the first record of it that the consumer can get */
    int64_t committed_at; /* of the last record looked at */
    bool continued;       /* it began before what the consumer gets, or may have */
    bool begun;           /* its `begin` was sent, its `commit` was not */
} cursor_tx;

enum { TX_UNKNOWN = -1 };

/* What is asked about a consumer travels in its own letter, so asking allocates nothing. */
typedef struct consumer {
    letter letter;
    /* under replication->lock */
    list known;        /* replication->known: may be asked about */
    bool queued;       /* the letter is in the mailbox */
    unsigned asked;    /* ASK_* since it was last taken */
    size_t acked;      /* bytes, likewise */
    int64_t confirmed; /* highest lsn confirmed by the consumer, or where it started */
    int64_t sent;      /* highest lsn of the frames posted, or where it started */
    /* set by replication_subscribe */
    int listener, form;
    uint64_t number;
    char *slot_name, *log_id; /* NULL: none */
    bool create, has_since, ddl;
    int64_t since;
    const viewer *as; /* kept; NULL: everything is delivered */
    char **tables;    /* n_tables of them, each owned */
    int n_tables;
    char connection[REPLICATION_WHO + 1], user[REPLICATION_WHO + 1];
    feed_msg *answer; /* FEED_SUBSCRIBED or FEED_REFUSED, until it is sent */
    feed_msg *end;    /* FEED_ENDED, likewise */
    /* the thread's */
    consumer_state state;
    list link; /* replication->consumers, those served last at the end */
    slot *slot;
    int64_t started; /* position it started behind */
    int64_t at;      /* everything up to this lsn has been looked at */
    cursor_tx tx;
    size_t unacked; /* bytes under way */
    bool chosen;    /* takes part in the slice at hand, */
    bool reading;   /* and has room for more of it */
    buf pending;    /* frames not posted yet */
    int pending_events;
    int64_t pending_lsn;
    /* for lists */
    int64_t connected_at, confirmed_at; /* wall clock; 0: never */
    int64_t events, bytes;              /* posted */
} consumer;

/* ---- the whole --------------------------------------------------------------------------------
 */

struct replication {
    engine *engine;
    replication_config config;
    pthread_t thread;
    mailbox box;
    letter wake;
    atomic_bool woken; /* wake is in the box */

    pthread_mutex_t lock; /* guards known, listeners, and the marked fields of every consumer */
    list known;
    mailbox *listeners[FEED_MAX_LISTENERS];

    log_reader *reader;
    list consumers; /* admitted */
    int n_consumers;
    buf record; /* text of the record at hand, for all who want it */
    buf edge;   /* text of a begin or commit */

    slot **slots; /* in the order of their names */
    int n_slots, max_kept;
    slot_write writes[2]; /* one that is under way, and one for the end */
    bool writing;         /* writes[0] is the engine's */

    int64_t retry_at, retry_us; /* after a failure: when to go on (monotonic), the pause; 0: none */
};

/* ---- replication.c ----------------------------------------------------------------------------
 */

void replication_post(replication *r, int listener, feed_msg *m);
/* Something that must succeed did not: pause, then try again. `e` NULL: memory. */
void replication_back_off(replication *r, const char *doing, const error *e);
/* Ends a call. e NULL: its json is written. */
void replication_answer(replication_call *c, const error *e);

/* ---- replication_consumer.c -------------------------------------------------------------------
 */

consumer *consumer_new(const replication_request *q);
void consumer_free(consumer *c);
/* Handles what is asked about it (its letter has come). */
void consumer_on_letter(replication *r, consumer *c);
/* Its slot was made, or not (e). */
void consumer_slot_made(replication *r, consumer *c, const error *e);
/* There may be new records for those at the head. */
void consumers_wake(replication *r);
/* Ends it, after the frames posted before, and tells why. */
void consumer_end(replication *r, consumer *c, const error *why);
/* Lets go of it; its slot is free. Nothing is told. */
void consumer_forget(replication *r, consumer *c);
/* How far it is: what it has confirmed, and past that what was not for it, once it has confirmed
 * everything that was. */
int64_t consumer_position(replication *r, consumer *c);
/* Its position may have moved: so does its slot's. */
void consumer_moved(replication *r, consumer *c);

/* ---- replication_cursor.c ---------------------------------------------------------------------
 */

/* Reads for all that are ready, in slices, until the time is over. */
void cursors_run(replication *r, int64_t until_us);
bool cursors_ready(const replication *r);
/* Puts the consumer's cursor behind `at`. Reads the log; false with e. */
bool cursor_place(replication *r, consumer *c, int64_t at, error *e);

/* ---- replication_slots.c ----------------------------------------------------------------------
 */

bool slots_load(replication *r, error *e);
void slots_free(replication *r);
bool slot_check_name(const char *name, error *e);
slot *slot_find(const replication *r, const char *name);
/* A new one in the state SLOT_MAKING, to be written at once. NULL with e: too many, or memory. */
slot *slot_make(replication *r, const char *name, const char *log_id, int64_t lsn, error *e);
/* Moves the position, never back, and sees to it that it is written: by and by, or soon. */
void slot_move(replication *r, slot *s, int64_t lsn, bool soon);
/* GAP when what is behind its position is gone. */
bool slot_check_kept(const slot *s, const log_bounds *b, error *e);
void slot_create_call(replication *r, replication_call *c);
void slot_drop_call(replication *r, replication_call *c);
/* When the next write is due, from now: microseconds, -1: none. */
int64_t slots_wait_us(const replication *r);
void slots_write_due(replication *r);
void slots_written(replication *r, slot_write *w);
/* Hands everything that is not written to the engine; after the thread's end. */
void slots_write_last(replication *r);

/* ---- replication_text.c -----------------------------------------------------------------------
 */

/* Each replaces what is in `out` by one payload; false when memory is out. */
bool text_begin(buf *out, const cursor_tx *tx);
bool text_record(buf *out, const log_record *rec);
bool text_commit(buf *out, const cursor_tx *tx, int64_t lsn);

/* ---- replication_status.c ---------------------------------------------------------------------
 */

/* Answers a call that only looks, or, when its slot is made, REPLICATION_CREATE. */
void status_call(replication *r, replication_call *c);

#endif
