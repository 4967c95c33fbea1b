/* Idle subscribers: what it costs to connect them, per thousand, and to keep them. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

#define STEP      1000
#define MAX_STEPS 128

typedef struct connecting {
    bench_run *run;
    int64_t cpu[MAX_STEPS + 1]; /* ns of the server when the i-th thousand was complete */
    int64_t at[MAX_STEPS + 1];  /* us */
    int steps;
} connecting;

static void joined(bench_subs *all)
{
    connecting *c = all->arg;
    if (all->live % STEP || c->steps == MAX_STEPS)
        return;
    c->steps++;
    c->cpu[c->steps] = bench_probe_cpu_ns(&c->run->probe);
    c->at[c->steps] = clock_mono_us();
}

static void report_steps(const connecting *c, bench_report *report)
{
    if (c->steps < 2 || c->cpu[0] < 0)
        return;
    double first = (double)(c->cpu[1] - c->cpu[0]) / STEP / 1e3;
    double last = (double)(c->cpu[c->steps] - c->cpu[c->steps - 1]) / STEP / 1e3;
    double all = (double)(c->cpu[c->steps] - c->cpu[0]) / STEP / c->steps / 1e3;
    bench_report_add(report, "server_cpu_each_of_first_1000", "us", 1, first);
    bench_report_add(report, "server_cpu_each_of_last_1000", "us", 1, last);
    bench_report_add(report, "cost_against_first_1000", NULL, 3, first > 0 ? all / first : 0);
}

static void report(connecting *c, const bench_sample *from, const bench_sample *to,
                   const bench_sample *rested, int n)
{
    bench_run *r = c->run;
    double seconds = bench_seconds(from, to);
    snprintf(r->report.with, sizeof r->report.with, "%d subscribers", n);
    bench_report_add(&r->report, "connections_per_second", NULL, 0, n / seconds);
    report_steps(c, &r->report);
    if (from->rss >= 0)
        bench_report_add(&r->report, "memory_per_connection", "bytes", 0,
                         (double)(rested->rss - from->rss) / n);
    if (rested->server_cpu_ns >= 0)
        bench_report_add(&r->report, "idle_server_cpu", "percent", 2,
                         (double)(rested->server_cpu_ns - to->server_cpu_ns) / 10 /
                             (double)(rested->at_us - to->at_us));
    bench_sample_report(r, from, to, n, "connection");
}

bool bench_run_connect(bench_run *r, error *e)
{
    connecting c = {.run = r};
    bench_subs subs = {.to = r->foreign ? &r->subscribe : &r->server,
                       .topic = r->foreign ? NULL : "channel:bench_connect",
                       .n = (int)r->opt.subscribers,
                       .joined = joined,
                       .arg = &c};
    bench_sample from, to, rested;
    bool good = bench_sample_take(r, &from, e);
    if (good) {
        c.cpu[0] = from.server_cpu_ns;
        c.at[0] = from.at_us;
        good = bench_subs_open(&subs, r, e) && bench_sample_take(r, &to, e);
    }
    if (good) {
        bench_loop_run(&r->loop, clock_mono_us() + 1000000);
        good = bench_subs_good(&subs, e) && bench_sample_take(r, &rested, e);
    }
    if (good)
        report(&c, &from, &to, &rested, subs.n);
    bench_subs_free(&subs);
    return good;
}
