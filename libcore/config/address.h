/* Addresses of the daemon as people write them: "HOST:PORT", "[::1]:8080". Any thread. */
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct address {
    char host[256]; /* a name or a number, without brackets */
    int port;       /* 0 to 65535 */
} address;

/* INVALID_MESSAGE says what is wrong; *out is then unset. */
bool address_parse(const char *text, address *out, error *e);

/* "HOST:PORT", with brackets around an IPv6 number. */
void address_format(const address *a, char *out, size_t room);

/* Whether a host means this machine by itself: "localhost", 127.0.0.0/8, ::1. No name is looked
 * up. */
bool address_is_loopback(const char *host);

/* Whether two hosts are the same text, or both are loopback addresses that reach the same
 * listener: "localhost" is as good as 127.0.0.1 and ::1; 127.0.0.1 and 127.0.0.2 differ. */
bool address_same_host(const char *a, const char *b);

#endif
