/* One topic, many subscribers. A message is in flight until every subscriber has it; as soon as
 * one is complete the next goes out, so that in_flight of them always are. Messages are told apart
 * by their order, which is the same for every subscriber; each carries its time, which a sample of
 * the subscribers reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench/scenarios.h"
#include "cli/bench/subs.h"

#define CHANNEL  "bench_fanout"
#define STAMP    18  /* '@', 16 digits, '@' */
#define SAMPLED  100 /* subscribers whose latency is measured, at most */
#define STALL_US 10000000
#define SETTLE   300000 /* us before the first message, where nobody says when one may begin */

typedef struct fanout {
    bench_timer publish; /* first */
    bench_run *run;
    bench_subs subs;
    bench_http *posts; /* in_flight of them; NULL when publishing over WebSocket */
    bench_ws ws;
    bool ws_open;
    buf message;     /* what is sent: a whole request, or a WebSocket message */
    size_t stamp_at; /* where in it the time goes */
    int *missing;    /* subscribers that do not have it yet, per message in flight */
    uint64_t published, complete;
    uint64_t deliveries, recvs; /* since the measured part began; before it began */
    bench_hist latency;
    bool stopping;
    char failure[300];
} fanout;

static void fail(fanout *f, const char *what)
{
    if (!f->failure[0])
        snprintf(f->failure, sizeof f->failure, "%s", what);
    bench_loop_stop(&f->run->loop);
}

/* ---- publishing --------------------------------------------------------------------------------
 */

static void stamp(fanout *f)
{
    char text[STAMP + 1];
    snprintf(text, sizeof text, "@%016lld@", (long long)clock_mono_us());
    memcpy(f->message.data + f->stamp_at, text, STAMP);
}

static bool publish_one(fanout *f)
{
    if (!f->posts) {
        stamp(f);
        bench_ws_text(&f->ws, f->message.data, f->message.len);
        return true;
    }
    for (int i = 0; i < (int)f->run->opt.in_flight; i++) {
        if (f->posts[i].busy)
            continue;
        stamp(f);
        buf_add(&f->posts[i].sock.out, f->message.data, f->message.len);
        bench_http_send(&f->posts[i]);
        return true;
    }
    return false;
}

/* Publishes what the window allows, in one go. */
static void publish(bench_timer *t)
{
    fanout *f = (fanout *)(void *)t;
    uint64_t window = (uint64_t)f->run->opt.in_flight;
    uint64_t before = f->published;
    while (!f->stopping && !f->failure[0] && f->published < f->complete + window) {
        f->missing[f->published % window] = f->subs.n;
        f->published++;
        if (!publish_one(f)) {
            f->published--;
            break;
        }
    }
    if (!f->posts && f->published > before)
        bench_ws_flush(&f->ws);
}

static void soon(fanout *f)
{
    f->publish.at_us = 1;
}

static void posted(bench_http *h, const char *why)
{
    fanout *f = h->owner;
    char text[64];
    if (!why && h->answer.status / 100 != 2) {
        snprintf(text, sizeof text, "publishing was answered with status %d", h->answer.status);
        why = text;
    }
    if (why)
        fail(f, why);
    soon(f);
}

static void ws_opened(bench_ws *w)
{
    fanout *f = w->owner;
    f->ws_open = true;
    bench_loop_stop(&f->run->loop);
}

static void ws_frame(bench_ws *w, int opcode, const char *payload, size_t len)
{
    (void)opcode;
    if (payload && memmem(payload, len, "\"type\":\"error\"", 14)) {
        char why[256];
        snprintf(why, sizeof why, "publishing was answered with %.*s", (int)(len < 200 ? len : 200),
                 payload);
        fail(w->owner, why);
    }
}

static void ws_closed(bench_ws *w, const char *why)
{
    fail(w->owner, why);
}

static const bench_ws_calls ws_calls = {
    .opened = ws_opened, .frame = ws_frame, .closed = ws_closed};

/* ---- receiving ---------------------------------------------------------------------------------
 */

