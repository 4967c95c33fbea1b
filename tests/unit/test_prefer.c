/* The preference of a request to wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/prefer.h"

static void waits(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t seconds; /* -1: none */
    } cases[] = {
        {NULL, -1},
        {"", -1},
        {"wait=10", 10},
        {"Wait = 10", 10},
        {"wait=\"10\"", 10},
        {"respond-async, wait=10", 10},
        {"return=minimal;x=\"y\" , wait=7;z, other", 7},
        {"wait=0", 0},
        {"wait=300", 300},
        {"wait=301", 300},
        {"wait=99999999999999999999999999", 300},
        {"wait", -1},
        {"wait=", -1},
        {"wait=ten", -1},
        {"wait=10s", -1},
        {"wait=-1", -1},
        {"await=10", -1},
        {"waiter=10", -1},
        {",,wait=5", 5},
        {"x=wait", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = -1;
        bool any = prefer_wait(cases[i].header, 300, &seconds);
        assert_int_equal(any, cases[i].seconds >= 0);
        if (any)
            assert_int_equal(seconds, cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
