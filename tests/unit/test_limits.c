/* Limits on rates, and the accounts that they are kept in. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "daemon/limits.h"

enum { SECOND = 1000000, THREADS = 4, EACH = 20000 };

static int pass(rate_state *s, rate_limit limit, int64_t at, int tries)
{
    int n = 0;
    for (int i = 0; i < tries; i++) {
        rate_verdict v = {0};
        n += rate_take(s, limit, 1, at, &v);
    }
    return n;
}

static void burst_then_the_rate(void **state)
{
    (void)state;
    rate_state s = {0};
    const rate_limit limit = {10, 50};
    int64_t t = 100 * SECOND;
    assert_int_equal(pass(&s, limit, t, 100), 50);
    assert_int_equal(pass(&s, limit, t + SECOND / 10 - 1, 100), 0);
    assert_int_equal(pass(&s, limit, t + SECOND / 10, 100), 1);
    assert_int_equal(pass(&s, limit, t + SECOND, 100), 9);
    assert_int_equal(pass(&s, limit, t + 60 * SECOND, 100), 50); /* no more than the burst */
    rate_state none = {0};
    assert_int_equal(pass(&none, (rate_limit){0, 5}, t, 1000), 1000);
    rate_state plain = {0};
    assert_int_equal(pass(&plain, (rate_limit){7, 0}, t, 100), 7);
}

/* No window of any place has more than burst + rate * length: the edge of a second is no gain. */
static void no_window_has_more(void **state)
{
    (void)state;
    enum { RATE = 20, BURST = 5, TRIES = 4000 };
    static int64_t passed[TRIES];
    rate_state s = {0};
    int n = 0;
    for (int i = 0; i < TRIES; i++) {
        rate_verdict v = {0};
        int64_t at = 1000 * SECOND + i * 1700 + (i % 7) * 300;
        if (rate_take(&s, (rate_limit){RATE, BURST}, 1, at, &v))
            passed[n++] = at;
    }
    assert_true(n > 100);
    for (int i = 0; i < n; i++) {
        for (int k = i; k < n; k++)
            assert_true(k - i + 1 <=
                        BURST + (passed[k] - passed[i] + SECOND / 10) * RATE / SECOND + 1);
    }
}

static void the_verdict_is_the_tightest(void **state)
{
    (void)state;
    rate_state wide = {0}, narrow = {0};
    rate_verdict v = {0};
    int64_t t = 5 * SECOND;
    assert_true(rate_take(&wide, (rate_limit){100, 0}, 1, t, &v));
    assert_int_equal(v.limit, 100);
    assert_int_equal(v.remaining, 99);
    assert_true(rate_take(&narrow, (rate_limit){2, 0}, 1, t, &v));
    assert_int_equal(v.limit, 2);
    assert_int_equal(v.remaining, 1);
    assert_int_equal(v.reset_us, SECOND / 2);
    assert_true(rate_take(&wide, (rate_limit){100, 0}, 1, t, &v));
    assert_int_equal(v.limit, 2);
    assert_true(rate_take(&narrow, (rate_limit){2, 0}, 1, t, &v));
    assert_false(rate_take(&narrow, (rate_limit){2, 0}, 1, t, &v));
    assert_int_equal(v.remaining, 0);
    assert_int_equal(v.retry_us, SECOND / 2);
    assert_int_equal(v.reset_us, SECOND);
    /* Many at once: all or none. */
    rate_state many = {0};
    assert_true(rate_take(&many, (rate_limit){10, 0}, 8, t, &v));
    assert_false(rate_take(&many, (rate_limit){10, 0}, 3, t, &v));
    assert_true(rate_take(&many, (rate_limit){10, 0}, 2, t, &v));
}

typedef struct taker {
    rate_state *s;
    int passed;
} taker;

static void *press(void *arg)
{
    taker *t = arg;
    t->passed = pass(t->s, (rate_limit){1, 1000}, 7 * SECOND, EACH);
    return NULL;
}

static void threads_share_one_limit(void **state)
{
    (void)state;
    rate_state s = {0};
    pthread_t threads[THREADS];
    taker takers[THREADS];
    int sum = 0;
    for (int i = 0; i < THREADS; i++) {
        takers[i] = (taker){&s, 0};
        pthread_create(&threads[i], NULL, press, &takers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += takers[i].passed;
    }
    assert_int_equal(sum, 1000);
}

static account *of(limit_table *l, const char *address)
{
    char key[LIMITS_KEY];
    ip_address ip;
    assert_true(ip_parse(address, strlen(address), &ip));
    return limits_hold(l, key, limits_key_address(&ip, key));
}

static void accounts(void **state)
{
    (void)state;
    limit_table *l = limits_new();
    account *a = of(l, "192.0.2.1"), *b = of(l, "::ffff:192.0.2.1"), *c = of(l, "192.0.2.2");
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    account *d = of(l, "2001:db8:0:1::1"), *e = of(l, "2001:db8:0:1:ffff::"),
            *f = of(l, "2001:db8:0:2::1");
    assert_ptr_equal(d, e); /* one subscriber */
    assert_ptr_not_equal(d, f);
    char key[LIMITS_KEY];
    account *user = limits_hold(l, key, limits_key_text('u', "ann", key));
    account *other = limits_hold(l, key, limits_key_text('k', "ann", key));
    assert_ptr_not_equal(user, other);
    account *const all[] = {a, b, c, d, e, f, user, other, NULL};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        limits_release(l, all[i]);
    limits_free(l);
}

/* What was used up is remembered while nobody holds the account, so that hanging up is no way
 * around; and those that come in great numbers take no memory without end. */
static void idle_accounts_are_kept_and_bounded(void **state)
{
    (void)state;
    limit_table *l = limits_new();
    const rate_limit slow = {1, 1};
    account *a = of(l, "192.0.2.1");
    assert_int_equal(pass(&a->requests, slow, clock_mono_us(), 5), 1);
    limits_release(l, a);
    a = of(l, "192.0.2.1");
    assert_int_equal(pass(&a->requests, slow, clock_mono_us(), 5), 0);
    limits_release(l, a);
    for (int i = 0; i < 3 * LIMITS_IDLE; i++) {
        char key[LIMITS_KEY], name[24];
        snprintf(name, sizeof name, "%d", i);
        account *one = limits_hold(l, key, limits_key_text('u', name, key));
        pass(&one->requests, (rate_limit){1, 1000}, clock_mono_us(), 500);
        limits_release(l, one);
    }
    a = of(l, "192.0.2.1"); /* it had to make room */
    assert_int_equal(pass(&a->requests, slow, clock_mono_us(), 5), 1);
    limits_release(l, a);
    limits_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_then_the_rate),
        cmocka_unit_test(no_window_has_more),
        cmocka_unit_test(the_verdict_is_the_tightest),
        cmocka_unit_test(threads_share_one_limit),
        cmocka_unit_test(accounts),
        cmocka_unit_test(idle_accounts_are_kept_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
