/* GET /monitoring/sessions: every open connection, whatever it speaks, and open transactions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/listing.h"
#include "daemon/tx_describe.h"
#include "daemon/ws.h"

/* ---- one of them -------------------------------------------------------------------------------
 */

static const char *state_of(const conn *c)
{
    conn_phase phase;
    if (conn_phase_of(c, &phase))
        return conn_phase_name(phase);
    if (c->state == CONN_CLOSING)
        return conn_phase_name(CONN_LEAVING);
    return c->req ? "active" : "idle";
}

static void put_request(json_writer *w, const request *q)
{
    char text[PATH_MAX_LEN + 16];
    if (q)
        snprintf(text, sizeof text, "%s %s", http_method_name(q->head_only ? HTTP_HEAD : q->method),
                 q->path);
    jw_key_str(w, "request", q ? text : NULL);
}

static void put_figures(json_writer *w, const conn *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"queries", (uint64_t)c->n_runs}, {"subscriptions", c->ws ? (uint64_t)c->ws->n_subs : 0},
        {"bytes_received", c->bytes_in},  {"bytes_sent", c->bytes_out},
        {"bytes_waiting", c->out.bytes},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        jw_key(w, figures[i].name);
        jw_uint(w, figures[i].value);
    }
}

static void describe_session(const conn *c, json_writer *w)
{
    const server *d = c->r->d;
    const identity *who = conn_who(c);
    char id[24];
    snprintf(id, sizeof id, "c%llu", (unsigned long long)c->serial);
    jw_begin_object(w);
    jw_key_str(w, "connection_id", id);
    jw_key_str(w, "kind", c->ws ? "websocket" : "http");
    jw_key_str(w, "protocol", c->ws ? ws_protocol_called(c->ws->protocol) : "http");
    jw_key(w, "tls");
    jw_bool(w, lws_is_ssl(c->wsi));
    jw_key_str(w, "state", state_of(c));
    jw_key_str(w, "user", who ? who->name : NULL);
    describe_remote(w, c);
    describe_moment(w, d, "connected_at", c->opened_us);
    describe_moment(w, d, "last_activity",
                    c->wrote_us > c->last_activity_us ? c->wrote_us : c->last_activity_us);
    put_request(w, c->req);
    put_figures(w, c);
    jw_end_object(w);
}

/* ---- a page of them ----------------------------------------------------------------------------
 */

typedef struct session_filter {
    bool has_kind, websocket;
    char user[64]; /* empty: any */
} session_filter;

static bool matches(const conn *c, const session_filter *f)
{
    const identity *who = conn_who(c);
    return c->state != CONN_DEAD && (!f->has_kind || (c->ws != NULL) == f->websocket) &&
           (!f->user[0] || (who && strcmp(who->name, f->user) == 0));
}

static void collect(reactor *r, const void *filter, buf *numbers)
{
    list_each(it, &r->conns)
    {
        const conn *c = list_entry(it, conn, link);
        if (matches(c, filter))
            buf_add(numbers, &c->serial, sizeof c->serial);
    }
}

static int by_serial(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static int by_serial_of(const void *a, const void *b)
{
    const conn *x = *(const conn *const *)a, *y = *(const conn *const *)b;
    return by_serial(&x->serial, &y->serial);
}

static void describe(reactor *r, const uint64_t *wanted, size_t n, listing_rows *to)
{
    buf found = BUF_INIT;
    json_writer w;
    list_each(it, &r->conns)
    {
        const conn *c = list_entry(it, conn, link);
        if (c->state != CONN_DEAD && bsearch(&c->serial, wanted, n, sizeof *wanted, by_serial))
            buf_add(&found, &c, sizeof(const conn *));
    }
    const conn **conns = (const conn **)(void *)found.data;
    size_t count = found.len / sizeof(const conn *);
    if (count > 1)
        qsort(conns, count, sizeof(const conn *), by_serial_of);
    for (size_t i = 0; i < count; i++) {
        listing_begin(to, &w);
        describe_session(conns[i], &w);
        listing_end(to, conns[i]->serial);
    }
    to->text.failed = to->text.failed || found.failed;
    buf_free(&found);
}

static void add_transactions(server *d, json_writer *w)
{
    engine_pool p;
    engine_pool_get(d->engine, &p);
    jw_key(w, "transactions");
    jw_begin_array(w);
    if (p.writer.tx[0])
        describe_transaction(w, d, &p);
    jw_end_array(w);
}

static const listing_kind open_connections = {"sessions", "session", collect, describe,
                                              add_transactions};

void api_list_sessions(request *q)
{
    const char *kind = http_param(q, "kind"), *user = http_param(q, "user");
    session_filter *f = xalloc(sizeof *f);
    f->has_kind = kind != NULL;
    f->websocket = kind && strcmp(kind, "websocket") == 0;
    snprintf(f->user, sizeof f->user, "%s", user ? user : "");
    listing_reply(q, &open_connections, f, http_int(q, "offset"), http_int(q, "limit"));
}
