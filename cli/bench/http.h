/* One keep-alive HTTP/1.1 connection that asks one thing at a time. It opens itself when a request
 * is sent, and again when the server ended the last one in good order. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include "cli/bench/answer.h"
#include "cli/bench/sock.h"

typedef struct bench_http {
    bench_sock sock; /* first: events come as a bench_io */
    bench_answer answer;
    const bench_target *to;
    unsigned nth; /* which connection of the run it is, from 0 */
    bool busy;    /* a request is under way */
    bool used;    /* this connection has answered before, so it may end while a request goes out */
    int64_t sent_us; /* when the request was handed to the kernel */
    /* The answer is complete (why NULL), or none will come. May send the next request. */
    void (*done)(struct bench_http *h, const char *why);
    void *owner;
} bench_http;

void bench_http_init(bench_http *h, bench_loop *loop, const bench_target *to, unsigned nth);
/* Sends the request that was written to h->sock.out. Failure is told through h->done, from here or
 * later. */
void bench_http_send(bench_http *h);
void bench_http_close(bench_http *h);

/* Appends a request line and the headers all requests have; auth is NULL or the value of
 * Authorization; body_len < 0: a request without a body. */
void bench_http_head(buf *out, const char *method, const bench_target *to, const char *path,
                     const char *auth, long body_len);

#endif
