#include "daemon/tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/tls_material.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SOON_DAYS = 14 }; /* a certificate that ends within as many is worth a warning */

const char *tls_last_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text ? text : "it is not PEM";
}

bool tls_readable(const char *setting, const char *file, error *e)
{
    if (access(file, R_OK) == 0)
        return true;
    return error_set(e, errno == EACCES ? ERR_PERMISSION_DENIED : ERR_INVALID_MESSAGE,
                     "cannot read %s %s: %s", setting, file, strerror(errno));
}

/* ---- certificate and key -----------------------------------------------------------------------
 */

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
                     tls_last_reason());
}

static bool make_pin(tls_material *m, error *e)
{
    unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE], text[48];
    unsigned n = 0;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(m->cert), &der);
    bool ok = len > 0 && EVP_Digest(der, (size_t)len, digest, &n, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!ok)
        return error_set(e, ERR_INTERNAL_ERROR, "the public key of tls_cert cannot be read");
    EVP_EncodeBlock(text, digest, (int)n);
    snprintf(m->pin, TLS_PIN_ROOM, "sha256//%s", (const char *)text);
    return true;
}

/* References to what a context has read. */
static bool take_from(tls_material *m, SSL_CTX *ctx)
{
    STACK_OF(X509) *chain = NULL;
    m->cert = SSL_CTX_get0_certificate(ctx);
    m->key = SSL_CTX_get0_privatekey(ctx);
    if (m->cert)
        X509_up_ref(m->cert);
    if (m->key)
        EVP_PKEY_up_ref(m->key);
    SSL_CTX_get0_chain_certs(ctx, &chain);
    m->chain = chain ? X509_chain_up_ref(chain) : NULL;
    return m->cert && m->key && (!chain || m->chain);
}

static bool load_pair(tls_material *m, SSL_CTX *ctx, const config *cfg, error *e)
{
    if (!tls_readable("tls_cert", cfg->tls_cert, e) || !tls_readable("tls_key", cfg->tls_key, e))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, cfg->tls_cert) != 1)
        return error_set(e, ERR_INVALID_MESSAGE, "tls_cert %s holds no usable certificate: %s",
                         cfg->tls_cert, tls_last_reason());
    if (!load_key(ctx, cfg->tls_key, e))
        return false;
    if (!take_from(m, ctx))
        return error_set(e, ERR_INTERNAL_ERROR, "there is no memory for tls_cert");
    return make_pin(m, e);
}

/* It is used nevertheless: clients decide, and a daemon that does not start helps nobody. */
static void warn_of_end(const tls_material *m, const char *file)
{
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(m->cert)) != 1)
        return;
    if (days < 0 || seconds < 0)
        log_warn("tls_certificate", "the certificate in %s has expired", file);
    else if (days < SOON_DAYS)
        log_warn("tls_certificate", "the certificate in %s expires in %d days", file, days);
}

/* ---- clients' certificates ---------------------------------------------------------------------
 */

static bool load_client_ca(tls_material *m, const config *cfg, error *e)
{
    const char *file = cfg->tls_client_ca;
    if (strcmp(cfg->tls_client_auth, "off") == 0)
        return true;
    m->verify = SSL_VERIFY_PEER;
    if (strcmp(cfg->tls_client_auth, "required") == 0)
        m->verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (!tls_readable("tls_client_ca", file, e))
        return false;
    m->store = X509_STORE_new();
    if (m->store && X509_STORE_load_file(m->store, file) == 1)
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "tls_client_ca %s holds no usable certificates: %s",
                     file, tls_last_reason());
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

/* Only to see whether OpenSSL knows the words. */
static bool check_ciphers(SSL_CTX *ctx, const config *cfg, error *e)
{
    const char *wrong = NULL;
    if (SSL_CTX_set_cipher_list(ctx, cfg->tls_ciphers) != 1)
        wrong = "tls_ciphers";
    else if (*cfg->tls_ciphersuites && SSL_CTX_set_ciphersuites(ctx, cfg->tls_ciphersuites) != 1)
        wrong = "tls_ciphersuites";
    ERR_clear_error();
    if (!wrong)
        return true;
    error_set(e, ERR_INVALID_MESSAGE,
              "%s names a cipher that OpenSSL does not know, or none at all", wrong);
    return error_hint(e, "\"openssl ciphers -v\" lists them.");
}

bool tls_check(const config *cfg, error *e)
{
    bool asks = strcmp(cfg->tls_client_auth, "off") != 0;
    if (!tls_wanted(cfg)) {
        const char *alone = asks ? "tls_client_auth" : *cfg->tls_ocsp ? "tls_ocsp" : NULL;
        if (!alone)
            return true;
        error_set(e, ERR_INVALID_MESSAGE, "%s is set, but there is no TLS", alone);
        return error_hint(e, "Set tls_cert and tls_key.");
    }
    if (!*cfg->tls_cert || !*cfg->tls_key) {
        error_set(e, ERR_INVALID_MESSAGE, "%s is set, but %s is not",
                  *cfg->tls_cert ? "tls_cert" : "tls_key", *cfg->tls_cert ? "tls_key" : "tls_cert");
        return error_hint(e, "TLS needs both: the certificate and its key.");
    }
    if (asks && !*cfg->tls_client_ca) {
        error_set(e, ERR_INVALID_MESSAGE, "tls_client_auth is %s, but tls_client_ca is not set",
                  cfg->tls_client_auth);
        return error_hint(e, "tls_client_ca names the file of those who vouch for clients.");
    }
    return true;
}

static bool load(tls_material *m, const config *cfg, error *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return error_set(e, ERR_INTERNAL_ERROR, "OpenSSL could not be set up");
    bool ok = check_ciphers(ctx, cfg, e) && load_pair(m, ctx, cfg, e) &&
              load_client_ca(m, cfg, e) && tls_load_ocsp(m, cfg->tls_ocsp, e);
    SSL_CTX_free(ctx);
    if (ok)
        warn_of_end(m, cfg->tls_cert);
    return ok;
}

tls_material *tls_load(const config *cfg, error *e)
{
    tls_material *m = xalloc(sizeof *m);
    atomic_init(&m->refs, 1);
    if (load(m, cfg, e))
        return m;
    tls_drop(m);
    return NULL;
}

tls_material *tls_hold(tls_material *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

void tls_drop(tls_material *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) > 1)
        return;
    X509_free(m->cert);
    sk_X509_pop_free(m->chain, X509_free);
    EVP_PKEY_free(m->key);
    X509_STORE_free(m->store);
    mem_free(m->der);
    mem_free(m);
}

const char *tls_pin(const tls_material *m)
{
    return m->pin;
}
