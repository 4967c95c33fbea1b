/* From an insert on an otherwise idle server to its event at a subscriber. The clock starts when
 * the request is sent, so the durable commit is part of it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

#define PAUSE_US 5000 /* between one change's delivery and the next change */

typedef struct latency {
    bench_timer next; /* first */
    bench_run *run;
    bench_http writer;
    bench_subs subs;
    char *body;
    bool answered, delivered; /* of the change under way */
    bench_hist answer, delivery;
    char failure[200];
} latency;

static void change(bench_timer *t)
{
    latency *l = (latency *)(void *)t;
    bench_run *r = l->run;
    l->answered = l->delivered = false;
    bench_http_head(&l->writer.sock.out, "POST", &r->server, "/api/v1/query", r->auth,
                    (long)strlen(l->body));
    buf_adds(&l->writer.sock.out, l->body);
    bench_http_send(&l->writer);
}

static void rest(latency *l)
{
    if (l->answered && l->delivered)
        l->next.at_us = clock_mono_us() + PAUSE_US;
}

static void answered(bench_http *h, const char *why)
{
    latency *l = h->owner;
    if (why || h->answer.status != 200) {
        snprintf(l->failure, sizeof l->failure, "an insert failed: %s (status %d)", why ? why : "",
                 h->answer.status);
        bench_loop_stop(&l->run->loop);
        return;
    }
    bench_hist_add(&l->answer, clock_mono_us() - h->sent_us);
    l->answered = true;
    rest(l);
}

static void event(bench_sub *s, const char *payload, size_t len)
{
    (void)payload;
    (void)len;
    latency *l = s->all->arg;
    bench_hist_add(&l->delivery, clock_mono_us() - l->writer.sent_us);
    l->delivered = true;
    rest(l);
}

static void clear(void *arg)
{
    latency *l = arg;
    bench_hist_clear(&l->answer);
    bench_hist_clear(&l->delivery);
}

static bool prepare(latency *l, error *e)
{
    bench_run *r = l->run;
    buf b = BUF_INIT;
    char *filler = bench_filler(r->opt.payload);
    buf_addf(&b, "{\"sql\":\"INSERT INTO bench_latency(body) VALUES(?)\",\"params\":[\"%s\"]}",
             filler);
    mem_free(filler);
    buf_cstr(&b);
    l->body = b.data;
    l->next.fire = change;
    l->subs = (bench_subs){
        .to = &r->server, .topic = "table:bench_latency", .n = 1, .event = event, .arg = l};
    bench_http_init(&l->writer, &r->loop, &r->server, 0);
    l->writer.done = answered;
    l->writer.owner = l;
    return bench_sql(r, e, "DROP TABLE IF EXISTS bench_latency") &&
           bench_sql(r, e, "CREATE TABLE bench_latency(id INTEGER PRIMARY KEY, body TEXT)") &&
           bench_subs_open(&l->subs, r, e);
}

static bool measure(latency *l, error *e)
{
    bench_run *r = l->run;
    bench_sample from, to;
    l->next.at_us = clock_mono_us();
    bench_loop_timer(&r->loop, &l->next);
    bool good = bench_measure(r, &from, &to, clear, l, e) && bench_subs_good(&l->subs, e);
    bench_loop_timer_gone(&r->loop, &l->next);
    if (good && l->failure[0])
        good = error_set(e, ERR_INTERNAL_ERROR, "%s", l->failure);
    if (good && !l->delivery.count)
        good = error_set(e, ERR_TIMEOUT, "no event came");
    if (!good)
        return false;
    snprintf(r->report.with, sizeof r->report.with, "a change every %d ms or so, %.1f s",
             PAUSE_US / 1000, bench_seconds(&from, &to));
    bench_report_hist(&r->report, "change_to_delivery", &l->delivery);
    bench_report_hist(&r->report, "change_to_answer", &l->answer);
    bench_sample_report(r, &from, &to, (double)l->delivery.count, "change");
    return true;
}

bool bench_run_latency(bench_run *r, error *e)
{
    latency *l = xalloc(sizeof *l);
    l->run = r;
    bool good = prepare(l, e) && measure(l, e);
    bench_http_close(&l->writer);
    bench_subs_free(&l->subs);
    mem_free(l->body);
    mem_free(l);
    return good;
}
