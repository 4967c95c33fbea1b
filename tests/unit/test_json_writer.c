/* The JSON writer: escapes, UTF-8 repair, numbers that read back. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "json/writer.h"

static void expect(const char *want, void (*write)(json_writer *))
{
    buf b = BUF_INIT;
    json_writer w;
    jw_init(&w, &b);
    write(&w);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void nested(json_writer *w)
{
    jw_begin_object(w);
    jw_key(w, "a");
    jw_begin_array(w);
    jw_int(w, INT64_MIN);
    jw_int(w, INT64_MAX);
    jw_uint(w, UINT64_MAX);
    jw_bool(w, true);
    jw_null(w);
    jw_begin_object(w);
    jw_end_object(w);
    jw_end_array(w);
    jw_keyn(w, "k\"y", 3);
    jw_str(w, NULL);
    jw_end_object(w);
}

static void test_nesting(void **state)
{
    (void)state;
    expect("{\"a\":[-9223372036854775808,9223372036854775807,18446744073709551615,true,null,{}],"
           "\"k\\\"y\":null}",
           nested);
}

static void strings(json_writer *w)
{
    jw_strn(w, "q\"\\\n\t\x01\0x", 8);
}

static void broken_utf8(json_writer *w)
{
    jw_begin_array(w);
    jw_str(w, "ok \xC3\xA9 \xF0\x9F\x98\x80");
    jw_str(w, "\xC0\xAF");         /* overlong */
    jw_str(w, "\xED\xA0\x80");     /* surrogate */
    jw_str(w, "a\xE2\x82");        /* cut */
    jw_str(w, "\xF4\x90\x80\x80"); /* above U+10FFFF */
    jw_end_array(w);
}

static void test_strings(void **state)
{
    (void)state;
    expect("\"q\\\"\\\\\\n\\t\\u0001\\u0000x\"", strings);
#define R "\xEF\xBF\xBD"
    expect("[\"ok \xC3\xA9 \xF0\x9F\x98\x80\",\"" R R "\",\"" R R R "\",\"a" R R "\",\"" R R R R
           "\"]",
           broken_utf8);
}

static void check_real(double v, const char *want)
{
    char text[40];
    size_t n = json_format_real(v, text);
    text[n] = '\0';
    if (want)
        assert_string_equal(text, want);
    double back = strtod(text, NULL);
    assert_memory_equal(&back, &v, sizeof v);
    assert_true(strpbrk(text, ".e") != NULL);
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_true(json_is_real(j));
    json_decref(j);
}

static void test_reals(void **state)
{
    (void)state;
    check_real(0.0, "0.0");
    check_real(-0.0, "-0.0");
    check_real(1.0, "1.0");
    check_real(0.1, "0.1");
    check_real(-12.5, "-12.5");
    check_real(0.3, "0.3");
    check_real(0.1 + 0.2, "0.30000000000000004");
    check_real(1e15, "1e+15");
    check_real(123456.789, "123456.789");
    check_real(0.001, "0.001");
    check_real(5e-324, "5e-324");
    check_real(1.5e-320, "1.5e-320");
    check_real(DBL_MAX, NULL);
    check_real(DBL_MIN, NULL);
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double v;
        memcpy(&v, &x, sizeof v);
        if (isfinite(v))
            check_real(v, NULL);
        check_real((double)(int64_t)(x >> 40) / 1000.0, NULL);
    }
}

static void odd_values(json_writer *w)
{
    jw_begin_array(w);
    jw_real(w, INFINITY);
    jw_real(w, -INFINITY);
    jw_real(w, NAN);
    jw_base64(w, "", 0);
    jw_base64(w, "a", 1);
    jw_base64(w, "ab", 2);
    jw_base64(w, "abc\xFF", 4);
    jw_end_array(w);
}

static void test_odd_values(void **state)
{
    (void)state;
    expect("[{\"$real\":\"Infinity\"},{\"$real\":\"-Infinity\"},null,{\"$base64\":\"\"},"
           "{\"$base64\":\"YQ==\"},{\"$base64\":\"YWI=\"},{\"$base64\":\"YWJj/w==\"}]",
           odd_values);
}

static void test_limit_and_memory(void **state)
{
    (void)state;
    buf b = {.limit = 16};
    json_writer w;
    jw_init(&w, &b);
    jw_str(&w, "longer than sixteen bytes");
    assert_true(b.failed);
    assert_true(b.len <= 16);
    buf_free(&b);
    for (unsigned long n = 1; n < 20; n++) {
        buf c = BUF_INIT;
        jw_init(&w, &c);
        mem_fail_nth(n);
        for (int i = 0; i < 100; i++)
            jw_base64(&w, "0123456789", 10);
        bool all_made = mem_fail_nth(0) < n;
        assert_true(c.failed != all_made);
        buf_free(&c);
        if (all_made)
            return;
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_limit_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
