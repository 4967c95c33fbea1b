/* Whose requests are meant for this daemon, as browsers tell: the Host header against DNS
 * rebinding, where a page's own name is made to point here, and the Origin header against pages of
 * others that use what a browser would send along by itself. Reactor thread. */
#ifndef DAEMON_HOSTS_H
#define DAEMON_HOSTS_H

#include "daemon/http.h"

/* Whether the request names this daemon: localhost and loopback addresses, the host of the setting
 * `listen`, what `hosts` lists, and any address where the daemon listens to others than this
 * machine; the port does not matter. A Unix socket takes every name: no browser reaches it.
 * INVALID_MESSAGE: none (HTTP/1.1), several, or malformed; MISDIRECTED: another's name. */
bool host_check(const request *q, error *e);

/* Whether a page that asks may: one of the same host, or of cors_origins. A request without an
 * origin is of no page. PERMISSION_DENIED. */
bool origin_check(const request *q, error *e);

/* Whether a name is in a list as the setting `hosts` has it. Any thread. */
bool host_listed(const char *hosts, const char *name, size_t n);

#endif
