#include "daemon/ws_status.h"
#include "base/clock.h"
#include "daemon/reactor.h"

#include <stdatomic.h>

typedef struct totals {
    uint64_t http, ws, subscriptions, connections, requests, in, out, bytes_in, bytes_out;
    uint64_t frames, sends, slow, errors, backpressure;
    latency_sum messages;
} totals;

static void add_up(server *d, totals *to)
{
    totals t = {0};
    for (int i = 0; i < d->n_reactors; i++) {
        const reactor_stats *s = &d->reactors[i]->stats;
        t.http += (uint64_t)STAT_GET(s->http_connections);
        t.ws += (uint64_t)STAT_GET(s->ws_connections);
        t.subscriptions += (uint64_t)STAT_GET(s->subscriptions);
        t.connections += STAT_GET(s->connections_total);
        t.requests += STAT_GET(s->requests);
        t.in += STAT_GET(s->messages_in);
        t.out += STAT_GET(s->messages_out);
        t.bytes_in += STAT_GET(s->bytes_in);
        t.bytes_out += STAT_GET(s->bytes_out);
        t.frames += STAT_GET(s->frames_delivered);
        t.sends += STAT_GET(s->send_calls);
        t.slow += STAT_GET(s->slow_consumers);
        t.errors += STAT_GET(s->errors);
        t.backpressure += STAT_GET(s->backpressure);
        latency_collect(&t.messages, &d->reactors[i]->message_latency);
    }
    *to = t;
}

static void put_latency(json_writer *w, const latency_sum *s)
{
    const struct {
        const char *name;
        double ms;
    } figures[] = {
        {"avg_message_latency_ms", latency_mean_ms(s)},
        {"p50_message_latency_ms", latency_within_ms(s, 0.5)},
        {"p95_message_latency_ms", latency_within_ms(s, 0.95)},
        {"p99_message_latency_ms", latency_within_ms(s, 0.99)},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        jw_key(w, figures[i].name);
        jw_real(w, figures[i].ms);
    }
}

void ws_status_write(json_writer *w, server *d)
{
    totals t;
    engine_stats work;
    add_up(d, &t);
    engine_stats_get(d->engine, &work);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"active_connections", t.ws},
        {"http_connections", t.http},
        {"max_connections", (uint64_t)daemon_config(d)->max_connections},
        {"total_connections_lifetime", t.connections},
        {"active_subscriptions", t.subscriptions},
        {"requests", t.requests},
        {"messages_received", t.in},
        {"messages_sent", t.out},
        {"frames_delivered", t.frames},
        {"send_calls", t.sends},
        {"bytes_received", t.bytes_in},
        {"bytes_sent", t.bytes_out},
        {"slow_consumers", t.slow},
        {"backpressure_events", t.backpressure},
        {"queue_depth", (uint64_t)(work.queued_writes + work.queued_reads)},
        {"error_count", t.errors},
        {"uptime_seconds", (uint64_t)(clock_mono_us() - d->started_mono_us) / 1000000},
    };
    jw_key(w, "status");
    jw_str(w, atomic_load(&d->phase) == PHASE_READY ? "running" : "stopping");
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        jw_key(w, figures[i].name);
        jw_uint(w, figures[i].value);
    }
    put_latency(w, &t.messages);
}

void ws_limits_write(json_writer *w, const config *cfg)
{
    const struct {
        const char *name;
        int64_t value;
    } limits[] = {
        {"max_message", cfg->max_message},
        {"max_result", cfg->max_result},
        {"max_subscriptions", cfg->max_subscriptions},
        {"max_pending", cfg->max_pending},
        {"max_batch", cfg->max_batch},
    };
    jw_begin_object(w);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        jw_key(w, limits[i].name);
        jw_int(w, limits[i].value);
    }
    jw_end_object(w);
}
