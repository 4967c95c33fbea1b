/* JSON slices, parameters and text for terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "cli/cell.h"
#include "cli/param.h"
#include "cli/problem.h"
#include "cli/scan.h"
#include "cli/text.h"

static scan_text scan(const char *s)
{
    return scan_value(s, strlen(s));
}

static void values_are_slices(void **state)
{
    (void)state;
    scan_items it;
    scan_text v, key;
    const char *numbers[] = {"9223372036854775807", "1e+100", "-0.0"};
    assert_true(scan_enter(&it, scan(" [ 9223372036854775807 ,1e+100, -0.0 ] ")));
    for (int i = 0; i < 3; i++) {
        assert_true(scan_next(&it, NULL, &v));
        assert_int_equal(v.n, strlen(numbers[i]));
        assert_memory_equal(v.p, numbers[i], v.n);
        assert_int_equal(scan_kind_of(v), SCAN_NUMBER);
    }
    assert_false(scan_next(&it, NULL, &v));
    assert_false(it.failed);
    assert_true(scan_enter(&it, scan("{\"a\\\"}\":{\"b\":[1,{}]},\"c\":\"]}\"}")));
    assert_true(scan_next(&it, &key, &v));
    assert_int_equal(v.n, strlen("{\"b\":[1,{}]}"));
    assert_true(scan_next(&it, &key, &v));
    assert_true(scan_is(key, "c") && scan_is(v, "]}"));
    assert_false(scan_next(&it, &key, &v));
    assert_false(it.failed);
    assert_true(scan_member(scan("{\"x\":null,\"y\":7}"), "y", &v));
    assert_false(scan_member(scan("{\"x\":null,\"y\":7}"), "z", &v));
}

static void broken_text_fails(void **state)
{
    (void)state;
    const char *broken[] = {"[1,]",      "[1 2]",    "[,1]", "[1,\"x]",
                            "{\"a\" 1}", "{\"a\":}", "[[1]", "{1:2}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        scan_items it;
        scan_text v = {broken[i], strlen(broken[i])};
        scan_enter(&it, v);
        while (scan_next(&it, NULL, &v)) {
        }
        if (!it.failed)
            fail_msg("%s was taken", broken[i]);
    }
    assert_int_equal(scan("").n, 0);
    assert_int_equal(scan("1 2").n, 0);
    assert_int_equal(scan("[1").n, 0);
    assert_int_equal(scan("\"a\\").n, 0);
}

static void strings_are_decoded(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    assert_true(scan_unquote(&b, scan("\"a\\n\\\"\\\\\\/\\u00e9\\ud83d\\ude00\\ud800x€\"")));
    assert_string_equal(buf_cstr(&b), "a\n\"\\/é😀\xEF\xBF\xBDx€");
    assert_false(scan_unquote(&b, scan("\"\\q\"")));
    assert_false(scan_unquote(&b, scan("\"\\u12\"")));
    assert_false(scan_unquote(&b, scan("12")));
    buf_free(&b);
}

static void numbers_follow_the_grammar(void **state)
{
    (void)state;
    const char *good[] = {"0", "-1", "10.50", "1e9", "1E-2", "-0.1e+5"};
    const char *bad[] = {"", "-", "007", "1.", ".5", "+1", "1e", "0x1", "1 ", "NaN", "1_0", "-a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(scan_is_number(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(scan_is_number(bad[i], strlen(bad[i])));
}

static void parameters_become_json(void **state)
{
    (void)state;
    const char *words[] = {"1", "DE", "true", "True", "null", "", "007", "1.50", "say \"hi\"\n"};
    buf b = BUF_INIT;
    error e;
    assert_true(param_array(&b, (char **)(void *)words, 9, &e));
    assert_string_equal(buf_cstr(&b), "[1,\"DE\",true,\"True\",null,\"\",\"007\",1.50,"
                                      "\"say \\\"hi\\\"\\n\"]");
    buf_clear(&b);
    assert_true(param_named(&b, true, "n=5", &e));
    assert_true(param_named(&b, false, ":t=a=b", &e));
    assert_string_equal(buf_cstr(&b), "\"n\":5,\"t\":\"a=b\"");
    assert_false(param_named(&b, false, "n", &e));
    assert_false(param_named(&b, false, "=5", &e));
    assert_false(param_named(&b, false, ":=5", &e));
    assert_false(param_named(&b, false, "", &e));
    assert_false(param_value(&b, "\xff", &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    buf_free(&b);
}

static void widths_are_those_of_the_screen(void **state)
{
    (void)state;
    assert_int_equal(text_width("abc", 3), 3);
    assert_int_equal(text_width("Côte", 5), 4);
    assert_int_equal(text_width("日本", 6), 4);
    assert_int_equal(text_width("e\xCC\x81", 3), 1); /* a combining accent */
    assert_int_equal(text_width("\xff\xfe", 2), 2);
}

