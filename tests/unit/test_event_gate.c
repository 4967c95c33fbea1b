/* The bound on events: how many pass in a second, and that none is left out uncounted. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/event_gate.h"

enum { SECOND = 1000000, THREADS = 4, EACH = 50000 };

static void so_many_a_second(void **state)
{
    (void)state;
    event_gate g = {0};
    for (int i = 0; i < 5; i++)
        assert_true(event_gate_pass(&g, 2, 10, 7 * SECOND + i));
    assert_false(event_gate_pass(&g, 2, 10, 7 * SECOND + 5));
    assert_false(event_gate_pass(&g, 1, 10, 8 * SECOND - 1));
    assert_true(event_gate_pass(&g, 1, 12, 8 * SECOND - 1)); /* one that may go further */
    event_gate_leave_out(&g);
    assert_int_equal(event_gate_left_out(&g), 3);
    assert_int_equal(event_gate_left_out(&g), 0);
    assert_true(event_gate_pass(&g, 2, 10, 8 * SECOND));
    assert_false(event_gate_pass(&g, 2, 1, 9 * SECOND));
    assert_int_equal(event_gate_left_out(&g), 1);
}

typedef struct many {
    event_gate *gate;
    int64_t passed;
} many;

static void *press(void *arg)
{
    many *m = arg;
    for (int i = 0; i < EACH; i++)
        m->passed += event_gate_pass(m->gate, 1, 1000, SECOND);
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    event_gate g = {0};
    many all[THREADS] = {0};
    pthread_t threads[THREADS];
    int64_t passed = 0;
    for (int i = 0; i < THREADS; i++) {
        all[i].gate = &g;
        assert_int_equal(pthread_create(&threads[i], NULL, press, &all[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        passed += all[i].passed;
    }
    assert_true(passed <= 2000 && passed >= 1000 - THREADS);
    assert_int_equal(passed + event_gate_left_out(&g), THREADS * EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_a_second),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
