/* Replication: the whole change log as one ordered stream, in transactions, to consumers that say
 * how far they are; and slots, positions by name that the database keeps for them.
 *
 * A consumer is a cursor into the log. It gets every record behind its position (of the tables it
 * asked for) between a `begin` and a `commit`: as FEED_REPLAY messages for it alone, read in
 * slices, with a window so that a slow reader costs no memory. It never becomes a live stream, so
 * there is no hand-over. Consumers that stand at the same place share the reading.
 *
 * A slot is used by at most one consumer. Its position moves when the consumer confirms, and is
 * written about once a second: after a crash a consumer may get again what it had confirmed in the
 * last second, and never misses anything. A slot does not hold the log: when what is behind its
 * position was pruned, it is lost.
 *
 * Everything runs on one thread of its own. Listeners are as in feed.h; a subscription has the
 * listener's own number.
 */
#ifndef FEED_REPLICATION_H
#define FEED_REPLICATION_H

#include "feed/feed.h"

typedef struct replication replication;

/* feed_msg.stream of every message here: no stream that anybody else gives frames to. */
#define REPLICATION_STREAM ((uint64_t)1 << 62)

enum {
    REPLICATION_NAME = ENGINE_SLOT_NAME, /* bytes of a slot's name */
    REPLICATION_TABLES = 256,            /* tables that a consumer may name */
    REPLICATION_WHO = 63,                /* bytes of a consumer's names in lists */
};

typedef struct replication_config {
    int slice;         /* log records read at a time */
    int max_consumers; /* at once; more are refused */
    int max_slots;
    /* Appends a payload, as the bytes that go on the wire in one form; what fails shows in
     * out->failed. On the replication's thread only. */
    void (*render)(buf *out, int form, const char *json, size_t n);
} replication_config;

/* Reads the slots. NULL with e set when that or the log cannot be read. */
replication *replication_start(engine *g, const replication_config *config, error *e);
/* There may be new records. Any thread, never blocks. */
void replication_wake(replication *r);
/* Ends the thread and forgets all consumers; hands the slots' last positions to the engine, which
 * writes them before it closes. From here on nobody may call anything but replication_wake. */
void replication_stop(replication *r);
/* After replication_stop and engine_close. NULL is fine. */
void replication_free(replication *r);

/* A listener by the number that the feed has given it (feed_add_listener), so that it has the same
 * one everywhere. Before it asks for anything. Any thread. */
void replication_add_listener(replication *r, int number, mailbox *box);

typedef struct replication_request {
    int listener;
    uint64_t sub;       /* the listener's number, unique per listener and never used again */
    int form;           /* for replication_config.render */
    const char *slot;   /* NULL: none; the stream starts at `since`, or now */
    bool create;        /* make the slot, at `since` or now, where it is not there */
    bool has_since;     /* with a slot: start there, where that is behind the slot's position */
    int64_t since;      /* 0: the oldest record kept */
    const char *log_id; /* NULL, or the log the client believes `since` to be of */
    const char *const *tables; /* their changes only; NULL: of all tables */
    int n_tables;
    bool ddl;                      /* tell of CREATE, ALTER and DROP of tables too */
    const char *connection, *user; /* whom lists name */
    const viewer *as; /* who is to see it: of tables that he sees not whole, nothing is delivered.
                         NULL: everything is */
} replication_request;

/* Copied; answered with FEED_SUBSCRIBED (lsn: the position it starts behind) or FEED_REFUSED:
 * NOT_FOUND for a slot that is not there, CONFLICT for one in use, GAP with err.detail = the oldest
 * lsn kept, INVALID_MESSAGE. Any thread. False, and nothing will be posted, when memory is out. */
bool replication_subscribe(replication *r, const replication_request *q);
/* Afterwards at most messages already posted arrive for it; its slot is free. Any thread. */
void replication_unsubscribe(replication *r, int listener, uint64_t sub);
/* `bytes` of FEED_REPLAY frames were written to the socket: the window opens. Any thread. */
void replication_ack(replication *r, int listener, uint64_t sub, size_t bytes);
/* The consumer is done with everything up to lsn. A position behind the present one changes
 * nothing. INVALID_MESSAGE when lsn was not sent yet. Any thread. */
bool replication_confirm(replication *r, int listener, uint64_t sub, int64_t lsn, error *e);

/* replication_unsubscribe and replication_ack as a table; `self` is the replication. */
feed_source replication_as_source(replication *r);

/* ---- asking and managing ----------------------------------------------------------------------
 */

typedef enum replication_op {
    REPLICATION_STATUS,    /* an object: role, log, numbers of slots and consumers */
    REPLICATION_SLOTS,     /* a list: {"total","offset","limit","slots":[...]} */
    REPLICATION_SLOT,      /* one slot; NOT_FOUND */
    REPLICATION_CREATE,    /* makes a slot and shows it; CONFLICT when it is there already */
    REPLICATION_DROP,      /* CONFLICT while a consumer uses it; nothing to show */
    REPLICATION_CONSUMERS, /* a list, "consumers" */
} replication_op;

typedef struct replication_call {
    list mail; /* the replication's */
    int tag;   /* the replication's */
    /* the maker's */
    replication_op op;
    const char *name; /* of the slot */
    bool has_since;   /* REPLICATION_CREATE */
    int64_t since;
    const char *log_id;
    int64_t offset, limit; /* of lists */
    /* The answer is there: `failed` and `err`, or `json`. Called once, on any thread; the call is
     * its maker's again, who frees the buf. */
    void (*done)(struct replication_call *c);
    bool failed;
    error err;
    buf json;
} replication_call;

/* The call and its strings must live until `done`. Any thread; `done` is called even when the
 * replication stops meanwhile (SHUTTING_DOWN). */
void replication_ask(replication *r, replication_call *c);

#endif
