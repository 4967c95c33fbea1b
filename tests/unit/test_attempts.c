/* Tries that fail have to wait, ever longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "auth/attempts.h"

#define S INT64_C(1000000)

static const attempts_rule rule = {
    .free = 3, .max = 4, .first_us = S, .most_us = 8 * S, .forget_us = 60 * S};

static void the_wait_grows(void **state)
{
    (void)state;
    attempts *a = attempts_new(&rule);
    int64_t now = 1000 * S;
    assert_int_equal(attempts_begin(a, "anna", now), 0);
    assert_int_equal(attempts_begin(a, "anna", now), 0);
    assert_int_equal(attempts_begin(a, "anna", now), 0);
    assert_int_equal(attempts_begin(a, "anna", now), S);
    assert_int_equal(attempts_begin(a, "anna", now + S / 2), S / 2);
    assert_int_equal(attempts_begin(a, "bert", now), 0);
    const int64_t waits[] = {2, 4, 8, 8, 8};
    now += S;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(attempts_begin(a, "anna", now), 0);
        assert_int_equal(attempts_begin(a, "anna", now), waits[i] * S);
        now += waits[i] * S;
    }
    now += 60 * S;
    for (int i = 0; i < 3; i++)
        assert_int_equal(attempts_begin(a, "anna", now), 0);
    assert_int_equal(attempts_begin(a, "anna", now), S);
    attempts_free(a);
}

static void success_is_forgiven(void **state)
{
    (void)state;
    attempts *a = attempts_new(&rule);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(attempts_begin(a, "anna", S), 0);
        assert_int_equal(attempts_begin(a, "anna", S), 0);
        attempts_succeeded(a, "anna");
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(attempts_begin(a, "anna", S), 0);
        attempts_undo(a, "anna");
    }
    attempts_undo(a, "nobody");
    attempts_succeeded(a, "nobody");
    attempts_free(a);
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    attempts *a = attempts_new(&rule);
    char name[8];
    for (int k = 0; k < 3; k++)
        assert_int_equal(attempts_begin(a, "anna", S), 0);
    assert_int_equal(attempts_begin(a, "anna", S), S);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "u%d", i);
        assert_int_equal(attempts_begin(a, name, S + i), 0);
    }
    assert_int_equal(attempts_begin(a, "anna", S), S);
    assert_int_equal(attempts_begin(a, "u3", S + 4), 0); /* takes the place of anna */
    assert_int_equal(attempts_begin(a, "anna", S), 0);
    attempts_free(a);
    attempts_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_grows),
        cmocka_unit_test(success_is_forgiven),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests_name("attempts", tests, NULL, NULL);
}
