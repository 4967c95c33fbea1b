/* POST /rpc: JSON-RPC 2.0 over HTTP. What the call came to is in the answer's body alone: its
 * status is 200, or 204 when there is nothing to answer. */
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/rpc.h"

static const ws_protocol over_http = {RPC_ANSWERS};

static void deliver(conn *c, const buf *text)
{
    if (text)
        http_reply(c->req, 200, text->data, text->len);
    else
        http_reply_with(c->req, 204, NULL, NULL, NULL, 0);
}

static void free_peer(request *q)
{
    rpc_peer_free(q->arg);
    mem_free(q->arg);
}

void api_call_rpc(request *q)
{
    rpc_peer *p = xalloc(sizeof *p);
    rpc_peer_init(p, q->c, true, deliver);
    q->arg = p;
    q->free_arg = free_peer;
    q->protocol = &over_http;
    rpc_message(p, http_body(q));
}
