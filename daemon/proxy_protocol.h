/* The header of the PROXY protocol, versions 1 and 2 (haproxy's "proxy-protocol.txt"): what a proxy
 * says of a connection before the connection's own bytes. A parser and nothing else: it takes bytes
 * as they come, in whatever pieces, and never one that is behind the header. Any thread. */
#ifndef DAEMON_PROXY_PROTOCOL_H
#define DAEMON_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/networks.h"

enum {
    PROXY_V1_MAX = 107,  /* bytes of a version 1 header, its line break included */
    PROXY_V2_MAX = 4096, /* bytes of addresses and further fields that are read of version 2 */
};

typedef enum proxy_state {
    PROXY_MORE,
    PROXY_DONE, /* `from` and `port` are of the client, unless `local` */
    PROXY_BAD,
} proxy_state;

/* All zero at the beginning. */
typedef struct proxy_header {
    proxy_state state;
    bool local; /* of the proxy itself (its health check), or of what is not known */
    ip_address from;
    uint16_t port;
    uint8_t text[PROXY_V1_MAX + 1]; /* what came so far, as much as counts */
    size_t got, want;               /* bytes so far; bytes of version 2 once they are known */
} proxy_header;

/* Takes the next bytes, and gives how many of them belong to the header: all of them while it says
 * PROXY_MORE. What has ended (PROXY_DONE, PROXY_BAD) takes none. */
size_t proxy_feed(proxy_header *h, const void *bytes, size_t n);

#endif
