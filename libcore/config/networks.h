/* Addresses of machines and lists of networks, as settings and requests name them: "10.0.0.0/8",
 * "2001:db8::/32", "192.0.2.7". Any thread; nothing is looked up.
 *
 * An address has one form, the 16 bytes of IPv6: an IPv4 address stands in ::ffff:0:0/96 (RFC 4291,
 * 2.5.5.2). So a list means the same whichever way a peer's address was written or its socket was
 * opened. */
#ifndef CONFIG_NETWORKS_H
#define CONFIG_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* All zero (which is "::", no peer's address): none is known, as of a Unix socket. */
typedef struct ip_address {
    uint8_t bytes[16];
} ip_address;

enum { IP_TEXT_ROOM = 46, NETWORKS_MAX = 1024 };

/* From n bytes of text without brackets or port. False when it is no address, or one with a zone
 * ("fe80::1%eth0"), which means something on one machine only. */
bool ip_parse(const char *text, size_t n, ip_address *out);
/* From the bytes of an address in network order: 4 of IPv4 or 16 of IPv6. */
ip_address ip_of_v4(const void *four);
ip_address ip_of_v6(const void *sixteen);
/* In the usual form, IPv4 with dots; "" when none is known. */
void ip_format(const ip_address *a, char out[IP_TEXT_ROOM]);
bool ip_is_known(const ip_address *a);
bool ip_is_v4(const ip_address *a);
bool ip_is_loopback(const ip_address *a);

typedef struct network {
    ip_address base;
    int bits; /* 0 to 128, of the form above */
} network;

typedef struct networks {
    network *items; /* owned; NULL: there are none */
    size_t n;
} networks;

/* Networks and addresses, with spaces or commas between; `out` is filled in. An address without
 * "/BITS" is itself alone. INVALID_MESSAGE names what is no network, with bits set behind its
 * length, or one too many. */
bool networks_parse(const char *text, networks *out, error *e);
void networks_free(networks *list);
/* Whether one of them has this address in it; false for one that is not known. */
bool networks_have(const networks *list, const ip_address *a);

#endif
