#include "daemon/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What OpenSSL says was wrong, and forgets. */
static const char *last_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "it is not PEM";
}

static bool readable(const char *setting, const char *file, error *e)
{
    if (access(file, R_OK) == 0)
        return true;
    return error_set(e, errno == EACCES ? ERR_PERMISSION_DENIED : ERR_INVALID_MESSAGE,
                     "cannot read %s %s: %s", setting, file, strerror(errno));
}

/* A key with a passphrase is an error, not a question on somebody's terminal. */
static int no_passphrase(char *out, int room, int writing, void *arg)
{
    (void)out;
    (void)room;
    (void)writing;
    *(bool *)arg = true;
    return -1;
}

static bool load_key(SSL_CTX *ctx, const char *file, error *e)
{
    bool asked = false;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    if (SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM) == 1)
        return true;
    unsigned long why = ERR_peek_last_error();
    if (asked) {
        ERR_clear_error();
        error_set(e, ERR_INVALID_MESSAGE, "tls_key %s is locked with a passphrase", file);
        return error_hint(e, "\"openssl pkey -in FILE -out NEW\" writes it without one.");
    }
    if (ERR_GET_REASON(why) == X509_R_KEY_VALUES_MISMATCH ||
        ERR_GET_REASON(why) == X509_R_KEY_TYPE_MISMATCH) {
        ERR_clear_error();
        return error_set(e, ERR_INVALID_MESSAGE,
                         "tls_key %s is not the key of the certificate in tls_cert", file);
    }
    return error_set(e, ERR_INVALID_MESSAGE, "tls_key %s holds no usable key: %s", file,
                     last_reason());
}

static bool make_pin(SSL_CTX *ctx, char pin[TLS_PIN_ROOM], error *e)
{
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE], text[48];
    unsigned n = 0;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(SSL_CTX_get0_certificate(ctx)), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, digest, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!ok)
        return error_set(e, ERR_INTERNAL_ERROR, "the public key of tls_cert cannot be read");
    EVP_EncodeBlock(text, digest, (int)n);
    snprintf(pin, TLS_PIN_ROOM, "sha256//%s", (const char *)text);
    return true;
}

static bool check_files(SSL_CTX *ctx, const config *cfg, char pin[TLS_PIN_ROOM], error *e)
{
    if (!readable("tls_cert", cfg->tls_cert, e) || !readable("tls_key", cfg->tls_key, e))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, cfg->tls_cert) != 1)
        return error_set(e, ERR_INVALID_MESSAGE, "tls_cert %s holds no usable certificate: %s",
                         cfg->tls_cert, last_reason());
    return load_key(ctx, cfg->tls_key, e) && make_pin(ctx, pin, e);
}

bool tls_check(const config *cfg, char pin[TLS_PIN_ROOM], error *e)
{
    pin[0] = '\0';
    if (!tls_wanted(cfg))
        return true;
    if (!*cfg->tls_cert || !*cfg->tls_key) {
        error_set(e, ERR_INVALID_MESSAGE, "%s is set, but %s is not",
                  *cfg->tls_cert ? "tls_cert" : "tls_key", *cfg->tls_cert ? "tls_key" : "tls_cert");
        return error_hint(e, "TLS needs both: the certificate and its key.");
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return error_set(e, ERR_INTERNAL_ERROR, "OpenSSL could not be set up");
    bool ok = check_files(ctx, cfg, pin, e);
    SSL_CTX_free(ctx);
    return ok;
}

bool tls_prepare(struct lws_context_creation_info *info, const config *cfg, void **client)
{
    if (!tls_wanted(cfg))
        return true;
    *client = info->provided_client_ssl_ctx = SSL_CTX_new(TLS_client_method());
    if (!*client)
        return false;
    info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info->ssl_cert_filepath = cfg->tls_cert;
    info->ssl_private_key_filepath = cfg->tls_key;
    info->alpn = "http/1.1"; /* answers are written as HTTP/1.1, byte by byte */
    return true;
}

void tls_release(void *client)
{
    SSL_CTX_free(client);
}

int tls_finish(void *ssl_ctx)
{
    SSL_CTX *ctx = ssl_ctx;
    /* Sessions live in tickets: a cache here would grow with the clients. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 ? 0 : -1;
}
