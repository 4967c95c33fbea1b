#include "cmd/selfsign.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    SERIAL_BITS = 127,
    EARLY_S = 3600, /* clocks of others may be behind */
    DAY_S = 86400,
    NAME_MAX_LEN = 253,
};

static bool openssl_failed(error *e)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    error_set(e, ERR_INTERNAL_ERROR, "OpenSSL failed: %s", why ? why : "out of memory");
    ERR_clear_error();
    return false;
}

/* ---- names -------------------------------------------------------------------------------------
 */

static bool is_address(const char *name)
{
    unsigned char raw[16];
    return inet_pton(AF_INET, name, raw) == 1 || inet_pton(AF_INET6, name, raw) == 1;
}

/* Letters, digits, dots and dashes; a wildcard in front. Nothing that OpenSSL's list of names would
 * take for more than a name. */
static bool is_host(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    size_t n = strlen(rest);
    return n > 0 && n <= NAME_MAX_LEN && strspn(rest, allowed) == n && rest[0] != '.' &&
           rest[0] != '-';
}

/* As OpenSSL's configuration writes them. */
static bool list_names(const selfsign *s, buf *out, error *e)
{
    buf_adds(out, "DNS:localhost,IP:127.0.0.1,IP:::1");
    for (int i = 0; i < s->n_names; i++) {
        const char *name = s->names[i];
        if (!is_address(name) && !is_host(name))
            return error_set(e, ERR_INVALID_MESSAGE,
                             "\"%.100s\" is neither the name of a host nor an address", name);
        buf_addf(out, ",%s:%s", is_address(name) ? "IP" : "DNS", name);
    }
    return true;
}

/* ---- the certificate ---------------------------------------------------------------------------
 */

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = x && X509_add_ext(cert, x, -1) == 1;
    X509_EXTENSION_free(x);
    return ok;
}

static bool set_serial(X509 *cert)
{
    BIGNUM *n = BN_new();
    bool ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok;
}

static bool set_subject(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *names, int days)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -EARLY_S) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY_S) &&
           set_subject(cert, "localhost") && X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_key_identifier, "hash") &&
           add_extension(cert, NID_subject_alt_name, names) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

/* ---- files -------------------------------------------------------------------------------------
 */

static bool file_failed(const char *file, error *e)
{
    return error_set(e,
                     errno == EACCES || errno == EROFS ? ERR_PERMISSION_DENIED : ERR_INTERNAL_ERROR,
                     "cannot write %s: %s", file, strerror(errno));
}

static bool taken(const selfsign *s, const char *file, error *e)
{
    struct stat st;
    if (s->overwrite || lstat(file, &st) != 0)
        return false;
    error_set(e, ERR_CONFLICT, "%s is there already", file);
    error_hint(e, "--force overwrites it; --dir names another folder.");
    return true;
}

/* Under another name first: no half a file is ever seen, and nobody reads the key meanwhile. */
static bool put_file(const char *file, mode_t mode, BIO *text, error *e)
{
    buf temporary = BUF_INIT;
    const char *data;
    long n = BIO_get_mem_data(text, &data);
    buf_addf(&temporary, "%s.new", file);
    const char *name = buf_cstr(&temporary);
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    bool ok = fd >= 0 && write(fd, data, (size_t)n) == n && fsync(fd) == 0;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = (ok && rename(name, file) == 0) || file_failed(file, e);
    if (!ok && fd >= 0)
        unlink(name);
    buf_free(&temporary);
    return ok;
}

static bool write_both(const selfsign *s, X509 *cert, EVP_PKEY *key, error *e)
{
    BIO *secret = BIO_new(BIO_s_secmem()), *open_text = BIO_new(BIO_s_mem());
    bool ok = secret && open_text &&
              PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_bio_X509(open_text, cert) == 1;
    ok = ok ? put_file(s->key_file, 0600, secret, e) && put_file(s->cert_file, 0644, open_text, e)
            : openssl_failed(e);
    BIO_free(secret);
    BIO_free(open_text);
    return ok;
}

bool selfsign_make(const selfsign *s, error *e)
{
    buf names = BUF_INIT;
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    bool ok = !taken(s, s->key_file, e) && !taken(s, s->cert_file, e) && list_names(s, &names, e);
    if (ok) {
        key = EVP_EC_gen("P-256");
        cert = X509_new();
        ok = (key && cert && fill(cert, key, buf_cstr(&names), s->days)) || openssl_failed(e);
    }
    ok = ok && write_both(s, cert, key, e);
    X509_free(cert);
    EVP_PKEY_free(key);
    buf_free(&names);
    return ok;
}
