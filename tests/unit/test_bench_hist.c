/* The histogram: percentiles stay within one bucket of the truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "cli/bench/hist.h"

static int setup(void **state)
{
    *state = xalloc(sizeof(bench_hist));
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static void empty_says_zero(void **state)
{
    bench_hist *h = *state;
    assert_int_equal(bench_hist_percentile(h, 50), 0);
    assert_int_equal(bench_hist_percentile(h, 100), 0);
    assert_true(bench_hist_mean(h) == 0);
}

static void small_values_are_exact(void **state)
{
    bench_hist *h = *state;
    for (int i = 1; i <= 100; i++)
        bench_hist_add(h, i % 50);
    assert_int_equal(h->count, 100);
    assert_int_equal(bench_hist_percentile(h, 50), 24);
    assert_int_equal(bench_hist_percentile(h, 1), 0);
    assert_int_equal(bench_hist_percentile(h, 100), 49);
    assert_int_equal(h->max, 49);
}

static void large_values_are_near(void **state)
{
    bench_hist *h = *state;
    for (int64_t v = 1; v <= 1000000; v++)
        bench_hist_add(h, v);
    const double at[] = {1, 10, 50, 90, 95, 99, 99.9};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        int64_t truth = (int64_t)(at[i] * 10000);
        int64_t told = bench_hist_percentile(h, at[i]);
        assert_in_range(told, truth, truth + truth / 64 + 1);
    }
    assert_int_equal(bench_hist_percentile(h, 100), 1000000);
}

static void every_power_of_two_has_its_place(void **state)
{
    bench_hist *h = *state;
    for (int bit = 0; bit < BENCH_HIST_TOP_BITS; bit++) {
        for (int off = -1; off <= 1; off++) {
            int64_t v = ((int64_t)1 << bit) + off;
            bench_hist_clear(h);
            bench_hist_add(h, v);
            bench_hist_add(h, v * 2 + 1000); /* so that the first is not cut to the largest */
            assert_in_range(bench_hist_percentile(h, 50), v, v + v / 64);
        }
    }
}

static void extremes_do_no_harm(void **state)
{
    bench_hist *h = *state;
    bench_hist_add(h, -5);
    bench_hist_add(h, INT64_MAX);
    assert_int_equal(bench_hist_percentile(h, 50), 0);
    assert_true(bench_hist_percentile(h, 99) == INT64_MAX);
}

static void merging_is_adding(void **state)
{
    bench_hist *a = *state, *b = xalloc(sizeof *b);
    for (int i = 0; i < 10; i++)
        bench_hist_add(a, 10);
    for (int i = 0; i < 30; i++)
        bench_hist_add(b, 20);
    bench_hist_merge(a, b);
    assert_int_equal(a->count, 40);
    assert_int_equal(bench_hist_percentile(a, 25), 10);
    assert_int_equal(bench_hist_percentile(a, 26), 20);
    assert_true(bench_hist_mean(a) == 17.5);
    mem_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_says_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(small_values_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(large_values_are_near, setup, teardown),
        cmocka_unit_test_setup_teardown(every_power_of_two_has_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(extremes_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(merging_is_adding, setup, teardown),
    };
    return cmocka_run_group_tests_name("bench_hist", tests, NULL, NULL);
}
