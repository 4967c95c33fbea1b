/* Passwords: what may be one, what is kept of it, and that nobody costs what somebody costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "auth/password.h"
#include "base/mem.h"

static bool check(const char *hash, const char *p)
{
    return password_check(hash, p, strlen(p));
}

static void a_password_opens_its_hash_alone(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX];
    error e;
    assert_true(password_hash("correct horse", 13, 1, hash, &e));
    assert_true(password_hash("correct horse", 13, 1, other, &e));
    assert_memory_equal(hash, "$y$", 3);
    assert_string_not_equal(hash, other); /* each has a salt of its own */
    assert_null(strstr(hash, "correct"));
    assert_true(check(hash, "correct horse"));
    assert_true(check(other, "correct horse"));
    assert_false(check(hash, "correct Horse"));
    assert_false(check(hash, "correct horse "));
    assert_false(check(hash, ""));
    assert_false(password_check(hash, "correct horse\0", 14));
    assert_false(password_check(hash, "correct horse", 12));
}

static void hashes_of_another_form_open_nothing(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX + 100], long_one[PASSWORD_HASH_MAX + 100];
    error e;
    assert_true(password_hash("correct horse", 13, 1, hash, &e));
    memset(long_one, '.', sizeof long_one - 1);
    memcpy(long_one, hash, strlen(hash));
    long_one[sizeof long_one - 1] = '\0';
    const char *const bad[] = {"",         "*0",      "*1",
                               "$y$",      "$y$j9T$", "correct horse",
                               "$y$j75$$", "x",       "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
                               long_one};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(check(bad[i], "correct horse"));
    hash[strlen(hash) - 1] = '\0';
    assert_false(check(hash, "correct horse"));
    assert_false(check("*0", "*0"));
}

static void refused(const char *p, size_t n, const char *why)
{
    error e;
    char hash[PASSWORD_HASH_MAX];
    assert_false(password_acceptable(p, n, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    assert_non_null(strstr(e.message, why));
    assert_false(password_hash(p, n, 1, hash, &e));
}

static void what_may_be_a_password(void **state)
{
    (void)state;
    char long_one[PASSWORD_MAX + 2], hash[PASSWORD_HASH_MAX];
    error e;
    memset(long_one, 'a', sizeof long_one);
    refused("", 0, "at least 8 characters");
    refused("1234567", 7, "at least 8 characters");
    refused("\303\244\303\266\303\274\303\237", 8,
            "at least 8 characters"); /* bytes do not count */
    refused("with\0 a NUL", 11, "control characters");
    refused("with a\nline", 11, "control characters");
    refused("not UTF-8 \377", 11, "UTF-8");
    refused(long_one, PASSWORD_MAX + 1, "at most 511 bytes");
    assert_true(password_acceptable("12345678", 8, &e));
    assert_true(password_hash(long_one, PASSWORD_MAX, 1, hash, &e));
    assert_true(password_check(hash, long_one, PASSWORD_MAX));
    assert_false(password_check(hash, long_one, PASSWORD_MAX - 1));
    assert_false(password_check(hash, long_one, PASSWORD_MAX + 1));
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* The least of several: what else runs here only adds. */
static void nobody_costs_as_much_as_somebody(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX];
    error e;
    double known = 1e9, unknown = 1e9;
    assert_true(password_hash("correct horse", 13, 4, hash, &e));
    for (int i = 0; i < 5; i++) {
        double t = cpu_ms();
        assert_false(check(hash, "battery staple"));
        known = least(known, cpu_ms() - t);
        t = cpu_ms();
        assert_false(password_check_nobody("battery staple", 14, 4));
        unknown = least(unknown, cpu_ms() - t);
    }
    if (unknown < known * 0.6 || unknown > known * 1.6)
        fail_msg("known %.1f ms, unknown %.1f ms", known, unknown);
    assert_false(password_check_nobody("", 0, 4));
}

static void an_old_cost_is_noticed(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX];
    error e;
    assert_true(password_hash("correct horse", 13, 1, hash, &e));
    assert_false(password_is_outdated(hash, 1));
    assert_true(password_is_outdated(hash, 2));
    assert_true(password_is_outdated(hash, 5));
    assert_true(password_is_outdated("$1$abcdefgh$irWbblnpmw.5z7wgBnprh0", 5));
    assert_true(password_is_outdated("", 5));
    assert_true(password_is_outdated("$y$", 5));
}

static void without_memory_nobody_gets_in(void **state)
{
    (void)state;
    char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX];
    error e;
    assert_true(password_hash("correct horse", 13, 1, hash, &e));
    mem_fail_nth(1);
    assert_false(check(hash, "correct horse"));
    mem_fail_nth(1);
    assert_false(password_hash("correct horse", 13, 1, other, &e));
    mem_fail_nth(0);
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    assert_true(check(hash, "correct horse"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_opens_its_hash_alone),
        cmocka_unit_test(hashes_of_another_form_open_nothing),
        cmocka_unit_test(what_may_be_a_password),
        cmocka_unit_test(nobody_costs_as_much_as_somebody),
        cmocka_unit_test(an_old_cost_is_noticed),
        cmocka_unit_test(without_memory_nobody_gets_in),
    };
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
