/* Durable inserts, one row each: what a commit costs, and how well commits are shared. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/bench/clients.h"
#include "cli/bench/scenarios.h"

static void ask(bench_client *c, buf *out)
{
    const char *body = c->all->arg;
    c->kind = BENCH_WRITE;
    bench_http_head(out, "POST", &c->all->run->server, "/api/v1/query", c->all->run->auth,
                    (long)strlen(body));
    buf_adds(out, body);
}

static char *make_body(int64_t payload)
{
    buf b = BUF_INIT;
    char *filler = bench_filler(payload);
    buf_addf(&b, "{\"sql\":\"INSERT INTO bench_insert(body) VALUES(?)\",\"params\":[\"%s\"]}",
             filler);
    mem_free(filler);
    buf_cstr(&b);
    return b.data;
}

bool bench_run_insert(bench_run *r, error *e)
{
    if (!bench_sql(r, e, "DROP TABLE IF EXISTS bench_insert") ||
        !bench_sql(r, e, "CREATE TABLE bench_insert(id INTEGER PRIMARY KEY, body TEXT)"))
        return false;
    char *body = make_body(r->opt.payload);
    bench_clients c = {.n = (int)r->opt.clients, .ask = ask, .arg = body};
    bench_sample from, to;
    bool good = bench_clients_start(&c, r, e) &&
                bench_measure(r, &from, &to, bench_clients_clear, &c, e) &&
                bench_clients_good(&c, e);
    if (good) {
        double done = (double)c.answers;
        snprintf(r->report.with, sizeof r->report.with, "%d clients, %lld bytes a row, %.1f s", c.n,
                 (long long)r->opt.payload, bench_seconds(&from, &to));
        bench_report_add(&r->report, "inserts_per_second", NULL, 0,
                         done / bench_seconds(&from, &to));
        bench_report_hist(&r->report, "latency", &c.hist[BENCH_WRITE]);
        bench_sample_report(r, &from, &to, done, "insert");
        good = bench_clients_stop(&c, e);
    }
    bench_clients_free(&c);
    mem_free(body);
    return good;
}
