#include "daemon/tls_peer.h"
#include "base/buf.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { NAMES_MAX = 64 }; /* alternative names that are looked at */

static char *subject_of(const X509 *cert)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    const char *data;
    if (out && X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(out, &data);
        text = n > 0 ? mem_strndup(data, (size_t)n) : mem_strndup("", 0);
    }
    BIO_free(out);
    return text;
}

/* Nothing that ends a text early, or a line. */
static bool is_plain(const unsigned char *p, int n)
{
    for (int i = 0; i < n; i++) {
        if (p[i] < ' ' || p[i] > '~')
            return false;
    }
    return n > 0;
}

static char *text_name(const char *kind, const ASN1_STRING *s)
{
    buf out = BUF_INIT;
    const unsigned char *p = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);
    if (!is_plain(p, n))
        return NULL;
    buf_adds(&out, kind);
    buf_add(&out, p, (size_t)n);
    char *text = out.failed ? NULL : mem_strndup(out.data, out.len);
    buf_free(&out);
    return text;
}

static char *address_name(const ASN1_OCTET_STRING *s)
{
    char text[4 + INET6_ADDRSTRLEN] = "IP:";
    int family = ASN1_STRING_length(s) == 4 ? AF_INET : AF_INET6;
    if (family == AF_INET6 && ASN1_STRING_length(s) != 16)
        return NULL;
    if (!inet_ntop(family, ASN1_STRING_get0_data(s), text + 3, sizeof text - 3))
        return NULL;
    return mem_strndup(text, strlen(text));
}

static char *name_of(const GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DNS:
        return text_name("DNS:", name->d.dNSName);
    case GEN_EMAIL:
        return text_name("email:", name->d.rfc822Name);
    case GEN_URI:
        return text_name("URI:", name->d.uniformResourceIdentifier);
    case GEN_IPADD:
        return address_name(name->d.iPAddress);
    default:
        return NULL;
    }
}

static void read_names(peer_certificate *p, const X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = all ? sk_GENERAL_NAME_num(all) : 0;
    if (n > NAMES_MAX)
        n = NAMES_MAX;
    p->names = xalloc(((size_t)n + 1) * sizeof *p->names);
    for (int i = 0; i < n; i++) {
        char *text = name_of(sk_GENERAL_NAME_value(all, i));
        if (text)
            p->names[p->n_names++] = text;
    }
    GENERAL_NAMES_free(all);
    ERR_clear_error();
}

peer_certificate *peer_certificate_read(const void *x509)
{
    peer_certificate *p = xalloc(sizeof *p);
    p->subject = subject_of(x509);
    if (!p->subject) {
        peer_certificate_free(p);
        return NULL;
    }
    read_names(p, x509);
    return p;
}

peer_certificate *conn_peer_certificate(const conn *c)
{
    SSL *ssl = c->wsi && c->r->tls ? lws_get_ssl(c->wsi) : NULL;
    X509 *cert =
        ssl && SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get0_peer_certificate(ssl) : NULL;
    return cert ? peer_certificate_read(cert) : NULL;
}

void peer_certificate_free(peer_certificate *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_names; i++)
        mem_free(p->names[i]);
    mem_free(p->names);
    mem_free(p->subject);
    mem_free(p);
}
