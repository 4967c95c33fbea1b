#include "daemon/conn.h"
#include "daemon/admission.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/http.h"
#include "daemon/hub_subs.h"
#include "daemon/room.h"
#include "daemon/run.h"
#include "daemon/ws.h"
#include "wire/ws_frame.h"

#include <stdio.h>
#include <string.h>

conn *conn_new(reactor *r, struct lws *wsi, int fd)
{
    conn *c = xalloc(sizeof *c);
    c->r = r;
    c->wsi = wsi;
    c->fd = fd;
    c->state = CONN_HTTP;
    c->serial = atomic_fetch_add(&r->d->next_conn, 1) + 1;
    c->taken = -1;
    c->opened_us = c->last_activity_us = c->wrote_us = clock_mono_us();
    list_init(&c->dirty_link);
    list_init(&c->runs);
    list_init(&c->out.items);
    list_append(&r->conns, &c->link);
    STAT_ADD(r->stats.http_connections, 1);
    STAT_ADD(r->stats.connections_total, 1);
    return c;
}

const identity *conn_who(const conn *c)
{
    return c->ws ? c->ws->who : c->req ? c->req->who : NULL;
}

bool conn_peer_uid(const conn *c, uid_t *uid)
{
    *uid = c->local.uid;
    return c->local.known;
}

static atomic_int *counter_of(conn *c, conn_state state)
{
    if (state == CONN_HTTP)
        return &c->r->stats.http_connections;
    return state == CONN_WS ? &c->r->stats.ws_connections : NULL;
}

void conn_set_state(conn *c, conn_state to)
{
    atomic_int *from = counter_of(c, c->state), *into = counter_of(c, to);
    if (from)
        STAT_ADD(*from, -1);
    if (into)
        STAT_ADD(*into, 1);
    c->state = to;
}

/* Paused and blocked at once, HTTP/1 gets no writable callback. */
static void see_to_room(conn *c)
{
    if (c->rx_paused && c->blocked && !c->ws)
        room_watch(c);
}

void conn_pause(conn *c)
{
    if (c->rx_paused)
        return;
    c->rx_paused = true;
    lws_rx_flow_control(c->wsi, 0);
    see_to_room(c);
}

void conn_resume(conn *c)
{
    if (!c->rx_paused)
        return;
    c->rx_paused = false;
    lws_rx_flow_control(c->wsi, 1);
}

bool conn_unblock(conn *c)
{
    c->blocked = lws_partial_buffered(c->wsi);
    if (c->blocked)
        lws_callback_on_writable(c->wsi);
    else
        c->wrote_us = clock_mono_us();
    return !c->blocked;
}

/* ---- output ------------------------------------------------------------------------------------
 */

void conn_queue(conn *c, refbuf *data, run *r, uint64_t replay)
{
    conn_queue_part(c, data, 0, r, replay);
}

void conn_queue_part(conn *c, refbuf *data, size_t skip, run *r, uint64_t replay)
{
    /* Behind the close frame nothing may follow (RFC 6455, 5.5.1). */
    if (c->state == CONN_DEAD || (c->ws && c->ws->close_sent)) {
        refbuf_unref(data);
        return;
    }
    out_item *it = xalloc(sizeof *it);
    it->data = data;
    it->skip = skip;
    it->run = r;
    it->replay = replay;
    it->asked_us = c->asked_us;
    c->asked_us = 0;
    if (list_empty(&c->out.items) && !c->blocked)
        c->wrote_us = clock_mono_us();
    c->out.bytes += data->len - skip;
    list_append(&c->out.items, &it->link);
    reactor_want_flush(c->r, c);
}

void conn_forget_run(conn *c, const run *r)
{
    list_each(it, &c->out.items)
    {
        out_item *item = list_entry(it, out_item, link);
        if (item->run == r)
            item->run = NULL;
    }
}

static out_item *out_head(conn *c)
{
    return list_empty(&c->out.items) ? NULL : list_entry(c->out.items.next, out_item, link);
}

static const char *bytes_of(const out_item *it)
{
    return it->data->data + it->skip;
}

