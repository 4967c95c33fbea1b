/* Tokens: good ones of every algorithm, and forged ones of every kind that is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <cmocka.h>

#include "auth/base64url.h"
#include "auth/jwt.h"
#include "base/mem.h"
#include "json/read.h"
#include "jwt_forge.h"

#define NOW INT64_C(1900000000)
#define CLAIMS                                                                                     \
    "{\"iss\":\"https://issuer\",\"aud\":\"rustydb\",\"sub\":\"anna\",\"exp\":1900000600}"

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const jwt_rules rules = {"https://issuer", "rustydb", 30};
static EVP_PKEY *rsa, *ec, *ed;
static jwt_key *k_secret, *k_rsa, *k_ec, *k_ed;

/* ---- keys --------------------------------------------------------------------------------------
 */

static jwt_key *public_of(EVP_PKEY *key, const char *kid, const char *more)
{
    error e;
    char *text = forge_jwk(key, kid, more);
    json_t *j = json_read_text(text, strlen(text), &e);
    jwt_key *k = jwt_key_public(j, &e);
    json_decref(j);
    free(text);
    return k;
}

static int make_keys(void **state)
{
    (void)state;
    error e;
    rsa = forge_rsa(2048);
    ec = forge_ec("P-256");
    ed = forge_ed25519();
    k_secret = jwt_key_secret("ours", secret, 32, &e);
    k_rsa = public_of(rsa, "rsa", NULL);
    k_ec = public_of(ec, "ec", NULL);
    k_ed = public_of(ed, "ed", NULL);
    return k_secret && k_rsa && k_ec && k_ed ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    jwt_key_free(k_secret);
    jwt_key_free(k_rsa);
    jwt_key_free(k_ec);
    jwt_key_free(k_ed);
    return 0;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

/* What becomes of a token: ERR_NONE when it is good. */
static error_code judge_n(const char *text, size_t n, const jwt_key *k, error *e)
{
    jwt t;
    int64_t expires = 0;
    error_clear(e);
    if (!jwt_read(&t, text, n, e))
        return e->code;
    if (jwt_verify(&t, k, e) && jwt_check(&t, &rules, NOW, &expires, e) && expires < NOW - 30)
        fail_msg("a token that expired at %lld is good", (long long)expires);
    jwt_free(&t);
    return e->code;
}

static error_code judge(char *text, const jwt_key *k)
{
    error e;
    error_code code = judge_n(text, strlen(text), k, &e);
    free(text);
    return code;
}

static char *by_secret(const char *header, const char *claims)
{
    return forge(header, claims, "HS256", NULL, secret, 32);
}

static char *by_rsa(const char *header, const char *claims)
{
    return forge(header, claims, "RS256", rsa, NULL, 0);
}

static char *by_ec(const char *header, const char *claims)
{
    return forge(header, claims, "ES256", ec, NULL, 0);
}

#define GOOD(token, key)    assert_int_equal(judge(token, key), ERR_NONE)
#define REFUSED(token, key) assert_int_equal(judge(token, key), ERR_AUTH_FAILED)

/* ---- good ones ---------------------------------------------------------------------------------
 */

static void every_algorithm_is_read(void **state)
{
    (void)state;
    GOOD(by_secret("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", CLAIMS), k_secret);
    GOOD(by_rsa("{\"alg\":\"RS256\",\"kid\":\"rsa\"}", CLAIMS), k_rsa);
    GOOD(forge("{\"alg\":\"PS256\"}", CLAIMS, "PS256", rsa, NULL, 0), k_rsa);
    GOOD(forge("{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\"}", CLAIMS, "EdDSA", ed, NULL, 0), k_ed);
    for (int i = 0; i < 50; i++) /* now and then r or s has leading zeros */
        GOOD(by_ec("{\"alg\":\"ES256\"}", CLAIMS), k_ec);
}

static void what_is_signed_here_is_read_here(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    error e;
    buf_adds(&out, "Bearer ");
    assert_true(jwt_sign(k_secret, CLAIMS, strlen(CLAIMS), &out, &e));
    assert_int_equal(judge_n(out.data + 7, out.len - 7, k_secret, &e), ERR_NONE);
    assert_true(jwt_looks_like_one(out.data + 7, out.len - 7));
    jwt t;
    assert_true(jwt_read(&t, out.data + 7, out.len - 7, &e));
    assert_string_equal(t.kid, "ours");
    assert_null(t.claims);
    assert_false(jwt_check(&t, &rules, NOW, NULL, &e)); /* nothing before the signature */
    jwt_free(&t);
    assert_false(jwt_sign(k_rsa, CLAIMS, strlen(CLAIMS), &out, &e));
    buf_free(&out);
}

static void other_credentials_do_not_look_like_tokens(void **state)
{
    (void)state;
    assert_false(jwt_looks_like_one("", 0));
    assert_false(jwt_looks_like_one("eyJ", 3));
    assert_false(jwt_looks_like_one("eyJh.eyJ", 8));
    assert_false(jwt_looks_like_one("rdb_eyJ.a.b", 11));
    assert_true(jwt_looks_like_one("eyJh.eyJh.", 10));
}

/* ---- forged ones: the algorithm ----------------------------------------------------------------
 */

static void no_algorithm_is_none(void **state)
{
    (void)state;
    const char *const spelt[] = {"none",         "None",  "nOnE",  "NONE",  "none ", " none",
                                 "none\\u0000",  "",      "hs256", "Hs256", "RS384", "HS512",
                                 "RS256\\u0000", "ES256K"};
    for (size_t i = 0; i < sizeof spelt / sizeof *spelt; i++) {
        char header[80];
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", spelt[i]);
        REFUSED(forge_with(header, CLAIMS, "", 0), k_secret);
        REFUSED(forge_with(header, CLAIMS, "", 0), k_rsa);
        REFUSED(by_secret(header, CLAIMS), k_secret);
        REFUSED(by_rsa(header, CLAIMS), k_rsa);
    }
    const char *const other[] = {"{}", "{\"alg\":null}", "{\"alg\":[\"HS256\"]}", "{\"alg\":1}",
                                 "{\"Alg\":\"HS256\"}"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        REFUSED(by_secret(other[i], CLAIMS), k_secret);
}

/* The public key is known to everybody: as PEM, as DER, as the modulus. */
static void a_public_key_is_no_secret(void **state)
{
    (void)state;
    BIO *b = BIO_new(BIO_s_mem());
    char *pem;
    unsigned char *der = NULL;
    assert_int_equal(PEM_write_bio_PUBKEY(b, rsa), 1);
    long n = BIO_get_mem_data(b, &pem);
    const char *header = "{\"alg\":\"HS256\",\"kid\":\"rsa\"}";
    REFUSED(forge(header, CLAIMS, "HS256", NULL, pem, (size_t)n), k_rsa);
    int n_der = i2d_PUBKEY(rsa, &der);
    REFUSED(forge(header, CLAIMS, "HS256", NULL, der, (size_t)n_der), k_rsa);
    REFUSED(forge(header, CLAIMS, "HS256", NULL, "", 0), k_rsa);
    REFUSED(forge(header, CLAIMS, "HS256", NULL, "", 0), k_ed);
    OPENSSL_free(der);
    BIO_free(b);
}

static void a_key_serves_its_algorithms_alone(void **state)
{
    (void)state;
    REFUSED(by_rsa("{\"alg\":\"ES256\"}", CLAIMS), k_rsa);
    REFUSED(by_rsa("{\"alg\":\"EdDSA\"}", CLAIMS), k_rsa);
    REFUSED(by_rsa("{\"alg\":\"PS256\"}", CLAIMS), k_rsa);
    REFUSED(by_rsa("{\"alg\":\"HS256\"}", CLAIMS), k_secret);
    REFUSED(by_secret("{\"alg\":\"RS256\"}", CLAIMS), k_secret);
    REFUSED(by_ec("{\"alg\":\"ES256\"}", CLAIMS), k_rsa);
    REFUSED(by_ec("{\"alg\":\"ES256\"}", CLAIMS), k_ed);
    jwt_key *narrow = public_of(rsa, "rsa", "\"alg\":\"PS256\",\"use\":\"sig\"");
    REFUSED(by_rsa("{\"alg\":\"RS256\"}", CLAIMS), narrow);
    GOOD(forge("{\"alg\":\"PS256\"}", CLAIMS, "PS256", rsa, NULL, 0), narrow);
    jwt_key_free(narrow);
}

/* ---- forged ones: the signature ----------------------------------------------------------------
 */

static void signatures_of_others_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *other_rsa = forge_rsa(2048), *other_ec = forge_ec("P-256"),
             *other_ed = forge_ed25519();
    REFUSED(forge("{\"alg\":\"RS256\"}", CLAIMS, "RS256", other_rsa, NULL, 0), k_rsa);
    REFUSED(forge("{\"alg\":\"PS256\"}", CLAIMS, "PS256", other_rsa, NULL, 0), k_rsa);
    REFUSED(forge("{\"alg\":\"ES256\"}", CLAIMS, "ES256", other_ec, NULL, 0), k_ec);
    REFUSED(forge("{\"alg\":\"EdDSA\"}", CLAIMS, "EdDSA", other_ed, NULL, 0), k_ed);
    REFUSED(forge("{\"alg\":\"HS256\"}", CLAIMS, "HS256", NULL, "another secret", 14), k_secret);
    EVP_PKEY_free(other_rsa);
    EVP_PKEY_free(other_ec);
    EVP_PKEY_free(other_ed);
}

/* A key that the token brings along vouches for nobody. */
static void a_key_in_the_header_is_not_used(void **state)
{
    (void)state;
    EVP_PKEY *own = forge_rsa(2048);
    char *jwk = forge_jwk(own, "rsa", NULL), header[2000];
    snprintf(header, sizeof header,
             "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jku\":\"http://127.0.0.1:1/\",\"jwk\":%s}", jwk);
    REFUSED(forge(header, CLAIMS, "RS256", own, NULL, 0), k_rsa);
    free(jwk);
    EVP_PKEY_free(own);
}

static void signatures_are_not_optional(void **state)
{
    (void)state;
    char *token = by_rsa("{\"alg\":\"RS256\"}", CLAIMS);
    error e;
    size_t n = (size_t)(strrchr(token, '.') - token);
    assert_int_equal(judge_n(token, n, k_rsa, &e), ERR_AUTH_FAILED);
    assert_int_equal(judge_n(token, n + 1, k_rsa, &e), ERR_AUTH_FAILED);
    assert_int_equal(judge_n(token, n + 2, k_rsa, &e), ERR_AUTH_FAILED);
    assert_int_equal(judge_n(token, strlen(token) - 1, k_rsa, &e), ERR_AUTH_FAILED);
    free(token);
    unsigned char zero[256] = {0};
    const size_t sizes[] = {1, 32, 63, 64, 65, 255, 256};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        REFUSED(forge_with("{\"alg\":\"HS256\"}", CLAIMS, zero, sizes[i]), k_secret);
        REFUSED(forge_with("{\"alg\":\"RS256\"}", CLAIMS, zero, sizes[i]), k_rsa);
        REFUSED(forge_with("{\"alg\":\"PS256\"}", CLAIMS, zero, sizes[i]), k_rsa);
        REFUSED(forge_with("{\"alg\":\"ES256\"}", CLAIMS, zero, sizes[i]), k_ec);
        REFUSED(forge_with("{\"alg\":\"EdDSA\"}", CLAIMS, zero, sizes[i]), k_ed);
    }
}

