/* The daemon's histogram of latencies: what it reads back is close to what was put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "daemon/latency.h"

typedef struct box {
    latency a, b;
    latency_sum sum, earlier;
} box;

static int setup(void **state)
{
    *state = xalloc(sizeof(box));
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static void assert_near(double got, double truth)
{
    if (got < truth || got > truth * 1.0626)
        fail_msg("%f is not within 6.3 %% above %f", got, truth);
}

static void nothing_counted_is_zero(void **state)
{
    box *x = *state;
    latency_collect(&x->sum, &x->a);
    assert_int_equal(x->sum.count, 0);
    assert_true(latency_mean_ms(&x->sum) == 0);
    assert_true(latency_within_ms(&x->sum, 0.99) == 0);
}

static void every_length_reads_back_close_and_never_below(void **state)
{
    box *x = *state;
    for (int64_t us = 1; us < (int64_t)1 << 36; us += us / 7 + 1) {
        latency_add(&x->a, us);
        latency_collect(&x->sum, &x->a);
        latency_subtract(&x->sum, &x->earlier);
        assert_int_equal(x->sum.count, 1);
        assert_int_equal(x->sum.total_us, us);
        assert_near(latency_within_ms(&x->sum, 1) * 1000, (double)us);
        x->sum = (latency_sum){0};
        x->earlier = (latency_sum){0};
        latency_collect(&x->earlier, &x->a);
    }
}

static void parts_of_two_histograms(void **state)
{
    box *x = *state;
    for (int i = 1; i <= 1000; i++)
        latency_add(i % 2 ? &x->a : &x->b, i * 1000);
    latency_collect(&x->sum, &x->a);
    latency_collect(&x->sum, &x->b);
    assert_int_equal(x->sum.count, 1000);
    assert_true(latency_mean_ms(&x->sum) > 500.4 && latency_mean_ms(&x->sum) < 500.6);
    assert_near(latency_within_ms(&x->sum, 0.5), 500);
    assert_near(latency_within_ms(&x->sum, 0.95), 950);
    assert_near(latency_within_ms(&x->sum, 0.99), 990);
    assert_near(latency_within_ms(&x->sum, 0.0001), 1);
}

static void what_cannot_be_is_counted_at_the_ends(void **state)
{
    box *x = *state;
    latency_add(&x->a, -5);
    latency_add(&x->a, INT64_MAX);
    latency_collect(&x->sum, &x->a);
    assert_int_equal(x->sum.count, 2);
    assert_true(latency_within_ms(&x->sum, 0.5) == 0);
    assert_true(latency_within_ms(&x->sum, 1) > 6e7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_counted_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(every_length_reads_back_close_and_never_below, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(parts_of_two_histograms, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_counted_at_the_ends, setup, teardown),
    };
    return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
