/* TLS of the listener: the certificate and key that the settings name, and what a context of
 * libwebsockets is told of them. TLS 1.2 and newer; HTTP/1.1 is all that is offered (ALPN). */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include <libwebsockets.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

static inline bool tls_wanted(const config *cfg)
{
    return *cfg->tls_cert || *cfg->tls_key;
}

enum { TLS_PIN_ROOM = 64 };

/* Reads both files as the listener will, at start, so that what is wrong with them is said in
 * words. `pin` gets "sha256//BASE64" of the certificate's public key, by which the command line
 * knows its own daemon; "" without TLS. INVALID_MESSAGE or PERMISSION_DENIED names the file. */
bool tls_check(const config *cfg, char pin[TLS_PIN_ROOM], error *e);

/* Fills in what lws_create_context needs; does nothing without TLS. *client gets a context for
 * clients that nobody uses: left to itself, lws would make one for each of its contexts, read the
 * system's certificates into it, and lose all but one of them at the end. False: no memory. */
bool tls_prepare(struct lws_context_creation_info *info, const config *cfg, void **client);
/* Once lws's context is gone; NULL is fine. */
void tls_release(void *client);

/* The last word on the context that lws has made (LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_
 * CERTS, whose `user` is ssl_ctx). Nonzero: refuse to start. */
int tls_finish(void *ssl_ctx);

#endif
