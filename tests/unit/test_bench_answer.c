/* The reader of HTTP answers: the same result wherever the bytes are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "cli/bench/answer.h"

typedef struct expected {
    const char *bytes;
    bench_answer_state end;
    int status;
    const char *body;
    bool closing;
} expected;

static const expected cases[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", ANSWER_DONE, 200, "hello", false},
    {"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", ANSWER_DONE, 200, "", false},
    {"HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n", ANSWER_DONE, 204, "", false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ANSWER_DONE, 304, "", false},
    {"HTTP/1.1 503 Busy\nContent-Length: 2\nConnection: Close\n\nno", ANSWER_DONE, 503, "no", true},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", ANSWER_DONE, 200, "x", true},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx", ANSWER_DONE,
     201, "x", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\nhello\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n",
     ANSWER_DONE, 200, "hello0123456789abcdef", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ANSWER_DONE, 200, "", false},
    {"HTTP/1.1 200 OK\r\n\r\nuntil the end", ANSWER_UNTIL_END, 200, "until the end", true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", ANSWER_BODY, 200, "hello", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ANSWER_BROKEN, 200, "", false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ANSWER_BROKEN, 200, "",
     false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ANSWER_BROKEN, 200, "", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", ANSWER_BROKEN, 200, "a",
     false},
    {"SSH-2.0-OpenSSH_9.2\r\n", ANSWER_BROKEN, 0, "", false},
    {"\r\n", ANSWER_BROKEN, 0, "", false},
    {"HTTP/1.1 999 Odd\r\n\r\n", ANSWER_BROKEN, 999, "", false},
};

static void keep(void *arg, const char *p, size_t n)
{
    buf_add(arg, p, n);
}

static void check(const expected *c, size_t split)
{
    size_t n = strlen(c->bytes);
    buf body = BUF_INIT;
    bench_answer a = {.body = keep, .arg = &body};
    bench_answer_reset(&a);
    bench_answer_feed(&a, c->bytes, split);
    bench_answer_feed(&a, c->bytes + split, n - split);
    assert_int_equal(a.state, c->end);
    assert_int_equal(a.status, c->status);
    assert_string_equal(buf_cstr(&body), c->body);
    assert_int_equal(a.body_bytes, strlen(c->body));
    if (c->end != ANSWER_BROKEN)
        assert_int_equal(a.closing, c->closing);
    buf_free(&body);
}

static void split_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t split = 0; split <= strlen(cases[i].bytes); split++)
            check(&cases[i], split);
}

static void byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench_answer a = {0};
        bench_answer_reset(&a);
        for (const char *p = cases[i].bytes; *p; p++)
            bench_answer_feed(&a, p, 1);
        assert_int_equal(a.state, cases[i].end);
        assert_int_equal(a.body_bytes, strlen(cases[i].body));
    }
}

static void stops_at_the_end_of_one_answer(void **state)
{
    (void)state;
    const char two[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 404 Not Found\r\n";
    bench_answer a = {0};
    bench_answer_reset(&a);
    size_t took = bench_answer_feed(&a, two, sizeof two - 1);
    assert_int_equal(a.state, ANSWER_DONE);
    assert_string_equal(two + took, "HTTP/1.1 404 Not Found\r\n");
    assert_int_equal(bench_answer_feed(&a, two, 5), 0);
}

static void an_upgrade_ends_with_its_headers(void **state)
{
    (void)state;
    const char text[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: upgrade\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x00";
    for (size_t split = 0; split < sizeof text - 3; split++) {
        bench_answer a = {0};
        bench_answer_reset(&a);
        bench_answer_feed(&a, text, split);
        size_t took = bench_answer_feed(&a, text + split, sizeof text - 1 - split);
        assert_int_equal(a.state, ANSWER_DONE);
        assert_string_equal(a.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_int_equal(split + took, sizeof text - 3);
    }
}

static void long_lines_are_skipped(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    buf_adds(&b, "HTTP/1.1 200 OK\r\nX-Long: ");
    for (int i = 0; i < 1000; i++)
        buf_addc(&b, 'a');
    buf_adds(&b, "\r\nContent-Length: 2\r\n\r\nok");
    for (size_t split = 0; split <= b.len; split++) {
        bench_answer a = {0};
        bench_answer_reset(&a);
        bench_answer_feed(&a, b.data, split);
        bench_answer_feed(&a, b.data + split, b.len - split);
        assert_int_equal(a.state, ANSWER_DONE);
        assert_int_equal(a.body_bytes, 2);
    }
    buf_free(&b);
}

static void closing_ends_only_what_has_no_other_end(void **state)
{
    (void)state;
    bench_answer a = {0};
    bench_answer_reset(&a);
    bench_answer_feed(&a, "HTTP/1.1 200 OK\r\n\r\nabc", 22);
    assert_true(bench_answer_end(&a));
    assert_int_equal(a.state, ANSWER_DONE);
    bench_answer_reset(&a);
    bench_answer_feed(&a, "HTTP/1.1 200 OK\r\n", 17);
    assert_false(bench_answer_end(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_at_every_byte),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(stops_at_the_end_of_one_answer),
        cmocka_unit_test(an_upgrade_ends_with_its_headers),
        cmocka_unit_test(long_lines_are_skipped),
        cmocka_unit_test(closing_ends_only_what_has_no_other_end),
    };
    return cmocka_run_group_tests_name("bench_answer", tests, NULL, NULL);
}