/* r and s that are no numbers of the curve: zero, its order, all ones; and the form of X.509. */
static void strange_signatures_on_a_curve_are_refused(void **state)
{
    (void)state;
    static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                            0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    unsigned char s[64];
    const char *header = "{\"alg\":\"ES256\"}";
    memset(s, 0xff, sizeof s);
    REFUSED(forge_with(header, CLAIMS, s, 64), k_ec);
    memset(s, 0, sizeof s);
    s[63] = 1;
    REFUSED(forge_with(header, CLAIMS, s, 64), k_ec);
    memcpy(s, order, 32);
    memcpy(s + 32, order, 32);
    REFUSED(forge_with(header, CLAIMS, s, 64), k_ec);
    REFUSED(forge(header, CLAIMS, "ES256-DER", ec, NULL, 0), k_ec);
}

static void changed_claims_are_refused(void **state)
{
    (void)state;
    char *token = by_ec("{\"alg\":\"ES256\"}", CLAIMS);
    size_t n = strlen(token);
    error e;
    for (size_t i = 0; i < n; i++) {
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(judge_n(token, n, k_ec, &e), ERR_AUTH_FAILED);
        token[i] = was;
    }
    assert_int_equal(judge_n(token, n, k_ec, &e), ERR_NONE);
    free(token);
}

