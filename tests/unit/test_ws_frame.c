/* Frames: the three forms of length, counting, and compression that an inflater takes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "wire/ws_frame.h"

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        size_t n, head;
    } cases[] = {{0, 2}, {125, 2}, {126, 4}, {65535, 4}, {65536, 10}, {200000, 10}};
    char *payload = calloc(1, 200000);
    buf all = BUF_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b = BUF_INIT;
        ws_frame_add(&b, WS_TEXT, payload, cases[i].n);
        assert_int_equal(b.len, cases[i].n + cases[i].head);
        assert_int_equal((unsigned char)b.data[0], 0x81);
        assert_false(b.data[1] & 0x80);
        assert_int_equal(ws_frame_count(b.data, b.len), 1);
        buf_add(&all, b.data, b.len);
        buf_free(&b);
    }
    assert_int_equal(ws_frame_count(all.data, all.len), 6);
    buf_free(&all);
    free(payload);
}

/* Inflates one compressed frame as RFC 7692, 7.2.2 says. */
static size_t inflate_frame(const buf *b, int bits, char *out, size_t room)
{
    size_t head = (b->data[1] & 0x7F) < 126 ? 2 : (b->data[1] & 0x7F) == 126 ? 4 : 10;
    buf in = BUF_INIT;
    buf_add(&in, b->data + head, b->len - head);
    buf_add(&in, "\x00\x00\xff\xff", 4);
    z_stream z = {0};
    assert_int_equal(inflateInit2(&z, -bits), Z_OK);
    z.next_in = (unsigned char *)in.data;
    z.avail_in = (unsigned)in.len;
    z.next_out = (unsigned char *)out;
    z.avail_out = (unsigned)room;
    assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
    size_t n = room - z.avail_out;
    inflateEnd(&z);
    buf_free(&in);
    return n;
}

static void test_deflate(void **state)
{
    (void)state;
    char text[20000], back[sizeof text + 1];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i / 7 % 11);
    for (int bits = 9; bits <= 15; bits++) {
        buf b = BUF_INIT;
        ws_frame_add_deflated(&b, WS_TEXT, text, sizeof text, bits);
        assert_int_equal((unsigned char)b.data[0], 0xC1);
        assert_true(b.len < sizeof text);
        assert_int_equal(inflate_frame(&b, bits, back, sizeof back), sizeof text);
        assert_memory_equal(back, text, sizeof text);
        buf_free(&b);
    }
}

static void test_incompressible_goes_plain(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    ws_frame_add_deflated(&b, WS_BINARY, "x", 1, 15);
    assert_int_equal((unsigned char)b.data[0], 0x82);
    buf_free(&b);
}

static void test_no_memory(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    mem_fail_nth(1);
    ws_frame_add(&b, WS_TEXT, "hello", 5);
    mem_fail_nth(0);
    assert_true(b.failed);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_deflate),
        cmocka_unit_test(test_incompressible_goes_plain),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
