#include "daemon/hosts.h"
#include "config/address.h"
#include "daemon/cors.h"

#include <string.h>
#include <strings.h>

enum { HOST_ROOM = 270 }; /* a name, brackets and a port */

static bool ends_with(const char *name, size_t n, const char *end, size_t len)
{
    return n > len && strncasecmp(name + n - len, end, len) == 0;
}

bool host_listed(const char *hosts, const char *name, size_t n)
{
    for (const char *at = hosts + strspn(hosts, " ,"); *at; at += strspn(at, " ,")) {
        size_t len = strcspn(at, " ,");
        if ((len == 1 && *at == '*') || (len == n && strncasecmp(at, name, n) == 0) ||
            (len > 2 && at[0] == '*' && ends_with(name, n, at + 1, len - 1)))
            return true;
        at += len;
    }
    return false;
}

/* Splits HOST[:PORT]; n is the length of the host, which keeps its brackets. */
static bool well_formed(const char *text, size_t *n)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    ip_address ip;
    const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
    if (close && !ip_parse(text + 1, (size_t)(close - text - 1), &ip))
        return false;
    *n = close ? (size_t)(close + 1 - text) : strspn(text, good);
    const char *port = text + *n;
    if (*n == 0 || !*port)
        return *n > 0;
    size_t digits = strspn(port + 1, "0123456789");
    return *port == ':' && digits <= 5 && !port[1 + digits];
}

static bool is_address(const char *host, size_t n, ip_address *ip)
{
    if (host[0] == '[')
        return ip_parse(host + 1, n - 2, ip);
    return ip_parse(host, n, ip);
}

/* Whether the daemon listens to this machine alone. */
static bool listens_to_itself(const server *d)
{
    address bound;
    return address_parse(d->listen, &bound, NULL) && address_is_loopback(bound.host);
}

static bool is_ours(const server *d, const config *cfg, const char *host, size_t n)
{
    address listen;
    ip_address ip;
    if (is_address(host, n, &ip))
        return ip_is_loopback(&ip) || !listens_to_itself(d) || host_listed(cfg->hosts, host, n);
    if (n == 9 && strncasecmp(host, "localhost", n) == 0)
        return true;
    if (address_parse(cfg->listen, &listen, NULL) && strlen(listen.host) == n &&
        strncasecmp(listen.host, host, n) == 0)
        return true;
    return host_listed(cfg->hosts, host, n);
}

/* The Host header, or what HTTP/2 has in its place. False when it does not fit. */
static bool read_host(const request *q, char out[HOST_ROOM])
{
    struct lws *wsi = q->c->wsi;
    enum lws_token_indexes token = WSI_TOKEN_HOST;
    out[0] = '\0';
    if (!lws_hdr_total_length(wsi, token))
        token = WSI_TOKEN_HTTP_COLON_AUTHORITY;
    return !lws_hdr_total_length(wsi, token) || lws_hdr_copy(wsi, out, HOST_ROOM, token) > 0;
}

static bool no_host(const request *q, error *e)
{
    if (q->http10)
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "the request has no Host header");
}

bool host_check(const request *q, error *e)
{
    const server *d = q->c->r->d;
    const config *cfg = daemon_config(q->c->r->d);
    char host[HOST_ROOM];
    size_t n;
    if (!ip_is_known(&q->c->from.ip))
        return true;
    bool fits = read_host(q, host);
    if (fits && !host[0])
        return no_host(q, e);
    if (!fits || !well_formed(host, &n))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "the Host header is malformed, or there are several");
    if (strcmp(host, d->listen) == 0 || is_ours(d, cfg, host, n))
        return true;
    error_set(e, ERR_MISDIRECTED, "this daemon is not called \"%.*s\"", (int)n, host);
    return error_hint(e, "The setting hosts lists the names that it answers to.");
}

/* The origin of a page names the host that the request goes to: "https://HOST[:PORT]". */
static bool same_host(const request *q)
{
    char host[HOST_ROOM];
    const char *authority = strstr(q->origin, "://");
    return authority && read_host(q, host) && host[0] && strcasecmp(authority + 3, host) == 0;
}

bool origin_check(const request *q, error *e)
{
    if (!lws_hdr_total_length(q->c->wsi, WSI_TOKEN_ORIGIN))
        return true;
    /* One that did not fit is empty, and nowhere listed. */
    if (q->origin[0] &&
        (same_host(q) || cors_listed(daemon_config(q->c->r->d)->cors_origins, q->origin)))
        return true;
    error_set(e, ERR_PERMISSION_DENIED, "pages of \"%.100s\" may not use this daemon", q->origin);
    return error_hint(e, "The setting cors_origins lists the pages that may.");
}
