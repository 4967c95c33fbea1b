/* Many WebSocket connections that listen to one topic. */
#ifndef BENCH_SUBS_H
#define BENCH_SUBS_H

#include "cli/bench/bench.h"
#include "cli/bench/ws.h"

#define BENCH_SUBS_OPENING 32 /* connections that may be on their way at once, if not told */

struct bench_subs;
typedef struct bench_sub {
    bench_ws ws; /* first */
    struct bench_subs *all;
    bool live;     /* subscribed: from here on text frames are events */
    uint32_t seen; /* events so far */
} bench_sub;

typedef struct bench_subs {
    bench_run *run;
    const bench_target *to;
    const char *topic; /* NULL: the connection itself is the subscription; "": `ask` says it all */
    int n;             /* wanted */
    int opening;       /* how many may be on their way at once; 0: BENCH_SUBS_OPENING */
    int started;       /* opened or opening */
    int live;
    int sample_every; /* every so many-th one has its payloads shown; 0: none has */
    bench_sub *list;
    /* Adds members to the payload of the subscribe message, each behind a comma; may be NULL. */
    void (*ask)(bench_sub *s, buf *payload);
    /* An event came; payload is NULL where it was not asked for. s->seen counts it already. */
    void (*event)(bench_sub *s, const char *payload, size_t len);
    /* One more is live; may be NULL. */
    void (*joined)(struct bench_subs *all);
    void *arg;
    bool closing; /* ends of connections are no failure any more */
    char failure[480];
} bench_subs;

/* to, topic, n, opening, sample_every, ask, event, joined and arg are set by the caller. Returns
 * when all are live. */
bool bench_subs_open(bench_subs *s, bench_run *run, error *e);
bool bench_subs_good(bench_subs *s, error *e);
uint64_t bench_subs_recvs(const bench_subs *s); /* calls of recv so far */
void bench_subs_free(bench_subs *s);

#endif
