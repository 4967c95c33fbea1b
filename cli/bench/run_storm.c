/* The resume storm: a table has changed while everybody was away, and all come back at once and ask
 * for what they missed. How long until each has all of it? */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench/hist.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

#define WAIT_US 120000000

typedef struct storm {
    bench_run *run;
    bench_subs subs;
    int64_t since;
    uint32_t wanted; /* events that each is to get */
    int complete;    /* subscribers that have them */
    uint64_t extra;  /* events beyond that: there must be none */
    int64_t began_us, last_us;
    bench_hist each;
} storm;

static void ask(bench_sub *s, buf *payload)
{
    const storm *t = s->all->arg;
    buf_addf(payload, ",\"since\":%lld", (long long)t->since);
}

static void event(bench_sub *s, const char *payload, size_t len)
{
    storm *t = s->all->arg;
    (void)payload;
    (void)len;
    if (s->seen > t->wanted)
        t->extra++;
    if (s->seen != t->wanted)
        return;
    t->last_us = clock_mono_us();
    bench_hist_add(&t->each, t->last_us - t->began_us);
    if (++t->complete == t->subs.n)
        bench_loop_stop(&t->run->loop);
}

/* The table and its changes; `since` is the position before them. */
static bool write_events(storm *t, error *e)
{
    bench_run *r = t->run;
    char *filler = bench_filler(r->opt.payload);
    bool good =
        bench_sql(r, e, "DROP TABLE IF EXISTS bench_storm") &&
        bench_sql(r, e, "CREATE TABLE bench_storm(id INTEGER PRIMARY KEY, body TEXT)") &&
        bench_position(r, &t->since, e) &&
        bench_sql(r, e,
                  "INSERT INTO bench_storm(body) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT "
                  "n + 1 FROM c LIMIT %lld) SELECT '%s' FROM c",
                  (long long)r->opt.rows, filler);
    t->wanted = (uint32_t)r->opt.rows;
    mem_free(filler);
    return good;
}

/* All come at once: they wait for each other's answers no more than for their own events. */
static bool weather(storm *t, bench_sample *from, bench_sample *to, error *e)
{
    bench_run *r = t->run;
    t->subs = (bench_subs){.to = &r->server,
                           .topic = "table:bench_storm",
                           .n = (int)r->opt.subscribers,
                           .opening = (int)r->opt.subscribers,
                           .ask = ask,
                           .event = event,
                           .arg = t};
    if (!bench_sample_take(r, from, e))
        return false;
    t->began_us = clock_mono_us();
    if (!bench_subs_open(&t->subs, r, e))
        return false;
    if (t->complete < t->subs.n)
        bench_loop_run(&r->loop, t->began_us + WAIT_US);
    if (!bench_subs_good(&t->subs, e) || !bench_sample_take(r, to, e))
        return false;
    if (t->complete == t->subs.n && !t->extra)
        return true;
    return error_set(e, ERR_INTERNAL_ERROR,
                     "%d of %d subscribers got everything, %llu events came twice", t->complete,
                     t->subs.n, (unsigned long long)t->extra);
}

bool bench_run_storm(bench_run *r, error *e)
{
    storm *t = xalloc(sizeof *t);
    bench_sample from, to;
    t->run = r;
    bool good = write_events(t, e) && weather(t, &from, &to, e);
    if (good) {
        double done = (double)t->subs.n * t->wanted;
        snprintf(r->report.with, sizeof r->report.with, "%d subscribers, %u events of %lld bytes",
                 t->subs.n, t->wanted, (long long)r->opt.payload);
        bench_report_add(&r->report, "everyone_served_after", "ms", 0,
                         (double)(t->last_us - t->began_us) / 1000);
        bench_report_add(&r->report, "deliveries_per_second", NULL, 0,
                         done * 1e6 / (double)(t->last_us - t->began_us));
        bench_report_hist(&r->report, "each_served_after", &t->each);
        bench_sample_report(r, &from, &to, done, "delivery");
    }
    bench_subs_free(&t->subs);
    mem_free(t);
    return good;
}