/* ---- forged ones: the form ---------------------------------------------------------------------
 */

/* Each spells the same token in another way. */
static void a_token_has_one_spelling(void **state)
{
    (void)state;
    error e;
    char *token = by_secret("{\"alg\":\"HS256\"}", CLAIMS), other[1000];
    const char *const around[][2] = {{" ", ""}, {"", " "}, {"", "\n"},    {"", "="}, {"", "=="},
                                     {"", "."}, {".", ""}, {"", ".AAAA"}, {"\t", ""}};
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        snprintf(other, sizeof other, "%s%s%s", around[i][0], token, around[i][1]);
        assert_int_equal(judge_n(other, strlen(other), k_secret, &e), ERR_AUTH_FAILED);
    }
    /* The MAC's last character has two bits that say nothing. */
    size_t n = strlen(token);
    char last = token[n - 1];
    int good = 0;
    for (int c = '-'; c <= 'z'; c++) {
        token[n - 1] = (char)c;
        good += judge_n(token, n, k_secret, &e) == ERR_NONE;
    }
    assert_int_equal(good, 1);
    token[n - 1] = last;
    /* With a NUL and more behind it. */
    assert_int_equal(judge_n(token, n + 1, k_secret, &e), ERR_AUTH_FAILED);
    free(token);
}

