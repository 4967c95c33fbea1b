/* Whom the command line trusts at the other end of TLS: those whom --cacert (or else the system)
 * vouches for, or, for a daemon of this user's on this machine, the one key that its record
 * names; with --insecure, anyone. */
#ifndef CLI_TLS_H
#define CLI_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/error.h"
#include "cli/endpoint.h"

/* Whether the peer of a finished handshake shows the key of `pin` ("sha256//BASE64"). */
bool tls_shows_pin(SSL *ssl, const char *pin);

/* A client's context for this endpoint; freed with SSL_CTX_free.
 * NULL with INVALID_MESSAGE when a file of the options is unusable. */
SSL_CTX *tls_client_context(const endpoint *ep, error *e);

#endif
