/* Reads and inserts on one table, while subscribers watch the inserts: an ordinary day. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/bench/clients.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

typedef struct mixed {
    bench_run *run;
    bench_clients clients;
    bench_subs subs;
    char *filler;
    uint64_t events;
} mixed;

static void ask(bench_client *c, buf *out)
{
    mixed *m = c->all->arg;
    bench_run *r = m->run;
    char read[160];
    buf write = BUF_INIT;
    c->kind = bench_random(&c->random) % 100 < (uint32_t)r->opt.writes ? BENCH_WRITE : BENCH_READ;
    if (c->kind == BENCH_WRITE) {
        buf_addf(&write,
                 "{\"sql\":\"INSERT INTO bench_mixed(body) VALUES(?)\",\"params\":[\"%s\"]}",
                 m->filler);
    } else {
        int n = snprintf(read, sizeof read,
                         "{\"sql\":\"SELECT id, body FROM bench_mixed WHERE id = ?\","
                         "\"params\":[%u]}",
                         1 + bench_random(&c->random) % (uint32_t)r->opt.rows);
        buf_add(&write, read, (size_t)n);
    }
    bench_http_head(out, "POST", &r->server, "/api/v1/query", r->auth, (long)write.len);
    buf_add(out, write.data, write.len);
    buf_free(&write);
}

static void event(bench_sub *s, const char *payload, size_t len)
{
    (void)payload;
    (void)len;
    mixed *m = s->all->arg;
    m->events++;
}

static void clear(void *arg)
{
    mixed *m = arg;
    bench_clients_clear(&m->clients);
    m->events = 0;
}

static bool make_table(mixed *m, error *e)
{
    return bench_sql(m->run, e, "DROP TABLE IF EXISTS bench_mixed") &&
           bench_sql(m->run, e, "CREATE TABLE bench_mixed(id INTEGER PRIMARY KEY, body TEXT)") &&
           bench_sql(m->run, e,
                     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < %lld) "
                     "INSERT INTO bench_mixed SELECT n, 'every committed change' FROM c",
                     (long long)m->run->opt.rows);
}

static void report(mixed *m, const bench_sample *from, const bench_sample *to)
{
    bench_run *r = m->run;
    double seconds = bench_seconds(from, to);
    snprintf(r->report.with, sizeof r->report.with,
             "%d clients, %lld %% writes, %d subscribers, %.1f s", m->clients.n,
             (long long)r->opt.writes, m->subs.n, seconds);
    bench_report_add(&r->report, "requests_per_second", NULL, 0,
                     (double)m->clients.answers / seconds);
    bench_report_add(&r->report, "events_per_second", NULL, 0, (double)m->events / seconds);
    bench_report_hist(&r->report, "read_latency", &m->clients.hist[BENCH_READ]);
    bench_report_hist(&r->report, "insert_latency", &m->clients.hist[BENCH_WRITE]);
    bench_sample_report(r, from, to, (double)m->clients.answers, "request");
}

bool bench_run_mixed(bench_run *r, error *e)
{
    mixed m = {.run = r, .filler = bench_filler(r->opt.payload)};
    m.clients = (bench_clients){.n = (int)r->opt.clients, .ask = ask, .arg = &m};
    m.subs = (bench_subs){.to = &r->server,
                          .topic = "table:bench_mixed",
                          .n = (int)r->opt.subscribers,
                          .event = event,
                          .arg = &m};
    bench_sample from, to;
    bool good = make_table(&m, e) && bench_subs_open(&m.subs, r, e) &&
                bench_clients_start(&m.clients, r, e) &&
                bench_measure(r, &from, &to, clear, &m, e) && bench_subs_good(&m.subs, e) &&
                bench_clients_good(&m.clients, e);
    if (good) {
        report(&m, &from, &to);
        good = bench_clients_stop(&m.clients, e);
    }
    bench_clients_free(&m.clients);
    bench_subs_free(&m.subs);
    mem_free(m.filler);
    return good;
}
