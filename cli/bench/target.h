/* Where load goes: an http(s)://, ws(s):// or redis:// address, resolved once, and how a socket to
 * it is opened. */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

typedef struct bench_target {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    bool tls;        /* https:// or wss:// */
    bool deflate;    /* WebSockets offer permessage-deflate; set by the caller */
    bool redis;      /* redis://: the protocol is RESP, the path names the key or channel */
    bool loopback;   /* the address is this machine's own, so its process can be measured */
    char host[256];  /* as in the URL, with the port: the Host header */
    char path[1024]; /* begins with '/', may hold a query */
} bench_target;

/* Parses SCHEME://HOST[:PORT][/PATH] and resolves the host. INVALID_MESSAGE when it is no such
 * address, NOT_FOUND when the host is unknown. */
bool bench_target_parse(bench_target *t, const char *url, error *e);

/* A non-blocking socket on its way to the target; -1 with errno. From the nth connection on, in
 * steps of BENCH_PER_SOURCE, another address of 127.0.0.0/8 is used, as one address has only so
 * many ports. */
#define BENCH_PER_SOURCE 20000
int bench_target_connect(const bench_target *t, unsigned nth);

#endif
