/* Who a request is from, and who may ask: X-Forwarded-For, names of hosts, origins of pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/cors.h"
#include "daemon/forwarded.h"
#include "daemon/hosts.h"

static void is_from(const char *header, const char *wanted)
{
    networks proxies;
    ip_address proxy, client;
    char text[IP_TEXT_ROOM];
    assert_true(networks_parse("10.0.0.0/8 fd00::/8", &proxies, NULL));
    assert_true(ip_parse("10.0.0.1", 8, &proxy));
    client = forwarded_client(header, &proxy, &proxies);
    ip_format(&client, text);
    networks_free(&proxies);
    assert_string_equal(text, wanted);
}

static void the_client_is_the_last_that_is_not_ours(void **state)
{
    (void)state;
    is_from("192.0.2.1", "192.0.2.1");
    is_from("  192.0.2.1\t", "192.0.2.1");
    is_from("192.0.2.1, 10.1.1.1", "192.0.2.1");
    is_from("192.0.2.1,10.1.1.1,fd00::2", "192.0.2.1");
    is_from("127.0.0.1, 192.0.2.1, 10.1.1.1", "192.0.2.1"); /* the client's own word is no word */
    is_from("10.9.9.9, 192.0.2.1", "192.0.2.1");
    is_from("2001:db8::5", "2001:db8::5");
    is_from("[2001:db8::5]:4711", "2001:db8::5");
    is_from("[2001:db8::5]", "2001:db8::5");
    is_from("192.0.2.1:4711", "192.0.2.1");
    is_from("::ffff:192.0.2.1", "192.0.2.1");
    is_from("::ffff:10.0.0.9", "10.0.0.9"); /* all of them are ours */
    is_from("10.0.0.3, 10.0.0.2", "10.0.0.3");
}

static void what_is_no_address_ends_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        " ",
                                        ",",
                                        "unknown",
                                        "_hidden",
                                        "localhost",
                                        "[",
                                        "[]",
                                        "]:",
                                        ":",
                                        "::ffff:",
                                        "1.2.3.4.5",
                                        "[1.2.3.4",
                                        "192.0.2.1;x",
                                        "\"192.0.2.1\"",
                                        "192.0.2.1 192.0.2.2",
                                        "192.0.2.1,"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        is_from(wrong[i], "10.0.0.1");
    is_from("192.0.2.1, unknown, 10.5.5.5", "10.5.5.5");
}

static void names(void **state)
{
    (void)state;
    static const char listed[] = "db.example.org, *.example.net [2001:db8::1]";
    assert_true(host_listed(listed, "db.example.org", 14));
    assert_true(host_listed(listed, "DB.Example.ORG", 14));
    assert_true(host_listed(listed, "a.example.net", 13));
    assert_true(host_listed(listed, "a.b.example.net", 15));
    assert_false(host_listed(listed, "example.net", 11));
    assert_false(host_listed(listed, "evilexample.net", 15));
    assert_false(host_listed(listed, "db.example.org.evil.com", 23));
    assert_false(host_listed(listed, "db.example.or", 13));
    assert_false(host_listed("", "x", 1));
    assert_true(host_listed("*", "x", 1));
}

static void origins(void **state)
{
    (void)state;
    static const char listed[] = "https://app.example https://*.example.org http://*.local:8080";
    static const char *const good[] = {"https://app.example", "https://a.example.org",
                                       "https://a.b.example.org", "http://x.local:8080"};
    static const char *const bad[] = {
        "http://app.example",
        "https://app.example.evil.com",
        "https://app.example:8443",
        "https://example.org",
        "https://.example.org.evil.com",
        "http://a.example.org",
        "https://evilexample.org",
        "https://evil.com/.example.org",
        "https://evil.com#.example.org",
        "https://evil.com:80.example.org",
        "https://x@.example.org",
        "http://x.local",
        "http://x.local:80801",
        "null",
        "",
        "https://",
        "*",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!cors_listed(listed, good[i]))
            fail_msg("%s was refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cors_listed(listed, bad[i]))
            fail_msg("%s was let in", bad[i]);
    assert_true(cors_listed("*", "https://anything.example"));
    assert_false(cors_listed("", "https://anything.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_is_the_last_that_is_not_ours),
        cmocka_unit_test(what_is_no_address_ends_it),
        cmocka_unit_test(names),
        cmocka_unit_test(origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
