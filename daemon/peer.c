#include "daemon/peer.h"

#include <netinet/in.h>
#include <stdio.h>

peer peer_of(const struct sockaddr_storage *from, const config *cfg)
{
    peer p = {0};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)from;
        p.ip = ip_of_v4(&a->sin_addr);
        p.port = ntohs(a->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)from;
        p.ip = ip_of_v6(&a->sin6_addr);
        p.port = ntohs(a->sin6_port);
    }
    p.proxy = networks_have(&cfg->nets.proxies, &p.ip);
    return p;
}

void peer_format(const peer *p, char out[PEER_TEXT_ROOM])
{
    char host[IP_TEXT_ROOM];
    ip_format(&p->ip, host);
    bool six = !ip_is_v4(&p->ip);
    out[0] = '\0';
    if (!host[0])
        return;
    int n = snprintf(out, PEER_TEXT_ROOM, "%s%s%s", six ? "[" : "", host, six ? "]" : "");
    if (p->port)
        snprintf(out + n, PEER_TEXT_ROOM - (size_t)n, ":%u", p->port);
}

bool peer_may_come(const ip_address *a, const config *cfg)
{
    if (!ip_is_known(a))
        return true;
    return (cfg->nets.allow.n == 0 || networks_have(&cfg->nets.allow, a)) &&
           !networks_have(&cfg->nets.deny, a);
}
