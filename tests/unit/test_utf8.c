/* UTF-8 in pieces: however a text is cut, it is taken or refused as a whole, and what is wrong
 * shows at the byte that makes it so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"

/* How many bytes are taken before one is refused; n when all are. */
static size_t taken(const char *p, size_t n, bool *whole)
{
    utf8_stream u = {0};
    size_t i = 0;
    while (i < n && utf8_feed(&u, p + i, 1))
        i++;
    *whole = utf8_whole(&u);
    return i;
}

static void test_every_cut(void **state)
{
    (void)state;
    static const char text[] =
        "\xce\xba\xe1\xbd\xb9 plain text between \xf4\x8f\xbf\xbf\xef\xbf\xbf"
        "\xed\x9f\xbf\xf0\x90\x80\x80\xe0\xa0\x80\xc2\x80";
    size_t n = sizeof text - 1;
    for (size_t a = 0; a <= n; a++) {
        for (size_t b = a; b <= n; b++) {
            utf8_stream u = {0};
            assert_true(utf8_feed(&u, text, a) && utf8_feed(&u, text + a, b - a));
            assert_int_equal(utf8_whole(&u), utf8_valid(text, b) == b);
            assert_true(utf8_feed(&u, text + b, n - b) && utf8_whole(&u));
        }
    }
}

static void test_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t taken; /* bytes before the one that is refused */
    } cases[] = {
        {"\x80", 0},         {"\xc0\x80", 0},      {"\xc1\xbf", 0},     {"\xfe", 0},
        {"\xff", 0},         {"\xf5\x80", 0},      {"\xe0\x9f\x80", 1}, {"\xed\xa0\x80", 1},
        {"\xed\xbf\xbf", 1}, {"\xf0\x8f\x80", 1},  {"\xf4\x90\x80", 1}, {"\xc2\x41", 1},
        {"\xe1\x80\xc0", 2}, {"\xf1\x80\x80z", 3}, {"abc\xe2\x82 ", 5},
    };
    bool whole;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(taken(cases[i].text, strlen(cases[i].text), &whole), cases[i].taken);
}

/* Agrees with the check of a whole text on everything two to four bytes can be. */
static void test_agrees(void **state)
{
    (void)state;
    static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                          0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                          0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF};
    enum { N = sizeof edges };
    for (int i = 0; i < N * N * N * N; i++) {
        char text[4];
        for (int k = 0, rest = i; k < 4; k++, rest /= N)
            text[k] = (char)edges[rest % N];
        bool whole;
        bool ok = taken(text, 4, &whole) == 4 && whole;
        assert_int_equal(ok, utf8_valid(text, 4) == 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
