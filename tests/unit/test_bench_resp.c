/* The reader of what redis pushes: the same messages wherever the bytes are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "cli/bench/answer.h"
#include "cli/bench/resp.h"

static const char pushed[] = "*3\r\n$9\r\nsubscribe\r\n$5\r\nbench\r\n:1\r\n"
                             "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$5\r\nhe\nlo\r\n"
                             "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$0\r\n\r\n";

static void note(void *arg, const char *payload, size_t len)
{
    buf *out = arg;
    buf_addf(out, "%zu:", len);
    buf_add(out, payload ? payload : "-", payload ? len : 1);
    buf_addc(out, ';');
}

static void split_at_every_byte(void **state)
{
    (void)state;
    int whole = 0;
    for (size_t split = 0; split < sizeof pushed; split++) {
        buf out = BUF_INIT;
        bench_resp r = {.message = note, .arg = &out};
        assert_true(bench_resp_feed(&r, pushed, split));
        assert_true(bench_resp_feed(&r, pushed + split, sizeof pushed - 1 - split));
        const char *text = strstr(buf_cstr(&out), ";5:");
        assert_non_null(text);
        whole += strncmp(text, ";5:he\nlo;0:", 11) == 0;
        assert_int_equal(r.elements, 0);
        buf_free(&out);
    }
    /* Only where the text itself was cut is it not shown: at 6 places, and at 1 in the next. */
    assert_in_range(whole, sizeof pushed - 8, sizeof pushed - 6);
}

static void byte_by_byte(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    bench_resp r = {.message = note, .arg = &out};
    for (size_t i = 0; i < sizeof pushed - 1; i++)
        assert_true(bench_resp_feed(&r, pushed + i, 1));
    assert_string_equal(buf_cstr(&out), "0:-;5:-;0:-;");
    buf_free(&out);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"HTTP/1.1 200 OK\r\n", "+OK\r\n", "*3\r\n*2\r\n", "*1\r\n$-1\r\n",
                               "*99999999999999999999999999\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf out = BUF_INIT;
        bench_resp r = {.message = note, .arg = &out};
        assert_false(bench_resp_feed(&r, bad[i], strlen(bad[i])));
        assert_non_null(r.broken);
        assert_int_equal(out.len, 0);
    }
}

static void replies_are_answers(void **state)
{
    (void)state;
    const struct {
        const char *bytes;
        int status;
        size_t body;
    } cases[] = {{"$5\r\nhello\r\n", 200, 7},
                 {"$0\r\n\r\n", 200, 2},
                 {":1000\r\n", 200, 0},
                 {"+OK\r\n", 200, 0},
                 {"-ERR no\r\n", 500, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].bytes);
        for (size_t split = 0; split <= n; split++) {
            bench_answer a = {.redis = true};
            bench_answer_reset(&a);
            bench_answer_feed(&a, cases[i].bytes, split);
            bench_answer_feed(&a, cases[i].bytes + split, n - split);
            assert_int_equal(a.state, ANSWER_DONE);
            assert_int_equal(a.status, cases[i].status);
            assert_int_equal(a.body_bytes, cases[i].body);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_at_every_byte),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(replies_are_answers),
    };
    return cmocka_run_group_tests_name("bench_resp", tests, NULL, NULL);
}
