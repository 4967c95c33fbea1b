/* The counter of WebSocket frames: the same frames wherever the bytes are split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/bench/frames.h"

typedef struct seen {
    int n, shown;
    size_t bytes;
    buf text; /* "opcode:length:payload;" of each frame, payload '-' when it was not shown */
} seen;

static void note(void *arg, int opcode, bool fin, const char *payload, size_t len)
{
    seen *s = arg;
    s->n++;
    s->bytes += len;
    s->shown += payload != NULL;
    buf_addf(&s->text, "%d%s:%zu:", opcode, fin ? "" : "+", len);
    if (payload && len < 200)
        buf_add(&s->text, payload, len);
    else if (!payload)
        buf_addc(&s->text, '-');
    buf_addc(&s->text, ';');
}

static void put(buf *b, int first, size_t len, const char *payload)
{
    buf_addc(b, (char)first);
    if (len < 126) {
        buf_addc(b, (char)len);
    } else if (len < 65536) {
        buf_addc(b, 126);
        buf_addc(b, (char)(len >> 8));
        buf_addc(b, (char)len);
    } else {
        buf_addc(b, 127);
        for (int i = 7; i >= 0; i--)
            buf_addc(b, (char)((uint64_t)len >> (8 * i)));
    }
    for (size_t i = 0; i < len; i++)
        buf_addc(b, payload ? payload[i] : (char)('a' + i % 26));
}

/* All that may come: texts short and long, empty, fragments with a ping between, a close. */
static void make_stream(buf *b)
{
    put(b, 0x81, 5, "hello");
    put(b, 0x81, 0, "");
    put(b, 0x82, 125, NULL);
    put(b, 0x81, 126, NULL);
    put(b, 0x81, 300, NULL);
    put(b, 0x01, 3, "one");
    put(b, 0x89, 4, "ping");
    put(b, 0x00, 3, "two");
    put(b, 0x80, 5, "three");
    put(b, 0x8a, 0, "");
    put(b, 0x88, 5,
        "\x03\xe9"
        "bye");
}

static void feed_split(const buf *b, size_t split, bool want, seen *s)
{
    *s = (seen){0};
    bench_frames f = {.frame = note, .arg = s, .want = want};
    assert_true(bench_frames_feed(&f, b->data, split));
    assert_true(bench_frames_feed(&f, b->data + split, b->len - split));
    assert_false(f.in_frame);
    bench_frames_free(&f);
}

static void split_at_every_byte(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    make_stream(&b);
    seen whole;
    feed_split(&b, 0, true, &whole);
    assert_int_equal(whole.n, 11);
    assert_int_equal(whole.shown, 11);
    assert_memory_equal(buf_cstr(&whole.text), "1:5:hello;1:0:;2:125:", 21);
    for (size_t split = 1; split <= b.len; split++) {
        seen s;
        feed_split(&b, split, true, &s);
        assert_string_equal(buf_cstr(&s.text), buf_cstr(&whole.text));
        buf_free(&s.text);
    }
    buf_free(&whole.text);
    buf_free(&b);
}

static void unwanted_payloads_are_not_collected(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    make_stream(&b);
    for (size_t split = 0; split <= b.len; split++) {
        seen s;
        feed_split(&b, split, false, &s);
        assert_int_equal(s.n, 11);
        assert_in_range(s.shown, 10, 11);
        buf_free(&s.text);
    }
    buf_free(&b);
}

static void byte_by_byte(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    make_stream(&b);
    put(&b, 0x82, 70000, NULL);
    seen s = {0};
    bench_frames f = {.frame = note, .arg = &s, .want = true};
    for (size_t i = 0; i < b.len; i++)
        assert_true(bench_frames_feed(&f, b.data + i, 1));
    assert_int_equal(s.n, 12);
    assert_int_equal(s.shown, 12);
    bench_frames_free(&f);
    buf_free(&s.text);
    buf_free(&b);
}

static void breaks(const char *bytes, size_t n)
{
    seen s = {0};
    bench_frames f = {.frame = note, .arg = &s};
    assert_false(bench_frames_feed(&f, bytes, n));
    assert_non_null(f.broken);
    assert_int_equal(s.n, 0);
    bench_frames_free(&f);
    buf_free(&s.text);
}

static void protocol_errors_are_told(void **state)
{
    (void)state;
    breaks("\x81\x85", 2);  /* masked */
    breaks("\xc1\x01x", 3); /* a reserved bit */
    breaks("\x83\x00", 2);  /* unknown opcodes */
    breaks("\x8b\x00", 2);
    breaks("\x89\x7e\x00\x80", 4);                          /* a long ping */
    breaks("\x09\x00", 2);                                  /* a fragmented ping */
    breaks("\x80\x00", 2);                                  /* a continuation of nothing */
    breaks("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10); /* longer than anything */
}

static void a_message_within_a_message_is_an_error(void **state)
{
    (void)state;
    seen s = {0};
    bench_frames f = {.frame = note, .arg = &s};
    assert_true(bench_frames_feed(&f, "\x01\x01x", 3));
    assert_false(bench_frames_feed(&f, "\x81\x01x", 3));
    bench_frames_free(&f);
    buf_free(&s.text);
}

/* What a client sends, unmasked again by hand. */
static void client_frames_are_masked(void **state)
{
    (void)state;
    const size_t lengths[] = {0, 1, 125, 126, 65535, 65536};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t len = lengths[i];
        buf plain = BUF_INIT, out = BUF_INIT, expect = BUF_INIT;
        put(&plain, 0x81, len, NULL);
        size_t head = plain.len - len;
        bench_frame_put(&out, WS_TEXT, plain.data + head, len, 0x12345678);
        assert_int_equal(out.len, plain.len + 4);
        assert_int_equal((uint8_t)out.data[1], 0x80 | (uint8_t)plain.data[1]);
        for (size_t j = 0; j < len; j++)
            buf_addc(&expect, (char)(out.data[head + 4 + j] ^ out.data[head + j % 4]));
        if (len)
            assert_memory_equal(expect.data, plain.data + head, len);
        buf_free(&plain);
        buf_free(&out);
        buf_free(&expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_at_every_byte),
        cmocka_unit_test(unwanted_payloads_are_not_collected),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(protocol_errors_are_told),
        cmocka_unit_test(a_message_within_a_message_is_an_error),
        cmocka_unit_test(client_frames_are_masked),
    };
    return cmocka_run_group_tests_name("bench_frames", tests, NULL, NULL);
}
