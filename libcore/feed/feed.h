/* The change feed: follows the change log on a thread of its own, evaluates each distinct filter
 * once per event, and hands finished frames to the reactors ("listeners").
 *
 * A stream is a table (or several, or all) together with a filter: operations, a WHERE expression,
 * columns that must have changed. It is written in one form, the bytes that one protocol wants.
 * Subscribers of the same stream share every frame; those who may see different things of a table
 * are never subscribers of the same stream. The feed answers a subscribe request, and from
 * then on sends the listener each frame of the stream, in lsn order; because answers and frames
 * travel through the same mailbox, an event can neither slip between them nor come twice.
 *
 * A request with `since` is first caught up: its frames are read from the log in slices and come as
 * FEED_REPLAY for that subscription alone, with a window so that a slow reader costs no memory.
 * When the log is exhausted, FEED_SUBSCRIBED's promise holds and FEED_LIVE says that everything
 * further comes with the stream.
 */
#ifndef FEED_FEED_H
#define FEED_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mailbox.h"
#include "engine/engine.h"

typedef struct feed feed;

/* Operations as a bit set over log_op (OP_INSERT, OP_UPDATE, OP_DELETE); 0 means all three. */
typedef unsigned op_set;

enum {
    FEED_FILTER_ID = 12,         /* hex digits of a filter's short id */
    FEED_MAX_WHERE = 4096,       /* bytes of a WHERE expression */
    FEED_MAX_TABLES = 64,        /* tables that a stream may name */
    FEED_MAX_COLUMNS = 64,       /* columns likewise */
    FEED_MAX_NESTING = 64,       /* parentheses within parentheses in one */
    FEED_REPLAY_WINDOW = 262144, /* bytes of replay a subscription may have under way */
    FEED_MAX_LISTENERS = 64,
};

typedef enum feed_msg_kind {
    FEED_SUBSCRIBED, /* the subscription is known; stream, filter, log_id and lsn are set */
    FEED_REFUSED,    /* it is not: `err` says why */
    FEED_REPLAY,     /* frames for `sub` alone, read from the log; acknowledge with feed_ack */
    FEED_LIVE,       /* `sub` now follows its stream: frames of `stream` from here on are its own.
                        Comes once for every subscription that does not end before, also without
                        `since`; frames of the stream posted earlier are not for it */
    FEED_FRAMES,     /* frames for everyone who follows `stream` */
    FEED_ENDED,      /* `sub` ended (GAP, table dropped: err), after the frames sent before */
} feed_msg_kind;

/* A message to a listener; the receiver frees it with feed_msg_free. */
typedef struct feed_msg {
    list link; /* in the listener's mailbox */
    int tag;   /* FEED_TAG: tells feed messages from others in a shared mailbox */
    feed_msg_kind kind;
    uint64_t sub;    /* the listener's own number of the subscription (not FEED_FRAMES) */
    uint64_t stream; /* FEED_SUBSCRIBED, FEED_LIVE, FEED_FRAMES */
    char filter[FEED_FILTER_ID + 1]; /* FEED_SUBSCRIBED: short id, empty without a filter */
    char log_id[40];                 /* FEED_SUBSCRIBED */
    int64_t lsn;    /* FEED_SUBSCRIBED: head when it became known; frames: highest lsn inside */
    int events;     /* frames: how many */
    refbuf *frames; /* frames, one after the other, rendered; NULL otherwise */
    size_t skip;    /* FEED_REPLAY: bytes at the front of `frames` that are not for `sub` */
    char *table; /* FEED_SUBSCRIBED: the one table as the schema spells it, NULL: several; owned */
    char *shown; /* FEED_SUBSCRIBED to tables by somebody who does not see everything: for each
                    table the names of the columns that he sees, each with a NUL behind it, and one
                    more NUL; no names: he sees it as it is. NULL: he sees everything. Owned */
    error err;   /* FEED_REFUSED, FEED_ENDED */
} feed_msg;

