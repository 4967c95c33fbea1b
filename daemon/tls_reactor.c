/* The contexts of TLS that libwebsockets has, one per reactor, and what they take from the
 * reactor's material. Everything here but the start and tls_reload is the reactor's thread. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/reactor.h"
#include "daemon/settings.h"
#include "daemon/tls_material.h"

#include <string.h>

/* lws would offer P-256 alone, which costs most clients of TLS 1.3 another round trip. */
#define GROUPS "X25519:P-256:X448:P-521:P-384"

/* ---- handshakes --------------------------------------------------------------------------------
 */

/* The certificate is chosen for each handshake, since a context cannot forget one: that of another
 * kind of key would stay beside the new one. */
static int choose_certificate(SSL *ssl, void *arg)
{
    const tls_material *m = ((reactor *)arg)->tls;
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, m->cert, m->key, m->chain, 1);
}

static int staple(SSL *ssl, void *arg)
{
    const tls_material *m = ((reactor *)arg)->tls;
    if (!m->der || (m->der_until && clock_wall_us() >= m->der_until))
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(m->der, m->der_len); /* OpenSSL frees it */
    if (!copy)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)m->der_len);
    return SSL_TLSEXT_ERR_OK;
}

/* Whom clients may be vouched for by. The list of names tells them which certificate to send. */
static bool ask_clients(SSL_CTX *ctx, const tls_material *m)
{
    STACK_OF(X509_NAME) *names = NULL;
    SSL_CTX_set_verify(ctx, m->verify, NULL);
    if (!m->store)
        return true;
    SSL_CTX_set1_cert_store(ctx, m->store);
    STACK_OF(X509) *all = X509_STORE_get1_all_certs(m->store);
    names = sk_X509_NAME_new_null();
    bool ok = all && names;
    for (int i = 0; ok && i < sk_X509_num(all); i++) {
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(sk_X509_value(all, i)));
        ok = name && sk_X509_NAME_push(names, name) > 0;
    }
    sk_X509_pop_free(all, X509_free);
    if (ok)
        SSL_CTX_set_client_CA_list(ctx, names);
    else
        sk_X509_NAME_pop_free(names, X509_NAME_free);
    return ok;
}

/* ---- a reactor's context -----------------------------------------------------------------------
 */

bool tls_prepare(struct lws_context_creation_info *info, reactor *r)
{
    if (!r->d->tls)
        return true;
    r->tls = tls_hold(r->d->tls);
    r->tls_client = info->provided_client_ssl_ctx = SSL_CTX_new(TLS_client_method());
    if (!r->tls_client)
        return false;
    info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
    info->alpn = "http/1.1"; /* answers are written as HTTP/1.1, byte by byte */
    return true;
}

void tls_release(reactor *r)
{
    SSL_CTX_free(r->tls_client);
    tls_drop(r->tls);
}

static bool set_versions(SSL_CTX *ctx, const config *cfg)
{
    bool newest = strcmp(cfg->tls_min_version, "1.3") == 0;
    return SSL_CTX_set_min_proto_version(ctx, newest ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, cfg->tls_ciphers) == 1 &&
           (!*cfg->tls_ciphersuites || SSL_CTX_set_ciphersuites(ctx, cfg->tls_ciphersuites) == 1) &&
           SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
}

int tls_finish(reactor *r, void *ssl_ctx)
{
    SSL_CTX *ctx = ssl_ctx;
    const config *cfg = daemon_config(r->d);
    r->tls_ctx = ctx;
    /* Sessions live in tickets: a cache here would grow with the clients. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* Where a certificate counts it is looked at each time: a ticket would outlive those who
     * vouched for it. */
    if (r->tls->store) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
    /* lws looks for other virtual hosts by name; there is one. */
    SSL_CTX_set_tlsext_servername_callback(ctx, NULL);
    SSL_CTX_set_cert_cb(ctx, choose_certificate, r);
    SSL_CTX_set_tlsext_status_cb(ctx, staple);
    SSL_CTX_set_tlsext_status_arg(ctx, r);
    return set_versions(ctx, cfg) && ask_clients(ctx, r->tls) ? 0 : -1;
}

void tls_put_headers(buf *out, const conn *c)
{
    int64_t max_age = daemon_config(c->r->d)->hsts / 1000;
    if (c->r->tls && !c->local.known && max_age > 0)
        buf_addf(out, "Strict-Transport-Security: max-age=%lld\r\n", (long long)max_age);
}

/* ---- reading again -----------------------------------------------------------------------------
 */

typedef struct renewal {
    reactor_msg msg;
    tls_material *fresh; /* a reference */
} renewal;

static void take_over(reactor *r, reactor_msg *msg)
{
    renewal *n = (renewal *)msg;
    if (ask_clients(r->tls_ctx, n->fresh)) {
        tls_drop(r->tls);
        r->tls = n->fresh;
    } else {
        log_error("tls", "there is no memory for the new certificate");
        tls_drop(n->fresh);
    }
    mem_free(n);
}

bool tls_reload(server *d, error *e)
{
    if (!d->tls)
        return true;
    tls_material *fresh = tls_load(settings_of_start(d->settings), e);
    if (!fresh)
        return false;
    for (int i = 0; i < d->n_reactors; i++) {
        renewal *n = xalloc(sizeof *n);
        n->msg.handle = take_over;
        n->fresh = tls_hold(fresh);
        reactor_post(d->reactors[i], &n->msg);
    }
    tls_drop(d->tls);
    d->tls = fresh;
    return true;
}
