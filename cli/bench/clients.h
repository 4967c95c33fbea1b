/* HTTP clients that ask again as soon as they are answered: a closed loop. */
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include "cli/bench/bench.h"

enum { BENCH_READ, BENCH_WRITE, BENCH_KINDS };

struct bench_clients;
typedef struct bench_client {
    bench_http http; /* first */
    struct bench_clients *all;
    uint32_t random; /* state of its own generator, never 0 */
    int kind;        /* of the request under way: BENCH_READ or BENCH_WRITE */
} bench_client;

typedef struct bench_clients {
    bench_run *run;
    int n;
    bench_client *list;
    /* Writes a whole request to out; may set c->kind. */
    void (*ask)(bench_client *c, buf *out);
    void *arg; /* ask's own */
    bench_hist hist[BENCH_KINDS];
    uint64_t answers; /* good ones, since the measured part began */
    uint64_t body_bytes;
    bool stopping; /* no new requests */
    int busy;
    buf problem; /* body of the first answer that was not 2xx */
    char failure[256];
} bench_clients;

/* n, ask and arg are set by the caller. The first requests go out. */
bool bench_clients_start(bench_clients *c, bench_run *run, error *e);
void bench_clients_clear(void *clients); /* for bench_measure */
/* False with the first failure, when there was one. */
bool bench_clients_good(bench_clients *c, error *e);
/* Waits for the answers under way. */
bool bench_clients_stop(bench_clients *c, error *e);
void bench_clients_free(bench_clients *c);

uint32_t bench_random(uint32_t *state);

#endif
