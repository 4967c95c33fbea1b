/* Random secrets and the text that they are written in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "auth/base64url.h"
#include "auth/secret.h"

static void base64url_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *text;
    } known[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbf", "-_-_"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[16], raw[16];
        size_t n;
        base64url_write(known[i].raw, strlen(known[i].raw), text);
        assert_string_equal(text, known[i].text);
        assert_int_equal(strlen(text), BASE64URL_LENGTH(strlen(known[i].raw)));
        assert_true(base64url_read(text, strlen(text), raw, strlen(known[i].raw), &n));
        assert_int_equal(n, strlen(known[i].raw));
        assert_memory_equal(raw, known[i].raw, n);
    }
}

static void base64url_has_one_spelling(void **state)
{
    (void)state;
    const char *const bad[] = {"Z",      "Zg=",  "Zg==", "Zh",    "Zm9",  "Zm9v ",  " Zm9v",
                               "Zm9v\n", "Zm+v", "Zm/v", "Zm9vY", "Zm.v", "Zm9vYh", "Z\xc3\xa4g"};
    char raw[16];
    size_t n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (base64url_read(bad[i], strlen(bad[i]), raw, sizeof raw, &n))
            fail_msg("%s was read", bad[i]);
    }
    assert_false(base64url_read("Zm9v", 4, raw, 2, &n));
    assert_false(base64url_read("Zg\0", 3, raw, sizeof raw, &n));
}

static void keys_are_random_and_well_formed(void **state)
{
    (void)state;
    char a[SECRET_KEY_LENGTH + 1], b[SECRET_KEY_LENGTH + 1];
    error e;
    assert_true(secret_make_key(a, &e));
    assert_true(secret_make_key(b, &e));
    assert_int_equal(strlen(a), SECRET_KEY_LENGTH);
    assert_string_not_equal(a, b);
    assert_true(secret_is_key(a, strlen(a)));
    assert_true(secret_looks_like_key("rdb_", 4));
    assert_false(secret_looks_like_key("rdb", 3));
    assert_false(secret_is_key(a, SECRET_KEY_LENGTH - 1));
    assert_false(secret_is_key("rdb_", 4));
    a[0] = 'R';
    assert_false(secret_is_key(a, strlen(a)));
    a[0] = 'r';
    a[20] = '=';
    assert_false(secret_is_key(a, strlen(a)));
}

/* The last character has two bits that say nothing: only one of four spellings is good. */
static void the_last_character_counts(void **state)
{
    (void)state;
    char key[SECRET_KEY_LENGTH + 1];
    error e;
    int good = 0;
    assert_true(secret_make_key(key, &e));
    for (int c = 'A'; c <= 'Z'; c++) {
        key[SECRET_KEY_LENGTH - 1] = (char)c;
        good += secret_is_key(key, SECRET_KEY_LENGTH);
    }
    assert_int_equal(good, 7); /* A, E, I, M, Q, U, Y */
}

static void refresh_tokens_name_their_session(void **state)
{
    (void)state;
    char id[SECRET_ID_LENGTH + 1], token[SECRET_REFRESH_LENGTH + 1], read[SECRET_ID_LENGTH + 1];
    error e;
    assert_true(secret_make_id(id, &e));
    assert_int_equal(strlen(id), SECRET_ID_LENGTH);
    assert_true(secret_make_refresh(id, token, &e));
    assert_int_equal(strlen(token), SECRET_REFRESH_LENGTH);
    assert_true(secret_read_refresh(token, strlen(token), read));
    assert_string_equal(read, id);
    assert_false(secret_read_refresh(token, strlen(token) - 1, read));
    const int spoilt[] = {0, 3, 10, 36, 50};
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        char was = token[spoilt[i]];
        token[spoilt[i]] = '+';
        assert_false(secret_read_refresh(token, strlen(token), read));
        token[spoilt[i]] = was;
    }
    assert_false(secret_is_key(token, strlen(token)));
}

static void hashes_are_sha_256(void **state)
{
    (void)state;
    char text[SECRET_HASH_TEXT + 1];
    error e;
    assert_true(secret_hash_text("abc", 3, text, &e));
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(secret_equal("abc", "abc", 3));
    assert_false(secret_equal("abc", "abd", 3));
    char secret[] = "secret";
    secret_wipe(secret, sizeof secret);
    assert_memory_equal(secret, "\0\0\0\0\0\0", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64url_is_that_of_the_rfc),
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(keys_are_random_and_well_formed),
        cmocka_unit_test(the_last_character_counts),
        cmocka_unit_test(refresh_tokens_name_their_session),
        cmocka_unit_test(hashes_are_sha_256),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