static size_t length_of(const out_item *it)
{
    return it->data->len - it->skip;
}

/* The item is on its way: counted, unless nobody is there to get it. */
static void count_out(conn *c, const out_item *it)
{
    if (c->state == CONN_DEAD)
        return;
    if (c->ws) {
        uint64_t n = ws_frame_count(bytes_of(it), length_of(it));
        c->messages_out += n;
        STAT_ADD(c->r->stats.messages_out, n);
    }
    if (it->asked_us)
        latency_add(&c->r->message_latency, clock_mono_us() - it->asked_us);
}

static void out_pop(conn *c)
{
    out_item *it = out_head(c);
    list_unlink(&it->link);
    count_out(c, it);
    c->out.bytes -= length_of(it);
    if (it->run)
        run_credit(it->run, length_of(it));
    if (it->replay)
        hub_on_written(c->r, it->replay, length_of(it));
    refbuf_unref(it->data);
    mem_free(it);
}

bool conn_write(conn *c, const char *p, size_t n)
{
    if (lws_write(c->wsi, (unsigned char *)(uintptr_t)p, n, LWS_WRITE_HTTP) < 0)
        return false;
    STAT_ADD(c->r->stats.bytes_out, n);
    c->bytes_out += n;
    if (lws_partial_buffered(c->wsi)) {
        c->blocked = true;
        STAT_ADD(c->r->stats.backpressure, 1);
        lws_callback_on_writable(c->wsi);
        see_to_room(c);
    } else {
        c->wrote_us = clock_coarse_us();
    }
    return true;
}

/* Gathers small items into one write; a large one goes out by itself, uncopied. */
static bool write_some(conn *c)
{
    out_item *first = out_head(c);
    if (length_of(first) >= FLUSH_MAX || first->link.next == &c->out.items) {
        bool ok = conn_write(c, bytes_of(first), length_of(first));
        out_pop(c);
        return ok;
    }
    char *at = c->r->scratch + LWS_PRE;
    size_t n = 0;
    while ((first = out_head(c)) && n + length_of(first) <= FLUSH_MAX) {
        memcpy(at + n, bytes_of(first), length_of(first));
        n += length_of(first);
        out_pop(c);
    }
    return conn_write(c, at, n);
}

bool conn_flush(conn *c)
{
    while (!c->blocked && out_head(c)) {
        if (!write_some(c))
            return false;
    }
    return true;
}

/* ---- ending ------------------------------------------------------------------------------------
 */

void conn_kill(conn *c)
{
    if (!c->wsi)
        return;
    c->killed = true;
    lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void conn_unlimit(conn *c)
{
    if (!c->killed) /* which is a time limit as well */
        lws_set_timeout(c->wsi, NO_PENDING_TIMEOUT, 0);
}

void conn_end(conn *c, int code, const char *reason)
{
    if (c->state == CONN_CLOSING || c->state == CONN_DEAD)
        return;
    c->close_code = (uint32_t)code;
    c->closing_since_us = clock_mono_us();
    snprintf(c->close_reason, sizeof c->close_reason, "%s", reason);
    if (c->ws)
        ws_say_closing(c);
    conn_set_state(c, CONN_CLOSING);
    reactor_want_flush(c->r, c);
}

void conn_gone(conn *c)
{
    reactor *r = c->r;
    if (c->state == CONN_DEAD)
        return;
    conn_set_state(c, CONN_DEAD);
    atomic_fetch_sub(&r->d->connections, 1);
    c->wsi = NULL;
    admission_undo(r->d, &(admission){c->account, c->refusal});
    room_forget(c);
    list_unlink(&c->dirty_link);
    while (out_head(c))
        out_pop(c);
    if (c->ws)
        ws_free(c);
    http_free_request(c);
    list_each(it, &c->runs) run_abandon(list_entry(it, run, conn_link));
    conn_reap(c);
}

void conn_reap(conn *c)
{
    if (c->state != CONN_DEAD || c->n_runs > 0)
        return;
    list_unlink(&c->link);
    mem_free(c);
}
