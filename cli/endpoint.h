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
    char *home;      /* base as it was given: what logins are saved by */
    char *base;      /* scheme://host:port and a path in front of /api/v1, if any */
    char *path;      /* that path alone, "" for none */
    char *unix_path; /* --url unix:PATH, else NULL */
    char *token;     /* NULL: none */
    bool local;      /* the token is that of a daemon of this user's on this machine */
    bool saved;      /* it is that of a login that was saved (login.h) */
    char *tls_pin;   /* the one key that daemon shows, where it speaks TLS; NULL: as usual */
    int port;
    bool tls;
    bool loopback; /* this machine: 127.0.0.0/8, ::1, localhost or a Unix socket */
    bool insecure; /* options of TLS, borrowed from cli_options */
    const char *cacert, *cert, *key;
} endpoint;

/* Everything owned by *ep; freed with endpoint_free, after an error too. INVALID_MESSAGE when the
 * URL or the token is malformed.
 *
 * Without a token the one of this user's own daemon at that loopback address is taken, where there
 * is one; host and base then become the daemon's numeric address, so that the token goes nowhere
 * else. Where that daemon speaks TLS, so does the endpoint, and trusts the key in the daemon's
 * record; unless --cacert or --insecure says otherwise. */
bool endpoint_resolve(endpoint *ep, const cli_options *common, error *e);
void endpoint_free(endpoint *ep);

/* Looks for such a token again: a daemon that was started anew may have another. */
void endpoint_find_token(endpoint *ep);

/* The hint when nothing answers at the address. */
void endpoint_hint_address(const endpoint *ep, error *e);
/* The hint for an answer of 401, when no token was found. */
void endpoint_hint_token(const endpoint *ep, error *e);

#endif
