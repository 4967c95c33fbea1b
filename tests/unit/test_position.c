/* Positions as clients send them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "feed/position.h"
#include "json/read.h"

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *json, *log_id;
        int64_t lsn; /* -1: refused */
    } cases[] = {
        {"[0]", NULL, 0},
        {"[9223372036854775807]", NULL, INT64_MAX},
        {"[\"abc:0\"]", "abc", 0},
        {"[\"a:b:12\"]", "a:b", 12},
        {"[\":12\"]", "", 12},
        {"[\"abc:99999999999999999999\"]", "abc", INT64_MAX},
        {"[-1]", NULL, -1},
        {"[1.0]", NULL, -1},
        {"[true]", NULL, -1},
        {"[{}]", NULL, -1},
        {"[\"\"]", NULL, -1},
        {"[\"12\"]", NULL, -1},
        {"[\"abc:\"]", NULL, -1},
        {"[\"abc:-1\"]", NULL, -1},
        {"[\"abc: 1\"]", NULL, -1},
        {"[\"abc:1 \"]", NULL, -1},
        {"[\"a234567890123456789012345678901234567890123456789012345678901234:1\"]", NULL, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char log_id[POSITION_LOG_ID_MAX];
        position at = {NULL, -1};
        error e;
        error_clear(&e);
        json_t *root = json_read_text(cases[i].json, strlen(cases[i].json), &e);
        bool ok = position_read(json_array_get(root, 0), "payload", log_id, &at, &e);
        json_decref(root);
        if (ok != (cases[i].lsn >= 0))
            fail_msg("%s: %s", cases[i].json, ok ? "taken" : e.message);
        if (!ok) {
            assert_int_equal(e.code, ERR_INVALID_MESSAGE);
            continue;
        }
        assert_int_equal(at.lsn, cases[i].lsn);
        assert_int_equal(at.log_id != NULL, cases[i].log_id != NULL);
        if (at.log_id)
            assert_string_equal(at.log_id, cases[i].log_id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