static void headers_that_ask_for_more_are_refused(void **state)
{
    (void)state;
    const char *const headers[] = {
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"cty\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":7}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}",
        "[\"HS256\"]",
        "\"HS256\"",
        "{\"alg\":\"HS256\"",
        "{\"alg\":\"HS256\"}x",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        REFUSED(by_secret(headers[i], CLAIMS), k_secret);
    char kid[JWT_KID_MAX + 60];
    memset(kid, 'k', sizeof kid);
    memcpy(kid, "{\"alg\":\"HS256\",\"kid\":\"", 22);
    strcpy(kid + sizeof kid - 3, "\"}");
    REFUSED(by_secret(kid, CLAIMS), k_secret);
}

static void deep_and_large_ones_are_refused(void **state)
{
    (void)state;
    char *claims = malloc(40000);
    assert_non_null(claims);
    for (int depth = 14; depth <= 16; depth++) {
        strcpy(claims, CLAIMS);
        strcpy(claims + strlen(claims) - 1, ",\"x\":");
        memset(claims + strlen(claims), 0, 100);
        for (int i = 0; i < depth; i++)
            strcat(claims, "[");
        for (int i = 0; i < depth; i++)
            strcat(claims, "]");
        strcat(claims, "}");
        assert_int_equal(judge(by_secret("{\"alg\":\"HS256\"}", claims), k_secret),
                         depth < 16 ? ERR_NONE : ERR_AUTH_FAILED);
    }
    strcpy(claims, "{\"alg\":\"HS256\",\"x\":");
    size_t n = strlen(claims);
    memset(claims + n, '[', 1000);
    claims[n + 1000] = '\0';
    REFUSED(by_secret(claims, CLAIMS), k_secret);
    memset(claims, ' ', 40000);
    memcpy(claims, "{\"alg\":\"HS256\"", 14);
    strcpy(claims + JWT_HEADER_MAX, "}");
    REFUSED(by_secret(claims, CLAIMS), k_secret);
    memcpy(claims, CLAIMS, strlen(CLAIMS) - 1);
    memset(claims + strlen(CLAIMS) - 1, ' ', 39000 - strlen(CLAIMS));
    strcpy(claims + 11000, "}");
    GOOD(by_secret("{\"alg\":\"HS256\"}", claims), k_secret);
    strcpy(claims + 11000, " ");
    strcpy(claims + 16000, "}");
    REFUSED(by_secret("{\"alg\":\"HS256\"}", claims), k_secret);
    free(claims);
}

/* ---- claims ------------------------------------------------------------------------------------
 */

/* A token of ours that says the usual, and then `more` in the place of exp. */
static error_code with(const char *more)
{
    char claims[500];
    snprintf(claims, sizeof claims, "{\"iss\":\"https://issuer\",\"aud\":[\"x\",\"rustydb\"],%s}",
             more);
    return judge(by_secret("{\"alg\":\"HS256\"}", claims), k_secret);
}

