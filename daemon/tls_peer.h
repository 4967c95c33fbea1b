/* Who the other end of a TLS connection is, by its certificate. */
#ifndef DAEMON_TLS_PEER_H
#define DAEMON_TLS_PEER_H

#include "daemon/conn.h"

/* A client's certificate that those in tls_client_ca vouch for. */
typedef struct peer_certificate {
    char *subject; /* RFC 2253: "CN=alice,O=Example"; what is not ASCII or special is escaped */
    char **names;  /* its alternative names: "DNS:a.example", "email:a@example", "URI:spiffe://x",
                      "IP:10.0.0.1"; others, and those with control characters, are left out */
    int n_names;
} peer_certificate;

/* NULL when there is none: no TLS, tls_client_auth = off, or the client has shown none (where it is
 * optional). One that is not valid never gets this far, the handshake fails. Freed with
 * peer_certificate_free. Reactor thread. */
peer_certificate *conn_peer_certificate(const conn *c);
void peer_certificate_free(peer_certificate *p); /* NULL is fine */

/* The same from a certificate, without asking who vouches for it. */
peer_certificate *peer_certificate_read(const void *x509);

#endif
