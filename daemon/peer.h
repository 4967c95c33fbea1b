/* Who is at the other end of a connection: the address that the kernel names, or that a trusted
 * proxy names in its place. */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "config/config.h"
#include "config/networks.h"

typedef struct peer {
    ip_address ip; /* not known of a Unix socket */
    uint16_t port; /* 0: not known */
    bool proxy;    /* one of trusted_proxies: what it says of a request's client is taken */
} peer;

enum { PEER_TEXT_ROOM = IP_TEXT_ROOM + 8 };

/* From what accept() gave. Any thread, like the next. */
peer peer_of(const struct sockaddr_storage *from, const config *cfg);
/* HOST:PORT, with brackets around IPv6; HOST where no port is known; "" where no address is. */
void peer_format(const peer *p, char out[PEER_TEXT_ROOM]);

/* Whether the setting allow_networks and deny_networks let this address in. One that is not known
 * is of this machine, and may. */
bool peer_may_come(const ip_address *a, const config *cfg);

#endif
