/* Pieces of a JSON text without a tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "json/read.h"
#include "json/slice.h"

static bool good(const char *text)
{
    json_slice value;
    error e;
    error_clear(&e);
    bool ok = json_slice_text(text, strlen(text), &value, &e);
    if (!ok)
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    return ok;
}

static void the_grammar_is_rfc_8259s(void **state)
{
    (void)state;
    static const char *const right[] = {
        "0",
        "-0",
        "10.25e-3",
        "1E+5",
        "\"\"",
        "\"\\u00e9\\n\\/\"",
        "true",
        "false",
        "null",
        "[]",
        "{}",
        " [1 , 2] ",
        "{\"a\":[{}]}",
        "\"\\ud800\"",
        "\"\xf0\x9f\x98\x80\"",
        "1e400",
        "123456789012345678901234567890",
    };
    static const char *const malformed[] = {
        "",         " ",          "01",        "+1",     "1.",      ".5",          "1e",
        "-",        "tru",        "nul",       "[1,]",   "[1 2]",   "{\"a\"}",     "{\"a\":}",
        "{a:1}",    "{\"a\":1,}", "\"",        "\"\\\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"",
        "[",        "{",          "]",         "1 1",    "[]]",     "'a'",         "\"\xff\"",
        "\"\\u123", "NaN",        "[\"a\":1]",
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        if (!good(right[i]))
            fail_msg("%s was refused", right[i]);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        if (good(malformed[i]))
            fail_msg("%s passed", malformed[i]);
    }
}

/* What both know is judged alike by the reader that makes a tree. */
static void it_agrees_with_the_reader(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]:,\"\\u0a1e.- tn";
    unsigned seed = 7;
    for (int round = 0; round < 200000; round++) {
        char text[8];
        size_t n = 1 + (unsigned)round % 7;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        json_slice value;
        error e;
        bool ok = json_slice_text(text, n, &value, &e);
        json_t *tree = json_read_text(text, n, &e);
        if (tree && !ok)
            fail_msg("%.*s was refused", (int)n, text);
        if (ok && !tree && !strstr(e.message, "duplicate") && !strstr(e.message, "too large"))
            fail_msg("%.*s passed: %s", (int)n, text, e.message);
        json_decref(tree);
    }
}

static void depth_is_limited(void **state)
{
    (void)state;
    buf text = BUF_INIT;
    for (int depth = JSON_SLICE_DEPTH; depth <= JSON_SLICE_DEPTH + 1; depth++) {
        buf_clear(&text);
        for (int i = 0; i < depth; i++)
            buf_addc(&text, '[');
        for (int i = 0; i < depth; i++)
            buf_addc(&text, ']');
        assert_int_equal(good(buf_cstr(&text)), depth == JSON_SLICE_DEPTH);
    }
    buf_free(&text);
}

static void errors_say_where(void **state)
{
    (void)state;
    json_slice value;
    error e;
    assert_false(json_slice_text("[1,x]", 5, &value, &e));
    assert_int_equal(e.position, 3);
    assert_false(json_slice_text("[\"\xff\"]", 5, &value, &e));
    assert_int_equal(e.position, 2);
    assert_false(json_slice_text(NULL, 0, &value, &e));
    assert_int_equal(e.position, 0);
}

static void list_items(const char *text, char *out, size_t room)
{
    json_slice whole, name, value;
    error e;
    out[0] = '\0';
    assert_true(json_slice_text(text, strlen(text), &whole, &e));
    for (json_items at = json_items_of(whole); json_items_next(&at, &name, &value);) {
        size_t n = strlen(out);
        snprintf(out + n, room - n, "<%.*s|%.*s>", (int)name.n, name.n ? name.p : "", (int)value.n,
                 value.p);
    }
}

static void items_come_as_they_stand(void **state)
{
    (void)state;
    char out[200];
    list_items(" [ 1.50 , \"a,]\" ,[ ] , {\"b\" : 1} ] ", out, sizeof out);
    assert_string_equal(out, "<|1.50><|\"a,]\"><|[ ]><|{\"b\" : 1}>");
    list_items("{\"a\" : 1 , \"\\u0062\":[1,2],\"c\":{}}", out, sizeof out);
    assert_string_equal(out, "<\"a\"|1><\"\\u0062\"|[1,2]><\"c\"|{}>");
    list_items("[]", out, sizeof out);
    assert_string_equal(out, "");
    list_items("{ }", out, sizeof out);
    assert_string_equal(out, "");
    list_items("\"[1]\"", out, sizeof out);
    assert_string_equal(out, "");
}

static bool is(const char *string, const char *text)
{
    return json_slice_is((json_slice){string, strlen(string)}, text);
}

static void strings_are_compared_unescaped(void **state)
{
    (void)state;
    assert_true(is("\"id\"", "id"));
    assert_true(is("\"\\u0069\\u0064\"", "id"));
    assert_true(is("\"\\n\\\"\\/\"", "\n\"/"));
    assert_true(is("\"\"", ""));
    assert_false(is("\"id\"", "i"));
    assert_false(is("\"i\"", "id"));
    assert_false(is("\"i\xc3\xa9\"", "id"));
    assert_false(is("\"\\u0169d\"", "id"));
    assert_false(is("\"\\u0000\"", ""));
    assert_false(is("5", "5"));
    assert_false(is("", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_rfc_8259s),
        cmocka_unit_test(it_agrees_with_the_reader),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(items_come_as_they_stand),
        cmocka_unit_test(strings_are_compared_unescaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