static void times_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        error_code code;
    } cases[] = {
        {"\"exp\":1900000001", ERR_NONE},
        {"\"exp\":1899999971", ERR_NONE}, /* within the skew */
        {"\"exp\":1899999970", ERR_AUTH_EXPIRED},
        {"\"exp\":1899999969.5", ERR_AUTH_EXPIRED},
        {"\"exp\":1900000001.25", ERR_NONE},
        {"\"exp\":0", ERR_AUTH_EXPIRED},
        {"\"exp\":-1", ERR_AUTH_FAILED},
        {"\"exp\":\"1900000001\"", ERR_AUTH_FAILED},
        {"\"exp\":null", ERR_AUTH_FAILED},
        {"\"exp\":1e400", ERR_AUTH_FAILED},
        {"\"exp\":1e300", ERR_AUTH_FAILED},
        {"\"exp\":99999999999999999999", ERR_AUTH_FAILED},
        {"\"exp\":9223372036854775807", ERR_AUTH_FAILED},
        {"\"exp\":1900000001,\"exp\":1900000001", ERR_AUTH_FAILED},
        {"\"sub\":\"anna\"", ERR_AUTH_FAILED}, /* no exp */
        {"\"exp\":1900000001,\"nbf\":1900000030", ERR_NONE},
        {"\"exp\":1900000099,\"nbf\":1900000031", ERR_AUTH_FAILED},
        {"\"exp\":1900000099,\"nbf\":\"x\"", ERR_AUTH_FAILED},
        {"\"exp\":1900000099,\"iat\":1900000031", ERR_AUTH_FAILED},
        {"\"exp\":1900000099,\"iat\":1800000000", ERR_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (with(cases[i].claims) != cases[i].code)
            fail_msg("%s", cases[i].claims);
    }
}

