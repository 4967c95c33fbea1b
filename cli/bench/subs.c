#include "cli/bench/subs.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define WS_PATH "/api/v1/ws"

static void open_more(bench_subs *s);

static void fail(bench_subs *s, const char *what)
{
    if (!s->failure[0])
        snprintf(s->failure, sizeof s->failure, "%s", what);
    bench_loop_stop(&s->run->loop);
}

static void join(bench_sub *s)
{
    bench_subs *all = s->all;
    long nth = s - all->list;
    s->live = true;
    s->ws.frames.want = all->sample_every && nth % all->sample_every == 0;
    buf_free(&s->ws.sock.out);
    all->live++;
    if (all->joined)
        all->joined(all);
    if (all->live == all->n)
        bench_loop_stop(&all->run->loop);
    else
        open_more(all);
}

static void opened(bench_ws *w)
{
    bench_sub *s = (bench_sub *)(void *)w;
    if (!s->all->topic) {
        join(s);
        return;
    }
    buf text = BUF_INIT;
    buf_adds(&text, "{\"id\":\"s\",\"type\":\"subscribe\",\"payload\":{");
    size_t start = text.len;
    if (*s->all->topic)
        buf_addf(&text, ",\"topic\":\"%s\"", s->all->topic);
    if (s->all->ask)
        s->all->ask(s, &text);
    text.data[start] = ' '; /* the first comma */
    buf_adds(&text, "}}");
    w->frames.want = true;
    bench_ws_text(w, text.data, text.len);
    buf_free(&text);
    bench_ws_flush(w);
}

/* What comes before the subscription is live. */
static void setting_up(bench_sub *s, const char *payload, size_t len)
{
    json_t *message = payload ? json_loadb(payload, len, 0, NULL) : NULL;
    const char *type = json_string_value(json_object_get(message, "type"));
    if (type && strcmp(type, "subscribed") == 0) {
        join(s);
    } else if (!type || strcmp(type, "error") == 0) {
        char why[256];
        snprintf(why, sizeof why, "the subscription was answered with %.*s",
                 (int)(len < 180 ? len : 180), payload ? payload : "");
        fail(s->all, why);
    }
    json_decref(message);
}

static void frame(bench_ws *w, int opcode, const char *payload, size_t len)
{
    bench_sub *s = (bench_sub *)(void *)w;
    (void)opcode;
    if (!s->live) {
        setting_up(s, payload, len);
        return;
    }
    s->seen++;
    if (s->all->event)
        s->all->event(s, w->frames.want ? payload : NULL, len);
}

static void closed(bench_ws *w, const char *why)
{
    bench_sub *s = (bench_sub *)(void *)w;
    if (!s->all->closing)
        fail(s->all, why);
}

static const bench_ws_calls calls = {.opened = opened, .frame = frame, .closed = closed};

static void open_more(bench_subs *s)
{
    int most = s->opening ? s->opening : BENCH_SUBS_OPENING;
    while (s->started < s->n && s->started - s->live < most && !s->failure[0]) {
        bench_sub *one = &s->list[s->started];
        error e;
        one->all = s;
        if (!bench_ws_open(&one->ws, &s->run->loop, s->to, s->topic ? WS_PATH : NULL,
                           (unsigned)s->started, s->run->auth, s->topic ? "rustydb.json.v1" : NULL,
                           &calls, one, &e)) {
            fail(s, e.message);
            return;
        }
        s->started++;
    }
}

bool bench_subs_open(bench_subs *s, bench_run *run, error *e)
{
    s->run = run;
    s->list = mem_zalloc((size_t)(s->n ? s->n : 1) * sizeof *s->list);
    if (!s->list)
        return error_set(e, ERR_INTERNAL_ERROR, "memory is out for %d subscribers", s->n);
    int before = -1;
    open_more(s);
    while (s->live < s->n && !s->failure[0]) {
        if (bench_interrupted)
            return error_set(e, ERR_CANCELLED, "interrupted");
        if (s->live == before)
            return error_set(e, ERR_TIMEOUT, "only %d of %d subscribers got through in time",
                             s->live, s->n);
        before = s->live;
        bench_loop_run(&run->loop, clock_mono_us() + 30000000);
    }
    return bench_subs_good(s, e);
}

bool bench_subs_good(bench_subs *s, error *e)
{
    if (!s->failure[0])
        return true;
    return error_set(e, ERR_INTERNAL_ERROR, "a subscriber was lost: %s (%d were connected)",
                     s->failure, s->live);
}

uint64_t bench_subs_recvs(const bench_subs *s)
{
    uint64_t n = 0;
    for (int i = 0; i < s->started; i++)
        n += s->list[i].ws.sock.recvs;
    return n;
}

void bench_subs_free(bench_subs *s)
{
    s->closing = true;
    for (int i = 0; s->list && i < s->started; i++)
        bench_ws_close(&s->list[i].ws);
    mem_free(s->list);
    s->list = NULL;
}
