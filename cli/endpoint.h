/* Where the daemon is and how to get in: --url and --token, or what stands in for them, made into
 * what the REST and WebSocket clients need. */
#ifndef CLI_ENDPOINT_H
#define CLI_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"
#include "cli/options.h"

typedef struct endpoint {
    char *shown;     /* as people call it, for messages */
    char *host;      /* name or address, IPv6 without brackets */
    char *base;      /* scheme://host:port and a path in front of /api/v1, if any */
    char *path;      /* that path alone, "" for none */
    char *unix_path; /* --url unix:PATH, else NULL */
    char *token;     /* NULL: none */
    int port;
    bool tls;
    bool loopback; /* this machine: 127.0.0.0/8, ::1, localhost or a Unix socket */
    bool insecure; /* options of TLS, borrowed from cli_options */
    const char *cacert, *cert, *key;
} endpoint;

/* Everything owned by *ep; freed with endpoint_free, after an error too. INVALID_MESSAGE when the
 * URL or the token is malformed. */
bool endpoint_resolve(endpoint *ep, const cli_options *common, error *e);
void endpoint_free(endpoint *ep);

/* The hint for an answer of 401, when no token was found. */
void endpoint_hint_token(const endpoint *ep, error *e);

#endif
