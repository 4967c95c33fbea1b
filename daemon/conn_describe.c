#include "daemon/conn_describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/hub_subs.h"
#include "daemon/tls_peer.h"
#include "daemon/ws.h"

enum { MAX_IDS = 100 }; /* subscriptions named in one description */

static const char *const names[] = {"authenticating", "open", "closing"};

bool conn_phase_of(const conn *c, conn_phase *phase)
{
    if (!c->ws || (c->state != CONN_WS && c->state != CONN_CLOSING))
        return false;
    if (c->state == CONN_CLOSING)
        *phase = CONN_LEAVING;
    else
        *phase = !c->ws->who ? CONN_AUTHENTICATING : CONN_OPEN;
    return true;
}

const char *conn_phase_name(conn_phase phase)
{
    return names[phase];
}

bool conn_phase_parse(const char *name, conn_phase *phase, error *e)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            *phase = (conn_phase)i;
            return true;
        }
    }
    return error_set(e, ERR_INVALID_MESSAGE,
                     "state is not \"authenticating\", \"open\" or \"closing\"");
}

uint64_t describe_parse_id(char letter, const char *id)
{
    size_t n = strlen(id);
    if (n < 2 || n > 19 || id[0] != letter || id[1] == '0' || strspn(id + 1, "0123456789") != n - 1)
        return 0;
    return strtoull(id + 1, NULL, 10);
}

uint64_t conn_parse_id(const char *id)
{
    return describe_parse_id('c', id);
}

void describe_moment(json_writer *w, const server *d, const char *key, int64_t mono_us)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    if (!mono_us) {
        jw_key_str(w, key, NULL);
        return;
    }
    clock_rfc3339(daemon_wall_us(d, mono_us), stamp);
    jw_key_str(w, key, stamp);
}

void describe_remote(json_writer *w, const conn *c)
{
    char text[PEER_TEXT_ROOM];
    peer_format(&c->from, text);
    jw_key_str(w, "remote_address", text[0] ? text : NULL);
}

/* Connection numbers begin again with the daemon; this is another for every session there was. */
static void put_session_id(json_writer *w, const conn *c)
{
    char text[48];
    snprintf(text, sizeof text, "%llx-%llx", (unsigned long long)c->r->d->started_wall_us,
             (unsigned long long)c->serial);
    jw_key_str(w, "session_id", text);
}

static void put_figures(json_writer *w, const conn *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"messages_sent", c->messages_out}, {"messages_received", c->messages_in},
        {"bytes_sent", c->bytes_out},       {"bytes_received", c->bytes_in},
        {"bytes_waiting", c->out.bytes},    {"subscription_count", (uint64_t)c->ws->n_subs},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        jw_key(w, figures[i].name);
        jw_uint(w, figures[i].value);
    }
}

static void put_subscriptions(json_writer *w, const ws *s)
{
    char name[32];
    int n = 0;
    jw_key(w, "subscriptions");
    jw_begin_array(w);
    list_each(it, &s->subs)
    {
        if (n++ == MAX_IDS)
            break;
        hub_sub_name(list_entry(it, sub, ws_link), name);
        jw_str(w, name);
    }
    jw_end_array(w);
}

static void put_certificate(json_writer *w, const conn *c)
{
    peer_certificate *p = conn_peer_certificate(c);
    jw_key_str(w, "client_certificate", p ? p->subject : NULL);
    peer_certificate_free(p);
}

/* The process at the other end of a Unix socket, by its user. */
static void put_local(json_writer *w, const conn *c)
{
    uid_t uid;
    bool known = conn_peer_uid(c, &uid);
    jw_key(w, "peer_uid");
    if (known)
        jw_uint(w, uid);
    else
        jw_null(w);
}

void conn_describe(conn *c, json_writer *w)
{
    const server *d = c->r->d;
    const ws *s = c->ws;
    conn_phase phase = CONN_OPEN;
    conn_phase_of(c, &phase);
    jw_begin_object(w);
    jw_key_str(w, "connection_id", s->id);
    describe_remote(w, c);
    jw_key_str(w, "protocol", lws_is_ssl(c->wsi) ? "wss" : "ws");
    put_certificate(w, c);
    put_local(w, c);
    jw_key_str(w, "subprotocol", s->protocol->name);
    jw_key_str(w, "state", conn_phase_name(phase));
    put_session_id(w, c);
    jw_key_str(w, "user_id", s->who ? s->who->name : NULL);
    describe_moment(w, d, "connected_at", s->opened_us);
    describe_moment(w, d, "last_activity",
                    c->wrote_us > c->last_activity_us ? c->wrote_us : c->last_activity_us);
    put_figures(w, c);
    put_subscriptions(w, s);
    jw_key_str(w, "user_agent", s->agent ? s->agent->text : NULL);
    jw_key(w, "metadata");
    if (s->metadata)
        jw_raw(w, s->metadata, strlen(s->metadata));
    else
        jw_null(w);
    jw_end_object(w);
}
