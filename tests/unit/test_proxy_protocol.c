/* The header of the PROXY protocol, in one piece and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/proxy_protocol.h"

static proxy_header read_all(const void *p, size_t n, size_t *used)
{
    proxy_header whole = {0}, pieces = {0};
    size_t bytes = 0;
    *used = proxy_feed(&whole, p, n);
    while (bytes < n && proxy_feed(&pieces, (const char *)p + bytes, 1))
        bytes++;
    assert_int_equal(bytes, *used);
    assert_memory_equal(&whole, &pieces, sizeof whole);
    return whole;
}

static proxy_header text(const char *line, size_t *used)
{
    return read_all(line, strlen(line), used);
}

static void is_from(const proxy_header *h, const char *address, unsigned port)
{
    char out[IP_TEXT_ROOM];
    ip_format(&h->from, out);
    assert_int_equal(h->state, PROXY_DONE);
    assert_false(h->local);
    assert_string_equal(out, address);
    assert_int_equal(h->port, port);
}

static void version_1(void **state)
{
    (void)state;
    size_t used;
    proxy_header h =
        text("PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\r\nGET / HTTP/1.1\r\n", &used);
    is_from(&h, "192.0.2.1", 1234);
    assert_int_equal(used, 44);
    h = text("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", &used);
    is_from(&h, "2001:db8::1", 65535);
    h = text("PROXY UNKNOWN\r\nrest", &used);
    assert_true(h.state == PROXY_DONE && h.local && used == 15);
    h = text("PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n", &used);
    assert_true(h.state == PROXY_DONE && h.local);
    h = text("PROXY TCP4 192.0.2.1 198.51.100.2 1234 44", &used);
    assert_int_equal(h.state, PROXY_MORE);
}

static void version_1_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "GET / HTTP/1.1\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "proxy TCP4 192.0.2.1 198.51.100.2 1234 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1234\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1234 443 5\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.2 1234 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1234 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 99999 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 01 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
        "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2\t1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP6 "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t used;
        proxy_header h = text(wrong[i], &used);
        if (h.state != PROXY_BAD || used > PROXY_V1_MAX)
            fail_msg("state %d after %zu bytes: %s", h.state, used, wrong[i]);
    }
    size_t used;
    static const char nul[] = "PROXY UNKNOWN\0\r\n";
    assert_int_equal(read_all(nul, sizeof nul - 1, &used).state, PROXY_BAD);
}

#define SIGNATURE         "\r\n\r\n\0\r\nQUIT\n"
#define FOUR              "\xc0\x00\x02\x01\xc6\x33\x64\x02\x04\xd2\x01\xbb"
#define READ(bytes, used) read_all(bytes, sizeof(bytes) - 1, used)

static void version_2(void **state)
{
    (void)state;
    size_t used;
    proxy_header h = READ(SIGNATURE "\x21\x11\x00\x0c" FOUR "GET", &used);
    is_from(&h, "192.0.2.1", 1234);
    assert_int_equal(used, 28);
    h = READ(SIGNATURE "\x21\x11\x00\x10" FOUR "\x04\x00\x01x!", &used); /* further fields */
    is_from(&h, "192.0.2.1", 1234);
    assert_int_equal(used, 32);
    h = READ(SIGNATURE "\x21\x21\x00\x24"
                       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
                       "\xff\xff\x00\x50",
             &used);
    is_from(&h, "2001:db8::1", 65535);
    h = READ(SIGNATURE "\x20\x11\x00\x0c" FOUR, &used); /* LOCAL */
    assert_true(h.state == PROXY_DONE && h.local && used == 28);
    h = READ(SIGNATURE "\x21\x00\x00\x00", &used); /* UNSPEC */
    assert_true(h.state == PROXY_DONE && h.local && used == 16);
    h = READ(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02", &used);
    assert_int_equal(h.state, PROXY_MORE);
}

static void version_2_wrong(void **state)
{
    (void)state;
    size_t used;
    assert_int_equal(READ("\r\n\r\n\0\r\nQUIT\r", &used).state, PROXY_BAD);
    assert_int_equal(READ(SIGNATURE "\x11\x11\x00\x0c" FOUR, &used).state, PROXY_BAD);
    assert_int_equal(READ(SIGNATURE "\x22\x11\x00\x0c" FOUR, &used).state, PROXY_BAD);
    assert_int_equal(READ(SIGNATURE "\x21\x11\x00\x0b" FOUR, &used).state, PROXY_BAD);
    assert_int_equal(READ(SIGNATURE "\x21\x21\x00\x0c" FOUR, &used).state, PROXY_BAD);
    assert_int_equal(READ(SIGNATURE "\x21\x11\xff\xff" FOUR, &used).state, PROXY_BAD);
    assert_int_equal(used, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1),
        cmocka_unit_test(version_1_wrong),
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_2_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
