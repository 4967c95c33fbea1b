#include "cli/tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static bool matches(X509 *cert, const char *pin)
{
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE], text[48];
    unsigned n = 0;
    char own[64];
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, digest, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!ok)
        return false;
    EVP_EncodeBlock(text, digest, (int)n);
    snprintf(own, sizeof own, "sha256//%s", (const char *)text);
    return strcmp(own, pin) == 0;
}

bool tls_shows_pin(SSL *ssl, const char *pin)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);
    bool same = cert && matches(cert, pin);
    X509_free(cert);
    return same;
}

/* Stands in for the check of the chain where one key alone is trusted. */
static int check_pin(X509_STORE_CTX *store, void *pin)
{
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    if (cert && matches(cert, pin))
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
    return 0;
}

static bool set_trust(SSL_CTX *ctx, const endpoint *ep, error *e)
{
    if (ep->insecure)
        return true;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (ep->tls_pin) {
        SSL_CTX_set_cert_verify_callback(ctx, check_pin, ep->tls_pin);
        return true;
    }
    X509_VERIFY_PARAM *how = SSL_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_PARTIAL_CHAIN);
    if (X509_VERIFY_PARAM_set1_ip_asc(how, ep->host) != 1)
        X509_VERIFY_PARAM_set1_host(how, ep->host, 0);
    if (ep->cacert ? SSL_CTX_load_verify_file(ctx, ep->cacert) == 1
                   : SSL_CTX_set_default_verify_paths(ctx) == 1)
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "%s holds no certificates to trust",
                     ep->cacert ? ep->cacert : "the system");
}

static bool set_own(SSL_CTX *ctx, const endpoint *ep, error *e)
{
    const char *key = ep->key ? ep->key : ep->cert;
    if (!ep->cert || (SSL_CTX_use_certificate_chain_file(ctx, ep->cert) == 1 &&
                      SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1))
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "the certificate %s cannot be used with the key %s",
                     ep->cert, key);
}

SSL_CTX *tls_client_context(const endpoint *ep, error *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok = ctx ? set_trust(ctx, ep, e) && set_own(ctx, ep, e)
                  : error_set(e, ERR_CLIENT_ERROR, "OpenSSL cannot start");
    if (!ok) {
        ERR_clear_error();
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    return ctx;
}
