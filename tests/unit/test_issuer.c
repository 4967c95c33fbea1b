/* Tokens of an issuer: whom they name, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "auth/issuer.h"
#include "base/log.h"
#include "jwt_forge.h"

#define NOW INT64_C(1900000000)

static EVP_PKEY *key;
static char path[] = "/tmp/rustydb-issuer.XXXXXX";
static issuer *theirs;

static issuer_options options(void)
{
    return (issuer_options){
        .issuer = "https://issuer",
        .audience = "rustydb",
        .jwks_url = "",
        .jwks_file = path,
        .refresh_ms = 86400000,
        .skew_ms = 30000,
        .user_claim = "sub",
        .roles_claim = "realm_access.roles",
    };
}

static int set_up(void **state)
{
    (void)state;
    error e;
    log_init(LOG_LEVEL_ERROR, false);
    key = forge_ec("P-256");
    char *jwk = forge_jwk(key, "k1", NULL);
    FILE *f = fdopen(mkstemp(path), "w");
    fprintf(f, "{\"keys\":[%s]}", jwk);
    fclose(f);
    free(jwk);
    issuer_options o = options();
    theirs = issuer_open(&o, &e);
    return theirs ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    issuer_close(theirs);
    EVP_PKEY_free(key);
    return unlink(path);
}

static error_code judge(const char *header, const char *claims, issuer_subject *out)
{
    char *token = forge(header, claims, "ES256", key, NULL, 0);
    jwt t;
    error e;
    error_clear(&e);
    if (jwt_read(&t, token, strlen(token), &e)) {
        bool ok = issuer_check(theirs, &t, NOW * 1000000, out, &e);
        assert_int_equal(ok, e.code == ERR_NONE);
        jwt_free(&t);
    }
    free(token);
    return e.code;
}

/* Claims beside those that every good token has. */
static error_code with(const char *claims, issuer_subject *out)
{
    char text[1000];
    snprintf(text, sizeof text,
             "{\"iss\":\"https://issuer\",\"aud\":\"rustydb\",\"exp\":1900000060%s%s}",
             *claims ? "," : "", claims);
    return judge("{\"alg\":\"ES256\",\"kid\":\"k1\"}", text, out);
}

static void a_token_says_who_somebody_is(void **state)
{
    (void)state;
    issuer_subject who;
    assert_int_equal(
        with("\"sub\":\"anna\",\"realm_access\":{\"roles\":[\"reader\",7,\"writer\"]},\"team\":3",
             &who),
        ERR_NONE);
    assert_string_equal(who.name, "anna");
    assert_int_equal(who.n_roles, 2);
    assert_string_equal(who.roles[0], "reader");
    assert_string_equal(who.roles[1], "writer");
    assert_non_null(strstr(who.claims, "\"team\":3"));
    assert_int_equal(who.expires_us, INT64_C(1900000090000000));
    issuer_subject_free(&who);
    assert_int_equal(with("\"sub\":\"anna\",\"realm_access\":{\"roles\":\"a  b \"}", &who),
                     ERR_NONE);
    assert_int_equal(who.n_roles, 2);
    assert_string_equal(who.roles[1], "b");
    issuer_subject_free(&who);
    const char *const none[] = {"\"sub\":\"anna\"", "\"sub\":\"anna\",\"realm_access\":{}",
                                "\"sub\":\"anna\",\"realm_access\":{\"roles\":{\"a\":1}}",
                                "\"sub\":\"anna\",\"roles\":[\"a\"]"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_int_equal(with(none[i], &who), ERR_NONE);
        assert_int_equal(who.n_roles, 0);
        issuer_subject_free(&who);
    }
}

static void there_is_a_limit_to_roles(void **state)
{
    (void)state;
    char claims[800] = "\"sub\":\"anna\",\"realm_access\":{\"roles\":[\"a\"";
    for (int i = 0; i < 100; i++)
        strcat(claims, ",\"a\"");
    strcat(claims, "]}");
    issuer_subject who;
    assert_int_equal(with(claims, &who), ERR_NONE);
    assert_int_equal(who.n_roles, ISSUER_ROLES_MAX);
    issuer_subject_free(&who);
}

static void names_that_cannot_be_are_refused(void **state)
{
    (void)state;
    issuer_subject who;
    const char *const bad[] = {
        "",
        "\"sub\":\"\"",
        "\"sub\":7",
        "\"sub\":\"root\"",
        "\"sub\":\"a\\nb\"",
        "\"sub\":\"a\\u0000b\"",
        "\"sub\":\"root\\u0000\"",
        "\"sub\":\"0123456789012345678901234567890123456789012345678901234567890123\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (with(bad[i], &who) != ERR_AUTH_FAILED)
            fail_msg("%s", bad[i]);
    }
}

static void tokens_of_others_are_refused(void **state)
{
    (void)state;
    issuer_subject who;
    const char *good = "{\"iss\":\"https://issuer\",\"aud\":\"rustydb\",\"sub\":\"a\","
                       "\"exp\":1900000060}";
    assert_int_equal(judge("{\"alg\":\"ES256\"}", good, &who), ERR_NONE);
    issuer_subject_free(&who);
    assert_int_equal(judge("{\"alg\":\"ES256\",\"kid\":\"k2\"}", good, &who), ERR_AUTH_FAILED);
    assert_int_equal(judge("{\"alg\":\"HS256\",\"kid\":\"k1\"}", good, &who), ERR_AUTH_FAILED);
    assert_int_equal(judge("{\"alg\":\"RS256\",\"kid\":\"k1\"}", good, &who), ERR_AUTH_FAILED);
    assert_int_equal(judge("{\"alg\":\"ES256\"}",
                           "{\"iss\":\"https://other\",\"aud\":\"rustydb\",\"sub\":\"a\","
                           "\"exp\":1900000060}",
                           &who),
                     ERR_AUTH_FAILED);
    assert_int_equal(judge("{\"alg\":\"ES256\"}",
                           "{\"iss\":\"https://issuer\",\"aud\":\"rustydb\",\"sub\":\"a\","
                           "\"exp\":1899999970}",
                           &who),
                     ERR_AUTH_EXPIRED);
}

static void settings_must_fit_together(void **state)
{
    (void)state;
    error e;
    issuer_options o = options();
    o.jwks_file = "";
    assert_null(issuer_open(&o, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    o.issuer = "";
    assert_null(issuer_open(&o, &e));
    assert_int_equal(e.code, ERR_NONE); /* there is none */
    o = options();
    o.jwks_url = "https://issuer/keys";
    assert_null(issuer_open(&o, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    o = options();
    o.audience = "";
    assert_null(issuer_open(&o, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    o = options();
    o.jwks_file = "/nonexistent";
    assert_null(issuer_open(&o, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_says_who_somebody_is),
        cmocka_unit_test(there_is_a_limit_to_roles),
        cmocka_unit_test(names_that_cannot_be_are_refused),
        cmocka_unit_test(tokens_of_others_are_refused),
        cmocka_unit_test(settings_must_fit_together),
    };
    return cmocka_run_group_tests_name("issuer", tests, set_up, tear_down);
}
