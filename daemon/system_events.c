#include "daemon/system_events.h"
#include "base/clock.h"
#include "daemon/conn.h"
#include "daemon/http.h"
#include "daemon/own_topics.h"
#include "daemon/ws.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* False when nobody listens, or too much happens. */
static bool begin(server *d, json_writer *w, buf *out, const char *event)
{
    *out = BUF_INIT;
    if (!own_topic_wanted(d, OWN_SYSTEM) ||
        !event_gate_pass(&d->gates[OWN_SYSTEM], 1, daemon_config(d)->max_daemon_events,
                         clock_mono_us()))
        return false;
    own_event_begin(w, out, OWN_SYSTEM, event);
    return true;
}

static void put_error(json_writer *w, const error *e)
{
    jw_key(w, "code");
    jw_str(w, error_describe(e->code)->name);
    jw_key(w, "message");
    jw_str(w, e->message);
}

static void put_who(json_writer *w, const conn *c)
{
    char id[24];
    const identity *who = conn_who(c);
    snprintf(id, sizeof id, "c%llu", (unsigned long long)c->serial);
    jw_key(w, "connection_id");
    jw_str(w, id);
    jw_key(w, "user");
    jw_str(w, who ? who->name : NULL);
}

/* ---- start and stop ----------------------------------------------------------------------------
 */

void system_say_started(conn *c)
{
    const server *d = c->r->d;
    char stamp[CLOCK_RFC3339_LEN + 1];
    buf out = BUF_INIT;
    json_writer w;
    clock_rfc3339(d->started_wall_us, stamp);
    own_event_begin(&w, &out, OWN_SYSTEM, "started");
    jw_key(&w, "started_at");
    jw_str(&w, stamp);
    jw_key(&w, "version");
    jw_str(&w, RUSTYDB_VERSION);
    jw_key(&w, "pid");
    jw_int(&w, getpid());
    jw_key(&w, "log_id");
    jw_str(&w, d->log_id);
    jw_end_object(&w);
    ws_say(c, "event", out.data, out.len);
    buf_free(&out);
}

void system_stopping(server *d)
{
    buf out;
    json_writer w;
    if (!begin(d, &w, &out, "stopping"))
        return;
    jw_key(&w, "close_code");
    jw_int(&w, d->close_code);
    jw_key(&w, "restart");
    jw_bool(&w, d->close_code == 1012);
    own_event_send(&w, OWN_SYSTEM, d);
}

/* ---- settings ----------------------------------------------------------------------------------
 */

void system_reloaded(server *d, const config *was, const config *now)
{
    buf out;
    json_writer w;
    if (!begin(d, &w, &out, "config_changed"))
        return;
    jw_key(&w, "changed");
    jw_begin_array(&w);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (strcmp(was->text[i], now->text[i]) == 0)
            continue;
        jw_begin_object(&w);
        jw_key(&w, "setting");
        jw_str(&w, settings[i].name);
        jw_key(&w, "from");
        jw_str(&w, was->text[i]);
        jw_key(&w, "to");
        jw_str(&w, now->text[i]);
        jw_key(&w, "in_effect");
        jw_bool(&w, settings[i].runtime);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    own_event_send(&w, OWN_SYSTEM, d);
}

void system_reload_failed(server *d, const error *e)
{
    buf out;
    json_writer w;
    if (!begin(d, &w, &out, "config_rejected"))
        return;
    put_error(&w, e);
    own_event_send(&w, OWN_SYSTEM, d);
}

/* ---- work --------------------------------------------------------------------------------------
 */

void system_checkpoint(server *d, const engine_checkpoint *c)
{
    buf out;
    json_writer w;
    if (!begin(d, &w, &out, "checkpoint"))
        return;
    jw_key(&w, "log_pages");
    jw_int(&w, c->log_pages);
    jw_key(&w, "moved_pages");
    jw_int(&w, c->moved_pages);
    jw_key(&w, "elapsed_ms");
    jw_real(&w, (double)c->elapsed_us / 1000.0);
    own_event_send(&w, OWN_SYSTEM, d);
}

void system_slow_consumer(const sub *s, const char *action)
{
    server *d = s->c->r->d;
    char name[32];
    buf out;
    json_writer w;
    if (!begin(d, &w, &out, "slow_consumer"))
        return;
    put_who(&w, s->c);
    hub_sub_name(s, name);
    jw_key(&w, "subscription_id");
    jw_str(&w, name);
    jw_key(&w, "of_topic");
    jw_str(&w, s->topic);
    jw_key(&w, "action");
    jw_str(&w, action);
    own_event_send(&w, OWN_SYSTEM, d);
}

void system_limit_hit(server *d, const conn *c, const error *e)
{
    buf out;
    json_writer w;
    if (!begin(d, &w, &out, "limit_hit"))
        return;
    put_error(&w, e);
    if (c)
        put_who(&w, c);
    own_event_send(&w, OWN_SYSTEM, d);
}