enum { FEED_TAG = 0x66656564 };

void feed_msg_free(feed_msg *m);

/* An event on its way into one form. */
typedef struct feed_event {
    const log_record *rec; /* NULL: no change of a row, such as a live query's result */
    const char *filter;    /* short id, "" without a filter */
    const char *json;      /* the payload as a JSON object, where the form wants it, else NULL */
    size_t len;
} feed_event;

/* A way to write events. The feed knows no protocol: whoever starts it says what forms there are.
 */
typedef struct feed_form {
    bool wants_json; /* made once per record, however many forms and streams want it */
    /* Appends the bytes that go on the wire; what fails shows in out->failed. Feed thread only. */
    void (*render)(buf *out, int form, const feed_event *ev);
} feed_form;

typedef struct feed_config {
    int slice;              /* log records read at a time (catch-up and live) */
    const feed_form *forms; /* requests name one by its index; must outlive the feed */
    int n_forms;
} feed_config;

/* What a listener asks of whoever answered its subscription. There are more sources of frames than
 * the feed; all of them speak in feed_msg. */
typedef struct feed_source {
    void (*unsubscribe)(void *self, int listener, uint64_t sub);
    void (*ack)(void *self, int listener, uint64_t sub, size_t bytes);
    void *self;
} feed_source;

/* Follows the log from its present head. NULL with e set when the log cannot be read. */
feed *feed_start(engine *g, const feed_config *config, error *e);
/* Wakes the feed: there may be new records. Any thread, never blocks (engine_config.on_commit). */
void feed_wake(feed *f);
/* Ends the thread and forgets all subscriptions; no message is posted afterwards. From here on
 * nobody may call anything but feed_wake, which does nothing: the engine may still be committing.
 */
void feed_stop(feed *f);
/* After feed_stop, once nobody wakes it any more (the engine is closed). NULL is fine. */
void feed_free(feed *f);

/* Every record up to this lsn has been looked at. Any thread. */
int64_t feed_position(const feed *f);

/* A listener is one reactor. Its mailbox must outlive the feed. Its number; -1 when there are
 * FEED_MAX_LISTENERS already. Any thread. */
int feed_add_listener(feed *f, mailbox *box);

typedef struct feed_request {
    int listener;
    uint64_t sub; /* the listener's number, unique per listener and never used again */
    int form;     /* index into feed_config.forms */
    int n_tables; /* 0: all, also those that are still to come; then neither where nor columns */
    const char *const *tables;
    /* NULL, or for each table a position up to which nothing of it is wanted (it was read). */
    const int64_t *read_to;
    op_set ops;
    const char *where; /* NULL: none */
    int n_columns;     /* with columns, an update is only wanted when one of them changed */
    const char *const *columns;
    bool has_since;
    int64_t since;
    const char *log_id; /* NULL, or the log the client believes `since` to be of */
    const viewer *as; /* who is to see it: events come as he may see them, each column, row and old
                         row, and filters look at nothing else. NULL: everything is shown */
} feed_request;

/* A copy whose parts live in the arena, the viewer apart; false when memory is out. Any thread. */
bool feed_request_copy(feed_request *to, const feed_request *from, arena *mem);

/* Copied; answered with FEED_SUBSCRIBED or FEED_REFUSED (TABLE_NOT_FOUND, also for a table that the
 * viewer may not read, INVALID_MESSAGE for a filter or a position beyond the head, GAP with
 * err.detail = oldest lsn kept). Any thread. False, and nothing will be posted, when memory is out.
 */
bool feed_subscribe(feed *f, const feed_request *r);
/* Afterwards at most messages already posted arrive for it. Any thread. */
void feed_unsubscribe(feed *f, int listener, uint64_t sub);
/* `bytes` of FEED_REPLAY frames were written to the socket: the window opens. Any thread. */
void feed_ack(feed *f, int listener, uint64_t sub, size_t bytes);

/* The two above as a table; `self` is the feed. */
feed_source feed_as_source(feed *f);

#endif
