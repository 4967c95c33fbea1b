/* The subprotocol jsonrpc: JSON-RPC 2.0 over WebSocket. Events are notifications whose method is
 * what rustydb.json.v1 has for a type, with the same payload. */
#include "base/mem.h"
#include "daemon/rpc.h"
#include "daemon/ws.h"
#include "daemon/ws_direct.h"

enum { COMPRESS_MAX = 65536 }; /* of what is written on the reactor: larger ones would hold it up */

static void deliver(conn *c, const buf *text)
{
    if (!text)
        return;
    if (text->len <= COMPRESS_MAX || !c->ws->deflate_bits) {
        ws_send(c, WS_TEXT, text->data, text->len);
        return;
    }
    buf frame = BUF_INIT;
    ws_frame_add(&frame, WS_TEXT, text->data, text->len);
    refbuf *data = frame.failed ? NULL : refbuf_new(frame.data, frame.len);
    buf_free(&frame);
    if (data)
        conn_queue(c, data, NULL, 0);
    else
        conn_kill(c);
}

static void opened(conn *c)
{
    rpc_peer *p = xalloc(sizeof *p);
    rpc_peer_init(p, c, false, deliver);
    c->ws->state = p;
}

static void closed(conn *c)
{
    if (c->ws->state)
        rpc_peer_free(c->ws->state);
    mem_free(c->ws->state);
    c->ws->state = NULL;
}

static void take_message(conn *c, bool binary, const char *text, size_t n)
{
    (void)binary;
    rpc_message(c->ws->state, text, n);
}

static void direct(conn *c, const ws_direct *m)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    jw_begin_object(&w);
    ws_direct_write(&w, m);
    jw_end_object(&w);
    if (out.failed)
        conn_kill(c);
    else
        ws_say(c, m->type, out.data, out.len);
    buf_free(&out);
}

static void closing(conn *c)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    jw_begin_object(&w);
    closing_write(&w, c);
    jw_end_object(&w);
    if (!out.failed)
        ws_say(c, "system", out.data, out.len);
    buf_free(&out);
}

const ws_protocol ws_protocol_jsonrpc = {
    .name = "jsonrpc",
    .text = true,
    .form = FORM_RPC,
    .opened = opened,
    .closed = closed,
    .message = take_message,
    .direct = direct,
    .closing = closing,
    RPC_ANSWERS,
};
