/* What is read of a client's certificate (daemon/tls_peer.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "daemon/tls_peer.h"

/* A certificate with these parts of a subject, and alternative names as OpenSSL's configuration
 * writes them; no signature. */
static X509 *certificate(const char *const (*parts)[2], const char *names)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_NAME_new();
    for (; (*parts)[0]; parts++)
        assert_int_equal(X509_NAME_add_entry_by_txt(subject, (*parts)[0], MBSTRING_UTF8,
                                                    (const unsigned char *)(*parts)[1], -1, -1, 0),
                         1);
    X509_set_subject_name(cert, subject);
    X509_NAME_free(subject);
    if (names) {
        X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        assert_non_null(x);
        X509_add_ext(cert, x, -1);
        X509_EXTENSION_free(x);
    }
    return cert;
}

static void expect_subject(const char *const (*parts)[2], const char *want)
{
    X509 *cert = certificate(parts, NULL);
    peer_certificate *p = peer_certificate_read(cert);
    assert_non_null(p);
    assert_string_equal(p->subject, want);
    assert_int_equal(p->n_names, 0);
    peer_certificate_free(p);
    X509_free(cert);
}

static void subjects_are_written_as_the_rfc_says(void **state)
{
    (void)state;
    static const char *const usual[][2] = {{"C", "DE"}, {"O", "Example"}, {"CN", "alice"}, {0}};
    static const char *const odd[][2] = {{"O", "a, b"}, {"CN", "x\nCN=root"}, {0}};
    static const char *const foreign[][2] = {{"CN", "Zo\xc3\xab"}, {0}};
    static const char *const nothing[][2] = {{0}};
    expect_subject(usual, "CN=alice,O=Example,C=DE");
    /* Nothing inside a part passes for another part. */
    expect_subject(odd, "CN=x\\0ACN=root,O=a\\, b");
    expect_subject(foreign, "CN=Zo\\C3\\AB");
    expect_subject(nothing, "");
}

static void alternative_names_are_told_with_their_kind(void **state)
{
    (void)state;
    static const char *const alice[][2] = {{"CN", "alice"}, {0}};
    X509 *cert = certificate(alice, "DNS:a.example,email:a@example.com,URI:spiffe://x/y,"
                                    "IP:10.0.0.1,IP:2001:db8::1,RID:1.2.3");
    peer_certificate *p = peer_certificate_read(cert);
    static const char *const want[] = {"DNS:a.example", "email:a@example.com", "URI:spiffe://x/y",
                                       "IP:10.0.0.1", "IP:2001:db8::1"};
    assert_int_equal(p->n_names, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(p->names[i], want[i]);
    peer_certificate_free(p);
    X509_free(cert);
}

static void names_that_would_deceive_are_left_out(void **state)
{
    (void)state;
    static const char *const mallory[][2] = {{"CN", "mallory"}, {0}};
    static const struct {
        const char *text;
        int len;
    } names[] = {{"good.example\0.evil.example", 26}, {"a\nDNS:b", 7}, {"", 0}, {"ok.example", 10}};
    X509 *cert = certificate(mallory, NULL);
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *s = ASN1_IA5STRING_new();
        ASN1_STRING_set(s, names[i].text, names[i].len);
        GENERAL_NAME_set0_value(name, GEN_DNS, s);
        sk_GENERAL_NAME_push(all, name);
    }
    X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0);
    GENERAL_NAMES_free(all);
    peer_certificate *p = peer_certificate_read(cert);
    assert_int_equal(p->n_names, 1);
    assert_string_equal(p->names[0], "DNS:ok.example");
    peer_certificate_free(p);
    X509_free(cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subjects_are_written_as_the_rfc_says),
        cmocka_unit_test(alternative_names_are_told_with_their_kind),
        cmocka_unit_test(names_that_would_deceive_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