static void measure_latency(fanout *f, const char *payload, size_t len)
{
    if (f->run->opt.deflate) /* nothing here inflates */
        return;
    const char *at = memchr(payload, '@', len);
    if (at && (size_t)(payload + len - at) >= STAMP && at[STAMP - 1] == '@')
        bench_hist_add(&f->latency, clock_mono_us() - strtoll(at + 1, NULL, 10));
}

static void event(bench_sub *s, const char *payload, size_t len)
{
    fanout *f = s->all->arg;
    uint64_t nth = (uint64_t)s->seen - 1;
    f->deliveries++;
    if (payload)
        measure_latency(f, payload, len);
    if (nth >= f->published) {
        fail(f, "a subscriber got an event that was not published");
        return;
    }
    if (--f->missing[nth % (uint64_t)f->run->opt.in_flight])
        return;
    f->complete++;
    soon(f);
    if (f->stopping && f->complete == f->published)
        bench_loop_stop(&f->run->loop);
}

/* ---- setting up --------------------------------------------------------------------------------
 */

static void make_body(fanout *f, buf *out)
{
    bench_run *r = f->run;
    int64_t rest = r->opt.payload > STAMP ? r->opt.payload - STAMP : 0;
    char *filler = bench_filler(rest);
    const char *before = "", *after = "";
    if (r->foreign) {
        /* The message as it is. */
    } else if (strcmp(r->opt.topic, "table") == 0) {
        before = "{\"sql\":\"INSERT INTO bench_fanout(body) VALUES(?)\",\"params\":[\"";
        after = "\"]}";
    } else {
        before = "{\"channel\":\"" CHANNEL "\",\"message\":\"";
        after = "\"}";
    }
    buf_addf(out, "%s@%016d@%s%s", before, 0, filler, after);
    mem_free(filler);
}

static void make_message(fanout *f)
{
    bench_run *r = f->run;
    bool table = strcmp(r->opt.topic, "table") == 0;
    buf body = BUF_INIT;
    make_body(f, &body);
    if (!f->posts) {
        buf_addf(&f->message, "{\"type\":\"%s\",\"payload\":", table ? "execute" : "publish");
        buf_add(&f->message, body.data, body.len);
        buf_addc(&f->message, '}');
    } else if (r->publish.redis) {
        bench_redis_command(&f->message, "PUBLISH", &r->publish, buf_cstr(&body));
    } else {
        bench_http_head(&f->message, "POST", r->foreign ? &r->publish : &r->server,
                        r->foreign ? r->publish.path
                        : table    ? "/api/v1/query"
                                   : "/api/v1/ws/broadcast",
                        r->auth, (long)body.len);
        buf_add(&f->message, body.data, body.len);
    }
    buf_free(&body);
    f->stamp_at =
        (size_t)((char *)memmem(f->message.data, f->message.len, "@0000000000000000@", STAMP) -
                 f->message.data);
}

static bool open_publishers(fanout *f, error *e)
{
    bench_run *r = f->run;
    if (strcmp(r->opt.via, "ws") == 0 && !r->foreign) {
        if (!bench_ws_open(&f->ws, &r->loop, &r->server, "/api/v1/ws", 0, r->auth,
                           "rustydb.json.v1", &ws_calls, f, e))
            return false;
        bench_loop_run(&r->loop, clock_mono_us() + STALL_US);
        return f->ws_open ||
               error_set(e, ERR_TIMEOUT, "the publisher cannot connect: %s", f->failure);
    }
    f->posts = xalloc((size_t)r->opt.in_flight * sizeof *f->posts);
    for (int i = 0; i < (int)r->opt.in_flight; i++) {
        bench_http_init(&f->posts[i], &r->loop, r->foreign ? &r->publish : &r->server, 0);
        f->posts[i].done = posted;
        f->posts[i].owner = f;
    }
    return true;
}

