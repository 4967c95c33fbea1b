#include "daemon/guest.h"
#include "base/mem.h"
#include "daemon/forwarded.h"
#include "daemon/hosts.h"

#include <string.h>

/* All of a header, which several lines make one list of; NULL when it is absent. */
static char *copy_list(struct lws *wsi, enum lws_token_indexes token)
{
    int n = lws_hdr_total_length(wsi, token);
    char *text = n > 0 ? mem_alloc((size_t)n + 1) : NULL;
    if (text && lws_hdr_copy(wsi, text, n + 1, token) < 0)
        text[0] = '\0';
    return text;
}

void guest_identify(request *q)
{
    const conn *c = q->c;
    q->client = c->from.ip;
    if (!c->from.proxy)
        return;
    char *hops = copy_list(c->wsi, WSI_TOKEN_X_FORWARDED_FOR);
    if (hops)
        q->client = forwarded_client(hops, &q->client, &daemon_config(c->r->d)->nets.proxies);
    mem_free(hops);
}

/* The door could not know whom a proxy speaks for. */
static bool check_network(const request *q, error *e)
{
    if (!q->c->from.proxy || peer_may_come(&q->client, daemon_config(q->c->r->d)))
        return true;
    char text[IP_TEXT_ROOM];
    ip_format(&q->client, text);
    return error_set(e, ERR_PERMISSION_DENIED, "the network of %s may not use this daemon", text);
}

/* A page of somebody else can send a form without being allowed to: only what a browser adds by
 * itself, as a client certificate, would then say who it is. Credentials in a header of their own
 * need the browser's permission. */
static bool check_page(const request *q, error *e)
{
    static const char key_name[] = "x-api-key:";
    struct lws *wsi = q->c->wsi;
    if (q->method & (HTTP_GET | HTTP_OPTIONS) ||
        lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION) ||
        lws_hdr_custom_length(wsi, key_name, sizeof key_name - 1) > 0)
        return true;
    return origin_check(q, e);
}

bool guest_check(request *q, error *e)
{
    return check_network(q, e) && host_check(q, e) && check_page(q, e);
}

bool guest_check_upgrade(request *q, error *e)
{
    return check_network(q, e) && host_check(q, e) && origin_check(q, e);
}

void guest_stay(const request *q)
{
    if (q->c->from.proxy)
        q->c->from = (peer){.ip = q->client};
}
