#include "daemon/ws.h"
#include "daemon/guest.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/sockstat.h"
#include "base/mem.h"
#include "daemon/hub_subs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEEP_RX = 4096,       /* a larger receive buffer is given back after its message */
    MAX_UNREAD = 262144,  /* bytes of answers waiting at which no further messages are read */
    STRANGER_MAX = 16384, /* largest message before authentication */
    RSV1 = 0x40,          /* among lws's reserved bits: the message is compressed */
};

void ws_prepare(conn *c, const ws_protocol *protocol, const identity *who)
{
    ws *s = xalloc(sizeof *s);
    s->protocol = protocol;
    s->who = who;
    snprintf(s->id, sizeof s->id, "c%llu", (unsigned long long)c->serial);
    list_init(&s->subs);
    s->opened_us = clock_mono_us();
    c->ws = s;
}

void ws_opened(conn *c)
{
    conn_set_state(c, CONN_WS);
    conn_table_add(&c->r->sockets, c);
    conn_unlimit(c);
    c->last_activity_us = clock_mono_us();
    if (c->ws->protocol->opened)
        c->ws->protocol->opened(c);
}

void ws_free(conn *c)
{
    hub_forget(c);
    if (c->ws->protocol->closed)
        c->ws->protocol->closed(c);
    conn_table_remove(&c->r->sockets, c);
    agent_release(c->r, c->ws->agent);
    buf_free(&c->ws->rx);
    identity_release(c->ws->who);
    mem_free(c->ws->metadata);
    if (c->ws->inflater)
        pmd_free(c->ws->inflater);
    mem_free(c->ws->inflater);
    mem_free(c->ws);
    c->ws = NULL;
}

