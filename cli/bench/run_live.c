/* A live query with many subscribers, while one client writes: what a change costs that goes to all
 * of them. Changes that come within the query's interval are sent as one. */
#include <stdio.h>
#include <string.h>

#include "cli/bench/clients.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

#define QUERY "SELECT n % 10 AS part, count(*) AS rows, sum(n) AS total FROM bench_live GROUP BY 1"

typedef struct live {
    bench_run *run;
    bench_subs subs;
    uint64_t messages; /* since the measured part began */
} live;

static void ask(bench_sub *s, buf *payload)
{
    (void)s;
    buf_adds(payload, ",\"query\":\"" QUERY "\",\"min_interval\":10");
}

static void event(bench_sub *s, const char *payload, size_t len)
{
    (void)payload;
    (void)len;
    ((live *)s->all->arg)->messages++;
}

static void insert(bench_client *c, buf *out)
{
    char body[120];
    int n = snprintf(body, sizeof body,
                     "{\"sql\":\"INSERT INTO bench_live(n) VALUES(?)\",\"params\":[%u]}",
                     bench_random(&c->random) % 1000);
    c->kind = BENCH_WRITE;
    bench_http_head(out, "POST", &c->all->run->server, "/api/v1/query", c->all->run->auth, n);
    buf_add(out, body, (size_t)n);
}

static void clear(void *arg)
{
    bench_clients *c = arg;
    ((live *)c->arg)->messages = 0;
    bench_clients_clear(c);
}

bool bench_run_live(bench_run *r, error *e)
{
    live l = {.run = r};
    bench_sample from, to;
    if (!bench_sql(r, e, "DROP TABLE IF EXISTS bench_live") ||
        !bench_sql(r, e, "CREATE TABLE bench_live(id INTEGER PRIMARY KEY, n INTEGER)"))
        return false;
    l.subs = (bench_subs){.to = &r->server,
                          .topic = "",
                          .n = (int)r->opt.subscribers,
                          .ask = ask,
                          .event = event,
                          .arg = &l};
    bench_clients c = {.n = (int)r->opt.clients, .ask = insert, .arg = &l};
    bool good = bench_subs_open(&l.subs, r, e) && bench_clients_start(&c, r, e) &&
                bench_measure(r, &from, &to, clear, &c, e) && bench_clients_good(&c, e) &&
                bench_subs_good(&l.subs, e);
    if (good) {
        double done = (double)l.messages, seconds = bench_seconds(&from, &to);
        snprintf(r->report.with, sizeof r->report.with, "%d subscribers, %d clients, %.1f s",
                 l.subs.n, c.n, seconds);
        bench_report_add(&r->report, "deliveries_per_second", NULL, 0, done / seconds);
        bench_report_add(&r->report, "differences_per_second", NULL, 0, done / l.subs.n / seconds);
        bench_report_add(&r->report, "commits_per_second", NULL, 0, (double)c.answers / seconds);
        bench_sample_report(r, &from, &to, done, "delivery");
        good = bench_clients_stop(&c, e);
    }
    bench_clients_free(&c);
    bench_subs_free(&l.subs);
    return good;
}
