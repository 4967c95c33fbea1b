/* Sets of public keys: read, searched, and read anew from a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "auth/jwks.h"
#include "auth/jwks_source.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "jwt_forge.h"

static jwks *set;

static jwks *read_set(const char *text)
{
    error e;
    jwks *s = jwks_read(text, strlen(text), &e);
    if (!s)
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    return s;
}

/* ---- documents ---------------------------------------------------------------------------------
 */

/* Two keys for ES256, one for RS256, and what is of no use here. */
static int make_set(void **state)
{
    (void)state;
    EVP_PKEY *a = forge_ec("P-256"), *b = forge_ec("P-256"), *c = forge_rsa(2048);
    char *ja = forge_jwk(a, "a", NULL), *jb = forge_jwk(b, "b", "\"alg\":\"ES256\"");
    char *jc = forge_jwk(c, "a", "\"alg\":\"RS256\",\"use\":\"sig\"");
    char *jd = forge_jwk(c, "d", "\"use\":\"enc\"");
    char *text = malloc(8192);
    snprintf(text, 8192,
             "{\"keys\":[%s,%s,{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"AAAA\"},7,%s,%s],\"more\":1}",
             ja, jd, jb, jc);
    set = read_set(text);
    char *const all[] = {ja, jb, jc, jd, text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
    EVP_PKEY_free(c);
    return set ? 0 : -1;
}

static int free_set(void **state)
{
    (void)state;
    jwks_release(set);
    return 0;
}

static void keys_are_found_by_id_and_algorithm(void **state)
{
    (void)state;
    assert_int_equal(jwks_count(set), 3);
    assert_int_equal(jwks_left_out(set), 3);
    assert_string_equal(jwt_key_id(jwks_find(set, "a", JWT_ES256)), "a");
    assert_string_equal(jwt_key_id(jwks_find(set, "b", JWT_ES256)), "b");
    assert_ptr_not_equal(jwks_find(set, "a", JWT_ES256), jwks_find(set, "a", JWT_RS256));
    assert_null(jwks_find(set, "a", JWT_EDDSA));
    assert_null(jwks_find(set, "a", JWT_PS256));
    assert_null(jwks_find(set, "b", JWT_RS256));
    assert_null(jwks_find(set, "d", JWT_RS256));
    assert_null(jwks_find(set, "A", JWT_ES256));
    assert_null(jwks_find(set, "", JWT_ES256));
    for (int i = 0; i < JWT_ALGORITHMS; i++)
        assert_null(jwks_find(set, "h", (jwt_algorithm)i));
}

static void without_an_id_there_must_be_one_key(void **state)
{
    (void)state;
    assert_null(jwks_find(set, NULL, JWT_ES256)); /* two */
    assert_string_equal(jwt_key_id(jwks_find(set, NULL, JWT_RS256)), "a");
    assert_null(jwks_find(set, NULL, JWT_HS256));
}

static void documents_have_limits(void **state)
{
    (void)state;
    error e;
    const char *const bad[] = {
        "", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(read_set(bad[i]));
    char *text = malloc(JWKS_MAX + 2);
    memset(text, ' ', JWKS_MAX + 2);
    memcpy(text, "{\"keys\":[]}", 11);
    assert_null(jwks_read(text, JWKS_MAX + 1, &e));
    assert_int_equal(e.code, ERR_MESSAGE_TOO_BIG);
    jwks *s = jwks_read(text, JWKS_MAX, &e);
    assert_int_equal(jwks_count(s), 0);
    jwks_release(s);
    strcpy(text, "{\"keys\":[0");
    for (int i = 0; i < JWKS_KEYS_MAX; i++)
        strcat(text, ",0");
    strcat(text, "]}");
    assert_null(read_set(text));
    free(text);
    mem_fail_nth(1);
    assert_null(jwks_read("{\"keys\":[]}", 11, &e));
    mem_fail_nth(0);
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
}

/* ---- where they come from ----------------------------------------------------------------------
 */

static void urls_are_safe_ones(void **state)
{
    (void)state;
    error e;
    const char *const good[] = {"https://issuer.example/jwks.json", "http://localhost:8000/k",
                                "http://127.0.0.1/k", "http://[::1]:80/k", "HTTPS://x/"};
    const char *const bad[] = {"http://issuer.example/jwks.json",
                               "http://127.0.0.1.example/",
                               "http://localhost.example/",
                               "http://128.0.0.1/",
                               "ftp://localhost/k",
                               "file:///etc/passwd",
                               "https://user@issuer.example/",
                               "https://u:p@localhost/",
                               "localhost/k",
                               "http://localhost@issuer.example/",
                               "",
                               "http://"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!jwks_url_allowed(good[i], &e))
            fail_msg("%s: %s", good[i], e.message);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (jwks_url_allowed(bad[i], &e))
            fail_msg("%s", bad[i]);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_null(jwks_source_start(bad[i], NULL, 1000, NULL, &e));
    }
}

static void put_file(const char *path, const char *kid)
{
    char temporary[80];
    EVP_PKEY *k = forge_ed25519();
    char *jwk = forge_jwk(k, kid, NULL);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *f = fopen(temporary, "w");
    assert_non_null(f);
    fprintf(f, "{\"keys\":[%s]}", jwk);
    fclose(f);
    assert_int_equal(rename(temporary, path), 0);
    free(jwk);
    EVP_PKEY_free(k);
}

static bool has(jwks_source *s, const char *kid)
{
    jwks *keys = jwks_source_keys(s);
    bool found = keys && jwks_find(keys, kid, JWT_EDDSA);
    jwks_release(keys);
    return found;
}

static void a_file_is_read_anew(void **state)
{
    (void)state;
    char path[] = "/tmp/rustydb-jwks.XXXXXX";
    error e;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    log_init(LOG_LEVEL_ERROR, false);
    assert_null(jwks_source_start(NULL, path, 20, NULL, &e)); /* empty */
    put_file(path, "first");
    jwks_source *s = jwks_source_start(NULL, path, 20, NULL, &e);
    assert_non_null(s);
    assert_true(has(s, "first"));
    jwks *held = jwks_source_keys(s);
    put_file(path, "second");
    while (!has(s, "second"))
        usleep(2000);
    assert_false(has(s, "first"));
    assert_non_null(jwks_find(held, "first", JWT_EDDSA)); /* whoever looks may go on */
    jwks_release(held);
    assert_int_equal(unlink(path), 0);
    usleep(100000); /* several reads fail */
    assert_true(has(s, "second"));
    jwks_source_missing(s);
    jwks_source_missing(s);
    jwks_source_stop(s);
    assert_null(jwks_source_start(NULL, path, 20, NULL, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
}

/* What is missing is not looked for at once again: the file was read just now. */
static void what_is_missing_waits_its_turn(void **state)
{
    (void)state;
    char path[] = "/tmp/rustydb-jwks.XXXXXX";
    error e;
    close(mkstemp(path));
    put_file(path, "first");
    jwks_source *s = jwks_source_start(NULL, path, 86400000, NULL, &e);
    assert_non_null(s);
    put_file(path, "second");
    int64_t start = clock_mono_us();
    jwks_source_missing(s);
    while (clock_mono_us() - start < 200000)
        assert_false(has(s, "second"));
    jwks_source_stop(s);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_id_and_algorithm),
        cmocka_unit_test(without_an_id_there_must_be_one_key),
        cmocka_unit_test(documents_have_limits),
        cmocka_unit_test(urls_are_safe_ones),
        cmocka_unit_test(a_file_is_read_anew),
        cmocka_unit_test(what_is_missing_waits_its_turn),
    };
    return cmocka_run_group_tests_name("jwks", tests, make_set, free_set);
}
