#include "cli/endpoint.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/address.h"
#include "config/runtime.h"

static bool bad_url(const char *url, error *e)
{
    error_set(e, ERR_INVALID_MESSAGE, "\"%s\" is not the URL of a daemon", url);
    return error_hint(e, "it is http://HOST:PORT, https://HOST:PORT or unix:PATH");
}

static bool unix_socket(endpoint *ep, const char *path, error *e)
{
    enum { MAX_PATH = 107 }; /* sun_path */
    if (!*path || strlen(path) > MAX_PATH) {
        error_set(e, ERR_INVALID_MESSAGE, "the path of a Unix socket has 1 to %d bytes", MAX_PATH);
        return false;
    }
    ep->unix_path = xstrdup(path);
    ep->host = xstrdup("localhost");
    ep->base = xstrdup("http://localhost");
    ep->path = xstrdup("");
    ep->port = 80;
    ep->loopback = true;
    return true;
}

/* A part of the URL, "" when it is absent; freed by the caller. */
static char *part_of(CURLU *u, CURLUPart what, unsigned flags)
{
    char *part = NULL;
    if (curl_url_get(u, what, &part, flags) != CURLUE_OK)
        return xstrdup("");
    char *copy = xstrdup(part);
    curl_free(part);
    return copy;
}

/* Writes base from the other parts. */
static void set_base(endpoint *ep)
{
    buf base = BUF_INIT;
    bool v6 = strchr(ep->host, ':') != NULL;
    buf_addf(&base, "http%s://%s%s%s:%d%s", ep->tls ? "s" : "", v6 ? "[" : "", ep->host,
             v6 ? "]" : "", ep->port, ep->path);
    mem_free(ep->base);
    ep->base = xstrdup(buf_cstr(&base));
    buf_free(&base);
}

/* Takes what u holds; false when it has parts that make no sense here. */
static bool take_parts(endpoint *ep, CURLU *u)
{
    char *scheme = part_of(u, CURLUPART_SCHEME, 0);
    char *user = part_of(u, CURLUPART_USER, 0), *query = part_of(u, CURLUPART_QUERY, 0);
    char *port = part_of(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    char *host = part_of(u, CURLUPART_HOST, 0);
    bool good =
        !*user && !*query && *host && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    ep->tls = strcmp(scheme, "https") == 0;
    ep->path = part_of(u, CURLUPART_PATH, 0);
    ep->port = atoi(port);
    for (size_t n = strlen(ep->path); n > 0 && ep->path[n - 1] == '/'; n--)
        ep->path[n - 1] = '\0';
    size_t n = strlen(host);
    if (host[0] == '[' && n > 2) {
        memmove(host, host + 1, n - 2);
        host[n - 2] = '\0';
    }
    ep->host = host;
    ep->loopback = address_is_loopback(host);
    set_base(ep);
    mem_free(scheme);
    mem_free(user);
    mem_free(query);
    mem_free(port);
    return good;
}

static bool network(endpoint *ep, const char *url, error *e)
{
    buf full = BUF_INIT;
    CURLU *u = curl_url();
    buf_addf(&full, "%s%s", strstr(url, "://") ? "" : "http://", url);
    bool good =
        u && curl_url_set(u, CURLUPART_URL, buf_cstr(&full), 0) == CURLUE_OK && take_parts(ep, u);
    curl_url_cleanup(u);
    buf_free(&full);
    return good || bad_url(url, e);
}

static bool take_token(endpoint *ep, const char *token, error *e)
{
    for (const char *p = token; *p; p++) {
        if (*p <= ' ' || *p > '~')
            return error_set(e, ERR_INVALID_MESSAGE,
                             "the token contains spaces or characters that no token has");
    }
    ep->token = xstrdup(token);
    return true;
}

bool endpoint_resolve(endpoint *ep, const cli_options *common, error *e)
{
    const char *url = common->url ? common->url : CLI_DEFAULT_URL;
    *ep = (endpoint){.insecure = common->insecure,
                     .cacert = common->cacert,
                     .cert = common->cert,
                     .key = common->key};
    ep->shown = xstrdup(url);
    bool good = strncmp(url, "unix:", 5) == 0 ? unix_socket(ep, url + 5, e) : network(ep, url, e);
    good = good && (!common->token || take_token(ep, common->token, e));
    if (good) {
        ep->home = xstrdup(ep->unix_path ? url : ep->base);
        endpoint_find_token(ep);
    }
    return good;
}

static void forget_token(endpoint *ep)
{
    if (ep->token)
        explicit_bzero(ep->token, strlen(ep->token));
    mem_free(ep->token);
    ep->token = NULL;
}

void endpoint_free(endpoint *ep)
{
    mem_free(ep->shown);
    mem_free(ep->host);
    mem_free(ep->home);
    mem_free(ep->base);
    mem_free(ep->path);
    mem_free(ep->unix_path);
    forget_token(ep);
    mem_free(ep->tls_pin);
    *ep = (endpoint){0};
}

/* Whoever names whom to trust has names checked too, so the host stays as it was typed. */
static void trust_record(endpoint *ep, const runtime_record *record)
{
    bool tls = record->tls_pin[0] != '\0', told = ep->cacert || ep->insecure;
    mem_free(ep->tls_pin);
    ep->tls_pin = tls && !told ? xstrdup(record->tls_pin) : NULL;
    ep->tls |= tls;
    if (!tls || !ep->cacert) {
        mem_free(ep->host);
        ep->host = xstrdup(record->at.host);
    }
    set_base(ep);
}

void endpoint_find_token(endpoint *ep)
{
    char token[256];
    runtime_record record;
    bool given = ep->token && !ep->local;
    if (!ep->loopback || ep->unix_path || !runtime_find(ep->host, ep->port, &record, NULL))
        return;
    if (given) {
        if (record.tls_pin[0])
            trust_record(ep, &record);
        return;
    }
    if (!runtime_token(&record, token, sizeof token, NULL))
        return;
    forget_token(ep);
    ep->token = xstrdup(token);
    explicit_bzero(token, sizeof token);
    ep->local = true;
    trust_record(ep, &record);
}

void endpoint_hint_address(const endpoint *ep, error *e)
{
    enum { MOST = 3 };
    runtime_record *records = xalloc(MOST * sizeof *records);
    int n = ep->loopback ? runtime_list(records, MOST) : 0;
    buf urls = BUF_INIT;
    for (int i = 0; i < n && i < MOST; i++)
        buf_addf(&urls, "%s%.40s", i > 0 ? ", " : "", records[i].url);
    if (n > 0)
        error_hint(e, "running here: %s; say which by --url", buf_cstr(&urls));
    else
        error_hint(e, "\"rustydb serve\" starts a daemon; --url or RUSTYDB_URL says where it is");
    buf_free(&urls);
    mem_free(records);
}

void endpoint_hint_token(const endpoint *ep, error *e)
{
    if (ep->token)
        error_hint(e, ep->saved ? "log in again: rustydb login" : "check --token or RUSTYDB_TOKEN");
    else
        error_hint(e, "log in (rustydb login), give --token or set RUSTYDB_TOKEN; root's is in "
                      "root.token in the data folder");
}
