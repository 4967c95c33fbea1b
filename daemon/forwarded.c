#include "daemon/forwarded.h"

#include <string.h>

/* An address as proxies write it: bare, or with a port, then IPv6 in brackets. "::" is nobody's. */
static bool read_hop(const char *text, size_t n, ip_address *out)
{
    const char *close = n && text[0] == '[' ? memchr(text, ']', n) : NULL;
    if (close)
        return ip_parse(text + 1, (size_t)(close - text - 1), out) && ip_is_known(out);
    const char *colon = memchr(text, ':', n);
    bool port = colon && !memchr(colon + 1, ':', n - (size_t)(colon + 1 - text));
    return ip_parse(text, port ? (size_t)(colon - text) : n, out) && ip_is_known(out);
}

ip_address forwarded_client(const char *header, const ip_address *peer, const networks *proxies)
{
    ip_address client = *peer;
    size_t end = strlen(header);
    while (end > 0 && networks_have(proxies, &client)) {
        size_t from = end, stop = end;
        while (from > 0 && header[from - 1] != ',')
            from--;
        size_t next = from ? from - 1 : 0;
        from += strspn(header + from, " \t");
        while (stop > from && (header[stop - 1] == ' ' || header[stop - 1] == '\t'))
            stop--;
        ip_address hop;
        if (stop <= from || !read_hop(header + from, stop - from, &hop))
            break;
        client = hop;
        end = next;
    }
    return client;
}
