/* TLS of the listener: what the settings name (certificate and key, whom clients' certificates must
 * come from, a stapled OCSP response, versions and ciphers), read from its files into one immutable
 * `tls_material`, and the contexts of libwebsockets that use it.
 *
 * Each reactor holds the material that its next handshake uses. Reading the files again makes a new
 * one, which is handed to every reactor as a message; connections that are open keep what they
 * have. HTTP/1.1 is all that is offered (ALPN). */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include <libwebsockets.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

struct conn;
struct reactor;
struct server;
typedef struct tls_material tls_material;

static inline bool tls_wanted(const config *cfg)
{
    return *cfg->tls_cert || *cfg->tls_key;
}

enum { TLS_PIN_ROOM = 64 };

/* Whether the settings of TLS go together: INVALID_MESSAGE says which do not. Reads no file. */
bool tls_check(const config *cfg, error *e);

/* Reads all files, so it may block. NULL with INVALID_MESSAGE or PERMISSION_DENIED, which names the
 * file. The caller has the one reference; any thread. */
tls_material *tls_load(const config *cfg, error *e);
tls_material *tls_hold(tls_material *m);
void tls_drop(tls_material *m); /* NULL is fine */

/* "sha256//BASE64" of the certificate's public key, by which the command line knows its own daemon.
 */
const char *tls_pin(const tls_material *m);

/* Fills in what lws_create_context needs for this reactor; does nothing without TLS. The reactor
 * gets a context for clients that nobody uses: left to itself, lws would make one for each of its
 * contexts, read the system's certificates into it, and lose all but one of them at the end.
 * False: no memory. */
bool tls_prepare(struct lws_context_creation_info *info, struct reactor *r);
/* Once lws's context is gone; where there is no TLS too. */
void tls_release(struct reactor *r);

/* The last word on the context that lws has made (LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_
 * CERTS, whose `user` is ssl_ctx). Nonzero: refuse to start. */
int tls_finish(struct reactor *r, void *ssl_ctx);

/* The header lines that an answer over TLS has for it (Strict-Transport-Security, RFC 6797). */
void tls_put_headers(buf *out, const struct conn *c);

/* Reads the files again and gives every reactor what it found; does nothing without TLS. Errors are
 * those of tls_load: then everything stays as it was. May block; one call at a time. */
bool tls_reload(struct server *d, error *e);

#endif
