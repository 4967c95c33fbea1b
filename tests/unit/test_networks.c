/* Addresses and lists of networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "config/networks.h"

static ip_address ip(const char *text)
{
    ip_address a;
    assert_true(ip_parse(text, strlen(text), &a));
    return a;
}

static bool has(const char *list, const char *address)
{
    networks n;
    error e;
    ip_address a = ip(address);
    if (!networks_parse(list, &n, &e))
        fail_msg("%s: %s", list, e.message);
    bool found = networks_have(&n, &a);
    networks_free(&n);
    return found;
}

static void addresses_have_one_form(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:201", "192.0.2.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::1", "::1"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[IP_TEXT_ROOM];
        ip_address a = ip(pairs[i][0]);
        ip_format(&a, text);
        assert_string_equal(text, pairs[i][1]);
        assert_true(ip_is_known(&a));
    }
    static const char *const wrong[] = {
        "",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.4:80",
        "[::1]",
        "fe80::1%eth0",
        "localhost",
        " 1.2.3.4",
        "1.2.3.4 ",
        "0x7f.1",
        "1:2:3:4:5:6:7:8:9",
        "::ffff:1.2.3",
        "1111:2222:3333:4444:5555:6666:123.123.123.1234",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ip_address a;
        if (ip_parse(wrong[i], strlen(wrong[i]), &a))
            fail_msg("'%s' was taken", wrong[i]);
    }
    ip_address a;
    assert_false(ip_parse("1.2.3.4\0x", 9, &a));
    ip_address loop = ip("127.9.9.9"), mapped = ip("::ffff:127.0.0.1"), six = ip("::1");
    ip_address far = ip("128.0.0.1"), none = {{0}};
    assert_true(ip_is_loopback(&loop) && ip_is_loopback(&mapped) && ip_is_loopback(&six));
    assert_false(ip_is_loopback(&far) || ip_is_loopback(&none) || ip_is_known(&none));
    char text[IP_TEXT_ROOM];
    ip_format(&none, text);
    assert_string_equal(text, "");
}

static void membership(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.255.255"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(has("192.0.2.128/25", "192.0.2.200"));
    assert_false(has("192.0.2.128/25", "192.0.2.127"));
    assert_true(has("192.0.2.7", "192.0.2.7"));
    assert_false(has("192.0.2.7", "192.0.2.6"));
    assert_true(has("0.0.0.0/0", "255.1.2.3"));
    assert_false(has("0.0.0.0/0", "2001:db8::1")); /* all of IPv4, and nothing else */
    assert_true(has("::/0", "2001:db8::1"));
    assert_true(has("::/0", "10.0.0.1"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::"));
    assert_true(has("::ffff:10.0.0.0/104", "10.2.3.4"));
    assert_false(has("", "10.2.3.4"));
    assert_true(has(" 10.0.0.0/8,,192.168.0.0/16 fe80::/10 ", "fe80::1"));
    networks all;
    ip_address none = {{0}};
    assert_true(networks_parse("::/0", &all, NULL));
    assert_false(networks_have(&all, &none));
    networks_free(&all);
}

static void what_is_no_network(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/8x",
        "10/8",
        "/8",
        "example.org",
        "2001:db8::/129",
        "2001:db8::1/64",
        "10.0.0.0/8;11.0.0.0/8",
        "10.0.0.0/ 8",
        "10.0.0.0/08/1",
        "*",
        "10.0.0.0/0000",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        networks n;
        error e;
        if (networks_parse(wrong[i], &n, &e))
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_null(n.items);
    }
    static char many[(NETWORKS_MAX + 1) * 8 + 1];
    for (int i = 0; i <= NETWORKS_MAX; i++)
        memcpy(many + i * 8, "1.2.3.4 ", 8);
    networks n;
    error e;
    assert_false(networks_parse(many, &n, &e));
    assert_non_null(strstr(e.message, "1025"));
    many[NETWORKS_MAX * 8] = '\0';
    assert_true(networks_parse(many, &n, &e));
    networks_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_form),
        cmocka_unit_test(membership),
        cmocka_unit_test(what_is_no_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
