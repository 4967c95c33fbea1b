/* A run: one job under way for one connection, and the sink that turns its rows into bytes.
 *
 * The sink's side is called by engine threads: it writes JSON straight from the rows, and posts
 * full chunks to the reactor. `in_flight` counts bytes posted but not yet handed to the socket;
 * past its limit the sink says SINK_FULL and the statement waits, so a slow client costs a bounded
 * amount of memory. The reactor's side gets the chunks and, at last, on_done.
 *
 * A run is made on the reactor's thread, submitted, and freed there after on_done. When its
 * connection goes away first, it is cancelled and freed silently.
 */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <zlib.h>

#include "daemon/conn.h"
#include "daemon/reactor.h"
#include "engine/engine.h"
#include "json/writer.h"

struct run;

/* What a result looks like to its reader. The functions are called on engine threads, one at a
 * time, and append to r->out (bytes ready to go) or, where `frames` is set, whole WebSocket frames
 * to r->wire, with r->out and r->w for what is being written. NULL: nothing to say. The encoders
 * that there are: encode.h. */
typedef struct run_encoder {
    void (*begin)(struct run *r); /* also after a restart: everything was forgotten */
    void (*columns)(struct run *r, const engine_column *cols, int n);
    void (*row)(struct run *r, const value *row, int n);
    /* What was written so far is about to be shipped: end the message under way. */
    void (*cut)(struct run *r);
    void (*end)(struct run *r, const engine_summary *sum); /* of one statement */
    /* A statement of a batch that is not atomic failed; the batch goes on. */
    void (*failed)(struct run *r, int index, const error *e);
    void (*finish)(struct run *r); /* everything succeeded */
    /* Rows have gone out already; the error can only be said at the end of what was begun. Without
     * it a REST answer breaks off, so that nobody takes it for a whole one. */
    void (*late_error)(struct run *r, const error *e);
    const char *type; /* content type of a REST answer; NULL: of JSON, or of JSON lines */
    bool frames;      /* ships r->wire */
    bool lines;       /* every chunk ends with a line: compressed, it is flushed */
    bool prompt; /* every message is shipped when it is finished; needs `frames` and no `cut` */
    bool whole;  /* never in parts: held to the end, and bounded by max_result */
} run_encoder;

enum { RUN_CHUNK = 32768, RUN_IN_FLIGHT_HIGH = 131072, RUN_IN_FLIGHT_LOW = 65536 };

typedef struct run {
    job job;
    job_sink sink;
    reactor *home;
    const identity *who;        /* whose it is; held; NULL: a stranger's */
    char owner[IDENTITY_OWNER]; /* of its transaction */
    conn *c;                    /* NULL: of no connection */
    list conn_link;
    uint64_t number; /* no other run of this daemon has it; later ones of a reactor have higher */
    const run_encoder *encoder;

    /* the sink's, engine threads */
    buf out;  /* text not yet shipped */
    buf wire; /* finished frames not yet shipped */
    json_writer w;
    void *state;     /* the encoder's own, in job.mem */
    size_t max_held; /* bytes a held result may have */
    bool held;
    bool in_rows;   /* a "rows" array is open */
    size_t values;  /* binary: in the message under way */
    bool shipped;   /* something has gone out */
    int statements; /* of a batch: results written */
    bool gzip;      /* the client takes gzip */
    bool gzip_open;
    size_t gzip_min;
    z_stream z;
    int deflate_bits;       /* frames: window bits, 0: no compression */
    const char *request_id; /* what the answer names, in the protocol's own form; NULL: none */
    atomic_size_t in_flight;
    atomic_bool gone; /* the connection is: stop */

    /* written on engine threads, read on the reactor's too */
    atomic_llong rows;         /* given by the statements so far */
    atomic_llong started_us;   /* monotonic; 0: it waits */
    error refusal;             /* the encoder's: with a code, the job ends here and fails with it */
    int64_t changes;           /* of all its statements; the sink's */
    int64_t elapsed_us;        /* in the engine, by all its statements; of one that failed, since it
                                  began; the sink's */
    struct once *once;         /* NULL, or whose connection is gone: see idempotency_run_ended */
    struct query_watch *watch; /* NULL: nobody wants to know of it (query_events.h); owned */

    /* the outcome, set before on_done */
    bool failed;
    bool streamed; /* on_chunk was called: what is in `last` only ends it */
    int err_index;
    error err;
    engine_summary sum;
    refbuf *last; /* remaining bytes; owned */
    bool last_gzip;

    /* the reactor's */
    void (*on_chunk)(struct run *, refbuf *data); /* takes the reference */
    void (*on_done)(struct run *);
    void *arg;
    int64_t asked_us; /* when the message came that asked for it, see conn.asked_us */
    reactor_msg done_msg;
} run;

run *run_new(conn *c, const run_encoder *encoder, job_kind kind);
/* Holds a client's statement to the setting max_rows, whatever it asks for itself. */
void run_bound_rows(run *r);
/* Links it to its connection and hands it to the engine. */
void run_submit(run *r);
/* Bytes of a chunk were handed to the socket (reactor thread). */
void run_credit(run *r, size_t bytes);
/* The connection is gone: cancel. */
void run_abandon(run *r);
void run_free(run *r);

#endif
