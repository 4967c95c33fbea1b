/* Connections that come and go: each connects, subscribes to a table from just before its one event
 * on, gets that, and leaves; then it comes again. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

typedef struct churn churn;

typedef struct visitor {
    bench_ws ws; /* first */
    churn *all;
    int64_t came_us;
    bool subscribed;
    bool leaves; /* has what it came for */
} visitor;

struct churn {
    bench_timer turn; /* first: connections are not closed from within their own events */
    bench_run *run;
    char ask[160]; /* the message that subscribes */
    visitor *list;
    int n;
    uint64_t visits; /* since the measured part began */
    unsigned opened;
    bench_hist visit;
    char failure[480];
};

static void fail(churn *c, const char *what)
{
    if (!c->failure[0])
        snprintf(c->failure, sizeof c->failure, "%s", what);
    bench_loop_stop(&c->run->loop);
}

static void opened(bench_ws *w)
{
    const churn *c = ((visitor *)(void *)w)->all;
    w->frames.want = true;
    bench_ws_text(w, c->ask, strlen(c->ask));
    bench_ws_flush(w);
}

static bool is_type(const char *payload, size_t len, const char *type)
{
    return memmem(payload, len < 80 ? len : 80, type, strlen(type)) != NULL;
}

static void frame(bench_ws *w, int opcode, const char *payload, size_t len)
{
    visitor *v = (visitor *)(void *)w;
    (void)opcode;
    if (is_type(payload, len, "\"type\":\"error\"")) {
        fail(v->all, "a subscription was refused");
    } else if (is_type(payload, len, "\"type\":\"subscribed\"")) {
        v->subscribed = true;
    } else if (v->subscribed && is_type(payload, len, "\"type\":\"event\"")) {
        v->leaves = true;
        v->all->visits++;
        bench_hist_add(&v->all->visit, clock_mono_us() - v->came_us);
        v->all->turn.at_us = 1;
    }
}

static void closed(bench_ws *w, const char *why)
{
    fail(((visitor *)(void *)w)->all, why);
}

static bool come(churn *c, visitor *v, error *e)
{
    static const bench_ws_calls calls = {.opened = opened, .frame = frame, .closed = closed};
    bench_run *r = c->run;
    if (!bench_ws_open(&v->ws, &r->loop, &r->server, "/api/v1/ws", c->opened++, r->auth,
                       "rustydb.json.v1", &calls, v, e))
        return false;
    v->all = c;
    v->subscribed = v->leaves = false;
    v->came_us = clock_mono_us();
    return true;
}

static void turn(bench_timer *t)
{
    churn *c = (churn *)(void *)t;
    error e;
    for (int i = 0; i < c->n && !c->failure[0]; i++) {
        visitor *v = &c->list[i];
        if (!v->leaves)
            continue;
        bench_ws_close(&v->ws);
        if (!come(c, v, &e))
            fail(c, e.message);
    }
}

static void clear(void *arg)
{
    churn *c = arg;
    c->visits = 0;
    bench_hist_clear(&c->visit);
}

static bool measure(churn *c, error *e)
{
    bench_run *r = c->run;
    bench_sample from, to;
    for (int i = 0; i < c->n; i++) {
        if (!come(c, &c->list[i], e))
            return false;
    }
    c->turn.fire = turn;
    bench_loop_timer(&r->loop, &c->turn);
    if (!bench_measure(r, &from, &to, clear, c, e))
        return false;
    if (c->failure[0])
        return error_set(e, ERR_INTERNAL_ERROR, "%s", c->failure);
    snprintf(r->report.with, sizeof r->report.with, "%d at a time, %.1f s", c->n,
             bench_seconds(&from, &to));
    bench_report_add(&r->report, "visits_per_second", NULL, 0,
                     (double)c->visits / bench_seconds(&from, &to));
    bench_report_hist(&r->report, "visit", &c->visit);
    if (from.rss >= 0)
        bench_report_add(&r->report, "memory_growth", "bytes", 0, (double)(to.rss - from.rss));
    bench_sample_report(r, &from, &to, (double)c->visits, "visit");
    return true;
}

/* The table, and the event that each visitor asks for. */
static bool prepare(churn *c, error *e)
{
    bench_run *r = c->run;
    int64_t since;
    if (!bench_sql(r, e, "DROP TABLE IF EXISTS bench_churn") ||
        !bench_sql(r, e, "CREATE TABLE bench_churn(id INTEGER PRIMARY KEY)") ||
        !bench_position(r, &since, e) || !bench_sql(r, e, "INSERT INTO bench_churn VALUES(1)"))
        return false;
    snprintf(c->ask, sizeof c->ask,
             "{\"id\":\"s\",\"type\":\"subscribe\",\"payload\":{\"topic\":"
             "\"table:bench_churn\",\"since\":%lld}}",
             (long long)since);
    return true;
}

bool bench_run_churn(bench_run *r, error *e)
{
    churn c = {.run = r, .n = (int)r->opt.clients};
    if (!prepare(&c, e))
        return false;
    c.list = xalloc((size_t)c.n * sizeof *c.list);
    bool good = measure(&c, e);
    bench_loop_timer_gone(&r->loop, &c.turn);
    for (int i = 0; i < c.n; i++)
        bench_ws_close(&c.list[i].ws);
    mem_free(c.list);
    return good;
}