static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    int width = text_printable(&b, "a\tb\n\x1b[31mé\x7f\xc2\x9b\xe2\x80\xae\xff", 18);
    assert_string_equal(buf_cstr(&b), "a\\tb\\n\\x1b[31mé\\x7f\\x9b\\u{202e}\xEF\xBF\xBD");
    assert_int_equal(width, text_width(b.data, b.len));
    buf_free(&b);
    assert_false(text_valid_utf8("\xed\xa0\x80", 3));
    assert_false(text_valid_utf8("\xc0\xaf", 2));
    assert_false(text_valid_utf8("\xf4\x90\x80\x80", 4));
    assert_true(text_valid_utf8("\xef\xbf\xbd\xf0\x9f\x98\x80", 7));
}

static void cells_have_a_text(void **state)
{
    (void)state;
    const struct {
        const char *json, *text;
        cell_kind kind;
    } cases[] = {
        {"null", "", CELL_NULL},
        {"0.1", "0.1", CELL_NUMBER},
        {"9223372036854775807", "9223372036854775807", CELL_NUMBER},
        {"{\"$real\":\"-Infinity\"}", "-Infinity", CELL_NUMBER},
        {"\"x\\ty\"", "x\ty", CELL_TEXT},
        {"{\"$base64\":\"AP8Q\"}", "x'00ff10'", CELL_BLOB},
        {"{\"$base64\":\"AA==\"}", "x'00'", CELL_BLOB},
        {"{\"$base64\":\"\"}", "x''", CELL_BLOB},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b = BUF_INIT;
        cell c = cell_of(scan(cases[i].json));
        cell_text(&c, &b);
        assert_int_equal(c.kind, cases[i].kind);
        assert_string_equal(buf_cstr(&b), cases[i].text);
        buf_free(&b);
    }
}

static void problems_become_errors(void **state)
{
    (void)state;
    error e;
    assert_true(
        problem_read(scan("{\"type\":\"about:blank\",\"title\":\"t\",\"status\":400,\"code\":"
                          "\"QUERY_ERROR\",\"detail\":\"near \\\"x\\\"\",\"position\":7,"
                          "\"hint\":\"look\"}"),
                     400, &e));
    assert_int_equal(e.code, ERR_QUERY_ERROR);
    assert_string_equal(e.message, "near \"x\"");
    assert_string_equal(e.hint, "look");
    assert_int_equal(e.position, 7);
    assert_true(
        problem_read(scan("{\"code\":\"GAP\",\"message\":\"gone\",\"oldest\":100}"), 0, &e));
    assert_int_equal(e.code, ERR_GAP);
    assert_int_equal(e.detail, 100);
    assert_true(problem_read(scan("{\"code\":\"OF_TOMORROW\",\"detail\":\"x\"}"), 403, &e));
    assert_int_equal(error_describe(e.code)->exit_code, 4);
    assert_false(problem_read(scan("{}"), 500, &e));
    problem_of_status(404, &e);
    assert_int_equal(error_describe(e.code)->exit_code, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_slices),
        cmocka_unit_test(broken_text_fails),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(numbers_follow_the_grammar),
        cmocka_unit_test(parameters_become_json),
        cmocka_unit_test(widths_are_those_of_the_screen),
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(cells_have_a_text),
        cmocka_unit_test(problems_become_errors),
    };
    return cmocka_run_group_tests_name("cli_text", tests, NULL, NULL);
}
