/* What an event costs when every subscriber of its table has another filter: inserts whose value
 * one of them waits for. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/bench/clients.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

typedef struct filters {
    bench_run *run;
    bench_subs subs;
    uint64_t events; /* since the measured part began */
} filters;

static bool is_plain(const bench_run *r)
{
    return strcmp(r->opt.where, "equal") == 0;
}

/* The second form says the same, but not in a way that an index can know. */
static void ask(bench_sub *s, buf *payload)
{
    long nth = s - s->all->list;
    buf_addf(payload, ",\"where\":\"%s = %ld\"", is_plain(s->all->run) ? "n" : "n + 0", nth);
}

static void event(bench_sub *s, const char *payload, size_t len)
{
    (void)payload;
    (void)len;
    ((filters *)s->all->arg)->events++;
}

static void insert(bench_client *c, buf *out)
{
    const filters *f = c->all->arg;
    char body[120];
    int n = snprintf(body, sizeof body,
                     "{\"sql\":\"INSERT INTO bench_filters(n) VALUES(?)\",\"params\":[%u]}",
                     bench_random(&c->random) % (unsigned)f->subs.n);
    c->kind = BENCH_WRITE;
    bench_http_head(out, "POST", &c->all->run->server, "/api/v1/query", c->all->run->auth, n);
    buf_add(out, body, (size_t)n);
}

static void clear(void *arg)
{
    bench_clients *c = arg;
    ((filters *)c->arg)->events = 0;
    bench_clients_clear(c);
}

bool bench_run_filters(bench_run *r, error *e)
{
    filters f = {.run = r};
    bench_sample from, to;
    if (!bench_sql(r, e, "DROP TABLE IF EXISTS bench_filters") ||
        !bench_sql(r, e, "CREATE TABLE bench_filters(id INTEGER PRIMARY KEY, n INTEGER)"))
        return false;
    f.subs = (bench_subs){.to = &r->server,
                          .topic = "table:bench_filters",
                          .n = (int)r->opt.subscribers,
                          .ask = ask,
                          .event = event,
                          .arg = &f};
    bench_clients c = {.n = (int)r->opt.clients, .ask = insert, .arg = &f};
    bool good = bench_subs_open(&f.subs, r, e) && bench_clients_start(&c, r, e) &&
                bench_measure(r, &from, &to, clear, &c, e) && bench_clients_good(&c, e) &&
                bench_subs_good(&f.subs, e);
    if (good) {
        double done = (double)c.answers, seconds = bench_seconds(&from, &to);
        snprintf(r->report.with, sizeof r->report.with, "%d filters (%s), %d clients, %.1f s",
                 f.subs.n, r->opt.where, c.n, seconds);
        bench_report_add(&r->report, "events_per_second", NULL, 0, done / seconds);
        bench_report_add(&r->report, "deliveries_per_second", NULL, 0, (double)f.events / seconds);
        bench_sample_report(r, &from, &to, done, "event");
        good = bench_clients_stop(&c, e);
    }
    bench_clients_free(&c);
    bench_subs_free(&f.subs);
    return good;
}