bool ws_set_metadata(conn *c, const json_t *metadata, error *e)
{
    size_t limit = (size_t)daemon_config(c->r->d)->max_metadata;
    char *text = json_dumps(metadata, JSON_COMPACT);
    size_t n = text ? strlen(text) : 0;
    char *kept = text && n <= limit ? mem_strndup(text, n) : NULL;
    free(text);
    if (!kept)
        return n > limit ? error_set(e, ERR_MESSAGE_TOO_BIG,
                                     "metadata has %zu bytes of JSON; the limit is %zu", n, limit)
                         : error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    mem_free(c->ws->metadata);
    c->ws->metadata = kept;
    return true;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* The close frame is ours too: lws, asked to close, under libuv shuts the socket down before its
 * own has gone out. Then the peer has CLOSE_GRACE to answer with its own. */
static bool send_close(conn *c)
{
    buf out = BUF_INIT;
    if (c->ws->close_sent)
        return true;
    c->ws->close_sent = true;
    ws_frame_add_close(&out, (int)c->close_code, c->close_reason);
    bool ok = !out.failed && conn_write(c, out.data, out.len);
    buf_free(&out);
    return ok;
}

/* What still comes is read past, so that the client gets to see why. */
static void refuse(conn *c, int close_code, const char *why)
{
    STAT_ADD(c->r->stats.errors, 1);
    conn_end(c, close_code, why);
}

void ws_bad_message(conn *c)
{
    if (++c->ws->bad_messages >= daemon_config(c->r->d)->max_bad_messages)
        conn_end(c, 1008, "too many malformed messages one after the other");
}

void ws_good_message(conn *c)
{
    c->ws->bad_messages = 0;
}

/* A client that asks on without reading its answers is not listened to until it has read some. */
static void hold_back(conn *c)
{
    if (c->out.bytes >= MAX_UNREAD)
        conn_pause(c);
}

static void listen_again(conn *c)
{
    if (c->out.bytes < MAX_UNREAD / 2)
        conn_resume(c);
}

static bool begin_message(conn *c)
{
    ws *s = c->ws;
    buf_clear(&s->rx);
    s->rx_utf8 = (utf8_stream){0};
    s->rx_binary = lws_frame_is_binary(c->wsi);
    s->rx_deflated = lws_get_reserved_bits(c->wsi) & RSV1;
    if (s->rx_binary ? s->protocol->binary : s->protocol->text)
        return true;
    refuse(c, 1003,
           s->rx_binary ? "this protocol takes text messages only"
                        : "this protocol takes binary messages only");
    return false;
}

static bool begin_frame(conn *c)
{
    if (!c->ws->in_message)
        return begin_message(c);
    if (!(lws_get_reserved_bits(c->wsi) & RSV1))
        return true;
    refuse(c, 1002, "a continuation is marked as compressed");
    return false;
}

/* A stranger has nothing to say but its token. */
static size_t largest_message(const conn *c)
{
    size_t max = (size_t)daemon_config(c->r->d)->max_message;
    return !c->ws->who && max > STRANGER_MAX ? STRANGER_MAX : max;
}

/* Adds a piece to the message; false when that ends the connection. The size is counted after
 * decompression: a small frame may grow without bound. */
static bool add_piece(conn *c, const char *p, size_t n, bool last)
{
    ws *s = c->ws;
    size_t before = s->rx.len, max = largest_message(c);
    pmd_result r = PMD_OK;
    if (s->rx_deflated)
        r = pmd_inflate(s->inflater, p, n, last, &s->rx, max);
    else if (n > max - before)
        r = PMD_TOO_BIG;
    else
        buf_add(&s->rx, p, n);
    if (r == PMD_NO_MEMORY || s->rx.failed)
        refuse(c, 1011, "there is no memory for the message");
    else if (r == PMD_TOO_BIG)
        refuse(c, 1009, "the message is too big");
    else if (r == PMD_BAD)
        refuse(c, 1007, "the compressed data is damaged");
    else if (!s->rx_binary && (!utf8_feed(&s->rx_utf8, s->rx.data + before, s->rx.len - before) ||
                               (last && !utf8_whole(&s->rx_utf8))))
        refuse(c, 1007, "the text is not UTF-8");
    else
        return true;
    return false;
}

static void take_message(conn *c)
{
    ws *s = c->ws;
    STAT_ADD(c->r->stats.messages_in, 1);
    c->messages_in++;
    c->asked_us = c->last_activity_us;
    const identity *who = s->who;
    if (guest_message(c))
        s->protocol->message(c, s->rx_binary, s->rx.data ? s->rx.data : "", s->rx.len);
    c->asked_us = 0;
    if (!c->ws)
        return;
    if (!who || who != c->ws->who) /* there may have been a token in it */
        explicit_bzero(c->ws->rx.data, c->ws->rx.cap);
    buf_clear(&c->ws->rx);
    if (c->ws->rx.cap > KEEP_RX)
        buf_free(&c->ws->rx);
    hold_back(c);
}

int ws_on_receive(conn *c, const char *p, size_t n)
{
    ws *s = c->ws;
    c->last_activity_us = clock_mono_us();
    s->pinged_us = 0;
    STAT_ADD(c->r->stats.bytes_in, n);
    c->bytes_in += n;
    if (c->state != CONN_WS)
        return 0;
    if (!s->in_frame && !begin_frame(c))
        return 0;
    s->in_frame = lws_remaining_packet_payload(c->wsi) > 0;
    s->in_message = s->in_frame || !lws_is_final_fragment(c->wsi);
    if (add_piece(c, p, n, !s->in_message) && !s->in_message)
        take_message(c);
    return 0;
}

int ws_on_pong(conn *c)
{
    c->last_activity_us = clock_mono_us();
    c->ws->pinged_us = 0;
    if (lws_get_reserved_bits(c->wsi) & RSV1)
        refuse(c, 1002, "a control frame is marked as compressed");
    return 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* Takes over `out`, finished frames. */
static void queue_frames(conn *c, buf *out)
{
    refbuf *data = out->failed ? NULL : refbuf_new(out->data, out->len);
    buf_free(out);
    if (!data)
        conn_kill(c);
    else
        conn_queue(c, data, NULL, 0);
}

void ws_send(conn *c, ws_opcode op, const char *message, size_t n)
{
    buf out = BUF_INIT;
    ws_frame_add_message(&out, op, message, n, c->ws->deflate_bits);
    queue_frames(c, &out);
}

void ws_say(conn *c, const char *type, const char *json, size_t n)
{
    buf out = BUF_INIT;
    form_write(&out, ws_form_of(c), &(form_message){.type = type, .json = json, .len = n});
    if (out.len || out.failed)
        queue_frames(c, &out);
}

void ws_say_closing(conn *c)
{
    if (c->ws->protocol->closing)
        c->ws->protocol->closing(c);
}

bool ws_flush(conn *c)
{
    if (!conn_flush(c))
        return false;
    listen_again(c);
    if (c->state == CONN_WS && !c->blocked)
        return hub_deliver(c);
    if (c->state == CONN_CLOSING && !c->blocked)
        return send_close(c);
    return true;
}

/* What is wrong with a close frame; 0: nothing that lws does not see itself (it has replaced a code
 * that may not be sent by 1002 before we are told). */
static int close_fault(conn *c, const unsigned char *p, size_t n, const char **why)
{
    *why = "the close frame is malformed";
    if (lws_get_reserved_bits(c->wsi) || n == 1 || (n >= 2 && (p[0] << 8 | p[1]) >= 5000))
        return 1002;
    *why = "the close reason is not UTF-8";
    return n > 2 && utf8_valid((const char *)p + 2, n - 2) != n - 2 ? 1007 : 0;
}

int ws_on_peer_close(conn *c, const unsigned char *p, size_t n)
{
    const char *why;
    int fault = close_fault(c, p, n, &why);
    if (!c->ws->close_sent && c->state != CONN_CLOSING) {
        if (!fault) {
            c->ws->close_sent = true; /* lws sends it back */
            return 0;
        }
        c->close_code = (uint32_t)fault;
        snprintf(c->close_reason, sizeof c->close_reason, "%s", why);
    }
    if (conn_flush(c) && !c->blocked)
        send_close(c);
    return -1;
}

int ws_on_writable(conn *c)
{
    if (!conn_unblock(c))
        return 0;
    if (!ws_flush(c))
        return -1;
    if (c->blocked)
        return 0;
    if (c->ws->ping_due) {
        /* With a payload: lws does not tell of the empty pong that answers an empty ping. */
        unsigned char ping[LWS_PRE + 4];
        memcpy(ping + LWS_PRE, "live", 4);
        c->ws->ping_due = false;
        if (lws_write(c->wsi, ping + LWS_PRE, 4, LWS_WRITE_PING) < 0)
            return -1;
    }
    return 0;
}

/* Bytes that have left this machine's buffers; of a Unix socket about those that were read. */
static int64_t taken_by_peer(const conn *c)
{
    return c->local.known ? (int64_t)c->bytes_out - sockstat_unsent(c->fd) : sockstat_acked(c->fd);
}

/* A ping stands behind all that was written before. While that moves, the peer is alive, if slow.
 */
static bool still_taking(conn *c)
{
    int64_t acked = taken_by_peer(c), before = c->ws->acked;
    c->ws->acked = acked;
    return acked > before && sockstat_unsent(c->fd) > 0;
}

static void check_ping(conn *c, int64_t now, int64_t limit)
{
    ws *s = c->ws;
    if (still_taking(c)) {
        s->pinged_us = now;
    } else if (now - s->pinged_us > limit) {
        log_debug("dead_peer", "connection %s did not answer a ping", s->id);
        conn_kill(c);
    }
}

void ws_tick(conn *c, int64_t now)
{
    ws *s = c->ws;
    const config *cfg = daemon_config(c->r->d);
    if (s->protocol->tick)
        s->protocol->tick(c, now);
    if (!s->who && now - s->opened_us > cfg->auth_timeout * 1000) {
        conn_end(c, 1008, "no credentials came in time");
        return;
    }
    if (s->pinged_us) {
        check_ping(c, now, cfg->ping_interval * 1000);
    } else if (now - c->last_activity_us > cfg->ping_interval * 1000) {
        s->pinged_us = now;
        s->acked = taken_by_peer(c);
        s->ping_due = true;
        lws_callback_on_writable(c->wsi);
    }
}
