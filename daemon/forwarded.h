/* X-Forwarded-For: where a request came from, as proxies say. Any thread. */
#ifndef DAEMON_FORWARDED_H
#define DAEMON_FORWARDED_H

#include "config/networks.h"

/* The client of a request that came from `peer`, one of the trusted proxies. Each hop has added the
 * address that it saw at the end of the header, so it is read from there: the first one that is no
 * trusted proxy is the client, since whatever stands before it is that client's own word (RFC 7239,
 * 8.1). What is no address ("unknown", a name) ends the reading: then the client is the last proxy
 * that was named. */
ip_address forwarded_client(const char *header, const ip_address *peer, const networks *proxies);

#endif