static void issuer_and_audience_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        bool good;
    } cases[] = {
        {"\"iss\":\"https://issuer\",\"aud\":\"rustydb\"", true},
        {"\"iss\":\"https://issuer\",\"aud\":[\"rustydb\"]", true},
        {"\"iss\":\"https://issuer/\",\"aud\":\"rustydb\"", false},
        {"\"iss\":\"https://issuer\\u0000\",\"aud\":\"rustydb\"", false},
        {"\"iss\":[\"https://issuer\"],\"aud\":\"rustydb\"", false},
        {"\"iss\":\"\",\"aud\":\"rustydb\"", false},
        {"\"aud\":\"rustydb\"", false},
        {"\"iss\":\"https://issuer\"", false},
        {"\"iss\":\"https://issuer\",\"aud\":\"rusty\"", false},
        {"\"iss\":\"https://issuer\",\"aud\":\"rustydb2\"", false},
        {"\"iss\":\"https://issuer\",\"aud\":[]", false},
        {"\"iss\":\"https://issuer\",\"aud\":[[\"rustydb\"]]", false},
        {"\"iss\":\"https://issuer\",\"aud\":{\"rustydb\":1}", false},
        {"\"iss\":\"https://issuer\",\"aud\":\"x rustydb\"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char claims[300];
        snprintf(claims, sizeof claims, "{%s,\"exp\":1900000600}", cases[i].claims);
        if ((judge(by_secret("{\"alg\":\"HS256\"}", claims), k_secret) == ERR_NONE) !=
            cases[i].good)
            fail_msg("%s", cases[i].claims);
    }
    const char *const other[] = {"[]", "1", "\"x\"", "", "null", "{\"iss\":"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        REFUSED(by_secret("{\"alg\":\"HS256\"}", other[i]), k_secret);
}

static void claims_are_found_by_name_and_by_path(void **state)
{
    (void)state;
    const char *text = "{\"a\":{\"b\":{\"c\":1}},\"a.b\":2,\"https://x.y/roles\":3,\"d\":[]}";
    error e;
    json_t *claims = json_read_text(text, strlen(text), &e);
    assert_int_equal(json_integer_value(jwt_claim(claims, "a.b.c")), 1);
    assert_int_equal(json_integer_value(jwt_claim(claims, "a.b")), 2);
    assert_int_equal(json_integer_value(jwt_claim(claims, "https://x.y/roles")), 3);
    const char *const none[] = {"", ".", "a.", ".a", "a..b", "x", "a.x", "a.b.c.d", "d.0", "x.y"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(jwt_claim(claims, none[i]));
    json_decref(claims);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static void bad_key(const char *text)
{
    error e;
    json_t *j = json_read_text(text, strlen(text), &e);
    assert_non_null(j);
    jwt_key *k = jwt_key_public(j, &e);
    json_decref(j);
    if (k)
        fail_msg("%s", text);
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
}

#define ZEROS43 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void weak_and_foreign_keys_are_refused(void **state)
{
    (void)state;
    EVP_PKEY *weak = forge_rsa(1024), *p384 = forge_ec("P-384");
    assert_null(public_of(weak, "w", NULL));
    assert_null(public_of(p384, "w", NULL));
    EVP_PKEY_free(weak);
    EVP_PKEY_free(p384);
    assert_null(public_of(rsa, "x", "\"use\":\"enc\""));
    assert_null(public_of(rsa, "x", "\"key_ops\":[\"encrypt\"]"));
    assert_null(public_of(rsa, "x", "\"alg\":\"HS256\""));
    assert_null(public_of(rsa, "x", "\"alg\":\"none\""));
    assert_null(public_of(rsa, "x", "\"alg\":\"ES256\""));
    jwt_key *k = public_of(rsa, "x", "\"key_ops\":[\"verify\"],\"d\":\"AQAB\"");
    assert_non_null(k);
    assert_string_equal(jwt_key_id(k), "x");
    jwt_key_free(k);
    bad_key("[]");
    bad_key("{}");
    bad_key("{\"kty\":\"oct\",\"k\":\"" ZEROS43 "\"}");
    bad_key("{\"kty\":\"RSA\",\"e\":\"AQAB\"}");
    bad_key("{\"kty\":\"RSA\",\"n\":\"" ZEROS43 "\",\"e\":\"AQAB\"}");
    bad_key("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS43 "\",\"y\":\"" ZEROS43 "\"}");
    bad_key("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ZEROS43 "\"}");
    bad_key("{\"kty\":\"EC\",\"x\":\"" ZEROS43 "\",\"y\":\"" ZEROS43 "\"}");
    bad_key("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ZEROS43 "\"}");
    bad_key("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}");
    bad_key("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ZEROS43 "=\"}");
    error e;
    assert_null(jwt_key_secret("short", secret, 31, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
}

static void without_memory_nothing_is_good(void **state)
{
    (void)state;
    char *token = by_secret("{\"alg\":\"HS256\"}", CLAIMS);
    error e;
    for (unsigned long i = 1; i <= 2; i++) {
        mem_fail_nth(i);
        assert_int_equal(judge_n(token, strlen(token), k_secret, &e), ERR_AUTH_FAILED);
    }
    mem_fail_nth(0);
    for (unsigned long i = 1; i <= 2; i++) {
        mem_fail_nth(i);
        assert_null(jwt_key_secret("s", secret, 32, &e));
        mem_fail_nth(0);
        assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    }
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_is_read),
        cmocka_unit_test(what_is_signed_here_is_read_here),
        cmocka_unit_test(other_credentials_do_not_look_like_tokens),
        cmocka_unit_test(no_algorithm_is_none),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(a_key_serves_its_algorithms_alone),
        cmocka_unit_test(signatures_of_others_are_refused),
        cmocka_unit_test(a_key_in_the_header_is_not_used),
        cmocka_unit_test(signatures_are_not_optional),
        cmocka_unit_test(strange_signatures_on_a_curve_are_refused),
        cmocka_unit_test(changed_claims_are_refused),
        cmocka_unit_test(a_token_has_one_spelling),
        cmocka_unit_test(headers_that_ask_for_more_are_refused),
        cmocka_unit_test(deep_and_large_ones_are_refused),
        cmocka_unit_test(times_are_kept),
        cmocka_unit_test(issuer_and_audience_are_kept),
        cmocka_unit_test(claims_are_found_by_name_and_by_path),
        cmocka_unit_test(weak_and_foreign_keys_are_refused),
        cmocka_unit_test(without_memory_nothing_is_good),
    };
    return cmocka_run_group_tests_name("jwt", tests, make_keys, free_keys);
}
