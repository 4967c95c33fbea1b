#include "cli/bench/clients.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

uint32_t bench_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Ends the run at the first failure: figures of a half-failing server mean nothing. */
static void fail(bench_clients *all, const char *what)
{
    if (!all->failure[0])
        snprintf(all->failure, sizeof all->failure, "%s", what);
    all->stopping = true;
    bench_loop_stop(&all->run->loop);
}

static void ask(bench_client *c)
{
    c->all->ask(c, &c->http.sock.out);
    c->all->busy++;
    bench_http_send(&c->http);
}

static void answered(bench_http *h, const char *why)
{
    bench_client *c = (bench_client *)(void *)h;
    bench_clients *all = c->all;
    all->busy--;
    if (why) {
        fail(all, why);
    } else if (h->answer.status / 100 != 2) {
        char text[64];
        snprintf(text, sizeof text, "status %d", h->answer.status);
        fail(all, text);
    } else {
        bench_hist_add(&all->hist[c->kind], clock_mono_us() - h->sent_us);
        all->answers++;
        all->body_bytes += h->answer.body_bytes;
    }
    if (!all->stopping)
        ask(c);
    else if (!all->busy)
        bench_loop_stop(&all->run->loop);
}

static void keep_problem(void *arg, const char *p, size_t n)
{
    bench_client *c = arg;
    if (c->http.answer.status / 100 != 2 && !c->all->stopping)
        buf_add(&c->all->problem, p, n);
}

bool bench_clients_start(bench_clients *c, bench_run *run, error *e)
{
    c->run = run;
    c->problem.limit = 4096;
    c->list = mem_zalloc((size_t)c->n * sizeof *c->list);
    if (!c->list)
        return error_set(e, ERR_INTERNAL_ERROR, "memory is out for %d clients", c->n);
    for (int i = 0; i < c->n; i++) {
        bench_client *one = &c->list[i];
        bench_http_init(&one->http, &run->loop, &run->server, (unsigned)i);
        one->http.done = answered;
        one->http.answer.body = keep_problem;
        one->http.answer.arg = one;
        one->all = c;
        one->random = 2463534242u + (uint32_t)i * 2654435761u;
        one->random += !one->random;
    }
    for (int i = 0; i < c->n && !c->stopping; i++)
        ask(&c->list[i]);
    return bench_clients_good(c, e);
}

void bench_clients_clear(void *clients)
{
    bench_clients *c = clients;
    for (int i = 0; i < BENCH_KINDS; i++)
        bench_hist_clear(&c->hist[i]);
    c->answers = c->body_bytes = 0;
}

bool bench_clients_good(bench_clients *c, error *e)
{
    if (!c->failure[0])
        return true;
    return error_set(e, ERR_INTERNAL_ERROR, "a request failed: %s %s", c->failure,
                     buf_cstr(&c->problem));
}

bool bench_clients_stop(bench_clients *c, error *e)
{
    c->stopping = true;
    if (c->busy && !c->failure[0] && !bench_loop_run(&c->run->loop, clock_mono_us() + 30000000))
        return error_set(e, ERR_TIMEOUT, "%d requests were not answered within 30 s", c->busy);
    return bench_clients_good(c, e);
}

void bench_clients_free(bench_clients *c)
{
    for (int i = 0; c->list && i < c->n; i++)
        bench_http_close(&c->list[i].http);
    mem_free(c->list);
    buf_free(&c->problem);
    c->list = NULL;
}
