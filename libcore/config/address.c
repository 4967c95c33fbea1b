#include "config/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/units.h"

static bool valid_host(const char *host, size_t n, bool bracketed)
{
    struct in6_addr six;
    if (n == 0 || n >= sizeof((address *)0)->host)
        return false;
    if (bracketed) {
        char copy[INET6_ADDRSTRLEN];
        if (n >= sizeof copy)
            return false;
        memcpy(copy, host, n);
        copy[n] = '\0';
        return inet_pton(AF_INET6, copy, &six) == 1;
    }
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    return strspn(host, allowed) >= n;
}

bool address_parse(const char *text, address *out, error *e)
{
    const char *colon = strrchr(text, ':'), *host = text;
    bool bracketed = text[0] == '[';
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (bracketed) {
        host++;
        if (n < 2 || text[n - 1] != ']')
            return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" is not HOST:PORT", text);
        n -= 2;
    }
    if (!colon)
        return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" has no port; HOST:PORT is wanted", text);
    if (!bracketed && memchr(host, ':', n)) {
        error_set(e, ERR_INVALID_MESSAGE, "\"%s\" is not HOST:PORT", text);
        return error_hint(e, "an IPv6 address stands in brackets: [::1]:8080");
    }
    if (!valid_host(host, n, bracketed))
        return error_set(e, ERR_INVALID_MESSAGE, "\"%.*s\" in \"%s\" is no host", (int)n, host,
                         text);
    int64_t port;
    if (strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        !units_parse_int(colon + 1, &port) || port > 65535)
        return error_set(e, ERR_INVALID_MESSAGE, "\"%s\" in \"%s\" is no port from 0 to 65535",
                         colon + 1, text);
    memcpy(out->host, host, n);
    out->host[n] = '\0';
    out->port = (int)port;
    return true;
}

void address_format(const address *a, char *out, size_t room)
{
    bool six = strchr(a->host, ':') != NULL;
    snprintf(out, room, "%s%s%s:%d", six ? "[" : "", a->host, six ? "]" : "", a->port);
}

bool address_is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &four) == 1)
        return (ntohl(four.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

static bool is_usual_loopback(const char *host)
{
    struct in6_addr six;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 ||
           (inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six));
}

bool address_same_host(const char *a, const char *b)
{
    if (strcasecmp(a, b) == 0)
        return true;
    bool a_named = strcasecmp(a, "localhost") == 0, b_named = strcasecmp(b, "localhost") == 0;
    return (a_named || b_named) && is_usual_loopback(a) && is_usual_loopback(b);
}
