/* Entity tags: what they are made of, and which conditions name them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/etag.h"

static void tags_tell_bytes_apart(void **state)
{
    (void)state;
    char a[ETAG_ROOM], b[ETAG_ROOM];
    etag_make("one", 3, a);
    etag_make("two", 3, b);
    assert_int_equal(strlen(a), ETAG_ROOM - 1);
    assert_string_not_equal(a, b);
    etag_make("one", 3, b);
    assert_string_equal(a, b);
}

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool strong, weak;
    } cases[] = {
        {NULL, false, false},
        {"", false, false},
        {"\"a\"", true, true},
        {"*", true, true},
        {"W/\"a\"", false, true},
        {"\"b\", \"a\"", true, true},
        {"\"b\" , W/\"c\",\"a\"", true, true},
        {"\"ab\"", false, false},
        {"\"b\"", false, false},
        {"a", false, false},
        {"\"a", false, false},
        {"W/", false, false},
        {",,\"a\"", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(etag_listed(cases[i].header, "\"a\"", false), cases[i].strong);
        assert_int_equal(etag_listed(cases[i].header, "\"a\"", true), cases[i].weak);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_tell_bytes_apart),
        cmocka_unit_test(conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