static bool prepare(fanout *f, error *e)
{
    bench_run *r = f->run;
    bool table = strcmp(r->opt.topic, "table") == 0;
    int n = (int)r->opt.subscribers;
    if (table && !r->foreign &&
        (!bench_sql(r, e, "DROP TABLE IF EXISTS bench_fanout") ||
         !bench_sql(r, e, "CREATE TABLE bench_fanout(id INTEGER PRIMARY KEY, body TEXT)")))
        return false;
    f->subs = (bench_subs){.to = r->foreign ? &r->subscribe : &r->server,
                           .topic = r->foreign ? NULL
                                    : table    ? "table:bench_fanout"
                                               : "channel:" CHANNEL,
                           .n = n,
                           .sample_every = n > SAMPLED ? n / SAMPLED : 1,
                           .event = event,
                           .arg = f};
    if (!bench_subs_open(&f->subs, r, e) || !open_publishers(f, e))
        return false;
    f->missing = xalloc((size_t)r->opt.in_flight * sizeof *f->missing);
    make_message(f);
    if (r->foreign)
        bench_loop_run(&r->loop, clock_mono_us() + SETTLE);
    f->publish.fire = publish;
    soon(f);
    bench_loop_timer(&r->loop, &f->publish);
    return true;
}

/* ---- measuring ---------------------------------------------------------------------------------
 */

static void clear(void *arg)
{
    fanout *f = arg;
    f->deliveries = 0;
    f->recvs = bench_subs_recvs(&f->subs);
    bench_hist_clear(&f->latency);
}

static bool healthy(fanout *f, error *e)
{
    if (f->failure[0])
        return error_set(e, ERR_INTERNAL_ERROR, "%s", f->failure);
    return bench_subs_good(&f->subs, e);
}

/* Waits for what is in flight: every published message reaches everyone, or the run fails. */
static bool drain(fanout *f, error *e)
{
    f->stopping = true;
    if (f->complete < f->published)
        bench_loop_run(&f->run->loop, clock_mono_us() + STALL_US);
    if (!healthy(f, e))
        return false;
    if (f->complete == f->published)
        return true;
    return error_set(e, ERR_TIMEOUT, "%llu messages never reached every subscriber",
                     (unsigned long long)(f->published - f->complete));
}

static bool measure(fanout *f, error *e)
{
    bench_run *r = f->run;
    bench_sample from, to;
    if (!bench_measure(r, &from, &to, clear, f, e) || !healthy(f, e))
        return false;
    double done = (double)f->deliveries, seconds = bench_seconds(&from, &to);
    uint64_t recvs = bench_subs_recvs(&f->subs) - f->recvs;
    snprintf(r->report.with, sizeof r->report.with,
             "%d subscribers, %lld in flight, %lld bytes, %s via %s, %.1f s", f->subs.n,
             (long long)r->opt.in_flight, (long long)r->opt.payload,
             r->foreign ? "foreign" : r->opt.topic, f->posts ? "http" : "ws", seconds);
    bench_report_add(&r->report, "deliveries_per_second", NULL, 0, done / seconds);
    bench_report_add(&r->report, "publishes_per_second", NULL, 0, done / f->subs.n / seconds);
    if (!r->opt.deflate)
        bench_report_hist(&r->report, "publish_to_delivery", &f->latency);
    bench_report_add(&r->report, "frames_per_receive", NULL, 2, recvs ? done / (double)recvs : 0);
    bench_sample_report(r, &from, &to, done, "delivery");
    return drain(f, e);
}

bool bench_run_fanout(bench_run *r, error *e)
{
    fanout *f = xalloc(sizeof *f);
    f->run = r;
    f->ws.sock.io.fd = -1;
    bool good = prepare(f, e) && measure(f, e);
    bench_loop_timer_gone(&r->loop, &f->publish);
    for (int i = 0; f->posts && i < (int)r->opt.in_flight; i++)
        bench_http_close(&f->posts[i]);
    bench_ws_close(&f->ws);
    bench_subs_free(&f->subs);
    buf_free(&f->message);
    mem_free(f->posts);
    mem_free(f->missing);
    mem_free(f);
    return good;
}
