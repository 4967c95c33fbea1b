#include "daemon/ws_protocol.h"
#include "daemon/reconnect.h"

#include <stdio.h>
#include <string.h>

const ws_protocol *const ws_protocols[] = {&ws_protocol_json, &ws_protocol_jsonrpc,
                                           &ws_protocol_bin, &ws_protocol_raw, NULL};

/* Endpoints that do one thing, by path; what they say is rustydb.json.v1's envelope. */
static const struct endpoint {
    const char *path;
    const ws_protocol *protocol;
} endpoints[] = {
    {"/api/v1/ws/events", &ws_protocol_events},
    {"/api/v1/ws/metrics", &ws_protocol_metrics},
    {"/api/v1/ws/query", &ws_protocol_query},
    {"/api/v1/ws/replication", &ws_protocol_replication},
    {NULL, NULL},
};

static const ws_protocol *by_name(const char *name)
{
    for (int i = 0; ws_protocols[i]; i++) {
        if (strcmp(ws_protocols[i]->name, name) == 0)
            return ws_protocols[i];
    }
    return NULL;
}

/* A list of names (RFC 6455, 4.1); lws hangs up on others than these without a word. */
static bool well_formed(const char *offered)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "!#$%&'*+-.^_`|~";
    while (*offered) {
        offered += strspn(offered, ", \t");
        size_t n = strspn(offered, letters);
        offered += n;
        if (n >= WS_NAME_MAX || (*offered && !strchr(", \t", *offered)))
            return false;
    }
    return true;
}

static const ws_protocol *first_spoken(const char *offered)
{
    char names[WS_OFFER_MAX], *rest = names;
    if (!*offered)
        return ws_protocols[0];
    snprintf(names, sizeof names, "%s", offered);
    for (char *name; (name = strsep(&rest, ", \t")) != NULL;) {
        const ws_protocol *p = by_name(name);
        if (p)
            return p;
    }
    return NULL;
}

static const ws_protocol *refuse_offer(error *e, const char *spoken)
{
    error_set(e, ERR_INVALID_MESSAGE, "none of the offered subprotocols is spoken here");
    error_hint(e, "Offer %s, or none.", spoken);
    return NULL;
}

static void list_all(char *to, size_t room)
{
    size_t n = 0;
    to[0] = '\0';
    for (int i = 0; ws_protocols[i] && n < room; i++)
        n += (size_t)snprintf(to + n, room - n, "%s%s", i ? ", " : "", ws_protocols[i]->name);
}

const ws_protocol *ws_protocol_choose(const char *path, const char *offered, error *e)
{
    char all[160];
    if (!well_formed(offered))
        return error_set(e, ERR_INVALID_MESSAGE, "Sec-WebSocket-Protocol is no list of names"),
               NULL;
    const ws_protocol *p = first_spoken(offered);
    if (strcmp(path, "/api/v1/ws") == 0) {
        list_all(all, sizeof all);
        return p ? p : refuse_offer(e, all);
    }
    for (const struct endpoint *at = endpoints; at->path; at++) {
        if (strcmp(path, at->path) == 0)
            return p == ws_protocols[0] ? at->protocol : refuse_offer(e, ws_protocols[0]->name);
    }
    error_set(e, ERR_NOT_FOUND, "there is no WebSocket at %s", path);
    return NULL;
}

void sub_info_write(json_writer *w, const sub_info *s)
{
    jw_key(w, "subscription_id");
    jw_str(w, s->subscription_id);
    jw_key(w, "topic");
    jw_str(w, s->topic);
    jw_key(w, "filter");
    jw_str(w, s->filter);
    if (s->log_id) {
        jw_key(w, "log_id");
        jw_str(w, s->log_id);
        jw_key(w, "lsn");
        jw_int(w, s->lsn);
    }
}

void closing_write(json_writer *w, const conn *c)
{
    int64_t retry_after = reconnect_after_ms(c);
    jw_key(w, "event");
    jw_str(w, "closing");
    jw_key(w, "code");
    jw_int(w, c->close_code);
    jw_key(w, "reason");
    jw_str(w, c->close_reason);
    if (retry_after >= 0) {
        jw_key(w, "retry_after_ms");
        jw_int(w, retry_after);
    }
}
