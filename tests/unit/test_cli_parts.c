/* Small parts of the command line: addresses, guesses at file formats, descriptions, progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/describe.h"
#include "cli/endpoint.h"
#include "cli/progress.h"
#include "cli/rest.h"
#include "cli/sniff.h"

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    const struct {
        const char *url, *base, *host;
        int port;
        bool tls, loopback;
    } cases[] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1", 8080, false, true},
        {"http://127.0.0.1:8080/", "http://127.0.0.1:8080", "127.0.0.1", 8080, false, true},
        {"db.example:99", "http://db.example:99", "db.example", 99, false, false},
        {"https://db.example", "https://db.example:443", "db.example", 443, true, false},
        {"https://h/at/here//", "https://h:443/at/here", "h", 443, true, false},
        {"http://[::1]:80", "http://[::1]:80", "::1", 80, false, true},
        {"http://127.evil.example", "http://127.evil.example:80", "127.evil.example", 80, false,
         false},
        {"unix:/run/db.sock", "http://localhost", "localhost", 80, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        endpoint ep;
        error e;
        assert_true(endpoint_resolve(&ep, &(cli_options){.url = cases[i].url, .token = "t"}, &e));
        assert_string_equal(ep.base, cases[i].base);
        assert_string_equal(ep.host, cases[i].host);
        assert_int_equal(ep.port, cases[i].port);
        assert_int_equal(ep.tls, cases[i].tls);
        assert_int_equal(ep.loopback, cases[i].loopback);
        assert_string_equal(ep.token, "t");
        endpoint_free(&ep);
    }
}

static void bad_addresses_are_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",           "ftp://x", "http://",    "http://a b",  "http://x:y",
                         "http://u@h", "unix:",   "http://h?q", "http://h:0x", "http://h:99999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        endpoint ep;
        error e;
        if (endpoint_resolve(&ep, &(cli_options){.url = bad[i]}, &e))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        endpoint_free(&ep);
    }
    endpoint ep;
    error e;
    assert_false(endpoint_resolve(&ep, &(cli_options){.token = "a\r\nX: y"}, &e));
    endpoint_free(&ep);
}

static void formats_are_guessed(void **state)
{
    (void)state;
    const struct {
        const char *name, *text, *format;
        bool at;
    } cases[] = {
        {"x.json", "a,b", "json"},
        {"x.JSONL", "", "jsonl"},
        {"x.ndjson", "", "jsonl"},
        {"x.csv", "[", "csv"},
        {"-", "\n [1]", "json"},
        {"-", "\xEF\xBB\xBF[]", "json"},
        {"-", "{\"a\":\"}\\\"\"}\n{\"a\":2}", "jsonl"},
        {"-", "{\"a\":{\"b\":1}}\n", "json"},
        {"-", "{\"a\":", "json"},
        {"-", "{\"a\":1}\n{\"a\":2}", "json", true},
        {"-", "a,b\n1,2", "csv"},
        {"x.txt", "", "csv"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(
            sniff_format(cases[i].name, cases[i].at, cases[i].text, strlen(cases[i].text)),
            cases[i].format);
}

static void objects_are_described(void **state)
{
    (void)state;
    const char *json =
        "{\"connections\":3,\"uptime_seconds\":5,\"none\":{},\"by_topic\":{\"a\\u001b\":1,"
        "\"longer\":null},\"limits\":{\"x\":1},\"list\":[1,{\"k\":\"v\"}],\"version\":"
        "\"0.1\"}";
    const char *const skip[] = {"limits", NULL};
    buf b = BUF_INIT;
    describe_object(&b, scan_value(json, strlen(json)), 2, skip);
    assert_string_equal(buf_cstr(&b), "  connections  3\n"
                                      "  uptime       5 s\n"
                                      "  version      0.1\n"
                                      "  by topic\n"
                                      "    a\\x1b   1\n"
                                      "    longer  -\n"
                                      "  list\n"
                                      "    1\n"
                                      "    {\"k\":\"v\"}\n");
    buf_free(&b);
}

static void progress_says_how_far(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    progress p = {.label = "t", .total = 4 << 20, .done = 1 << 20};
    progress_line(&p, 500000, 80, &b);
    assert_string_equal(buf_cstr(&b), "t #######.......................  25% 1.0 MiB, 2.0 MiB/s");
    buf_clear(&b);
    p.total = -1;
    progress_line(&p, 0, 80, &b);
    assert_string_equal(buf_cstr(&b), "t 1.0 MiB");
    buf_free(&b);
}

static void paths_are_escaped(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    rest_escape(&b, "a b/c?d&é~");
    assert_string_equal(buf_cstr(&b), "a%20b%2Fc%3Fd%26%C3%A9~");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart), cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(formats_are_guessed),       cmocka_unit_test(objects_are_described),
        cmocka_unit_test(progress_says_how_far),     cmocka_unit_test(paths_are_escaped),
    };
    return cmocka_run_group_tests_name("cli_parts", tests, NULL, NULL);
}
