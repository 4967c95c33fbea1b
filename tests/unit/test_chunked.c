/* The decoder for chunked bodies: split at every byte, bad input, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "daemon/chunked.h"

/* Feeds the text in two pieces, split at `split`, and collects the body. */
static chunked_state decode(const char *text, size_t split, buf *body)
{
    chunked c = {0};
    const char *pieces[2] = {text, text + split};
    size_t lengths[2] = {split, strlen(text) - split};
    for (int i = 0; i < 2; i++) {
        const char *p = pieces[i], *data = NULL;
        size_t left = lengths[i];
        while (left && c.state != CHUNKED_DONE && c.state != CHUNKED_BAD) {
            size_t n, used = chunked_feed(&c, p, left, &data, &n);
            buf_add(body, data, n);
            assert_true(used > 0);
            p += used;
            left -= used;
        }
    }
    return c.state;
}

static void test_good(void **state)
{
    (void)state;
    static const char text[] =
        "5\r\nhello\r\nA;name=\"v\"\r\n0123456789\r\n1 \r\n!\r\n0\r\nTrailer: x\r\nMore: y\r\n\r\n";
    for (size_t split = 0; split < sizeof text - 1; split++) {
        buf body = BUF_INIT;
        assert_int_equal(decode(text, split, &body), CHUNKED_DONE);
        assert_string_equal(buf_cstr(&body), "hello0123456789!");
        buf_free(&body);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\r\n",         "x\r\n",     "-1\r\n", "5\r\nhelloX",      "5\r\nhello\rX",
        "5\nhello\r\n", "5\r hello", ";\r\n",  "0x5\r\nhello\r\n", "1000000000000000\r\n",
        "5;a\nhello",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t split = 0; split < strlen(bad[i]); split++) {
            buf body = BUF_INIT;
            assert_int_equal(decode(bad[i], split, &body), CHUNKED_BAD);
            buf_free(&body);
        }
    }
}

static void test_trailers_are_bounded(void **state)
{
    (void)state;
    chunked c = {0};
    const char *data;
    size_t n;
    chunked_feed(&c, "0\r\n", 3, &data, &n);
    for (int i = 0; i < 100000 && c.state != CHUNKED_BAD; i++)
        chunked_feed(&c, "a", 1, &data, &n);
    assert_int_equal(c.state, CHUNKED_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_trailers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
