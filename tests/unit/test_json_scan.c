/* The incremental scanner: the same elements and the same errors wherever the input is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "json/scan.h"

enum { MAX_ELEMENT = 64 };

/* Takes what there is until more is needed; each element is written down with a '|' behind it. */
static scan_result drain(json_scan *s, buf *out, error *e)
{
    const char *text;
    size_t n;
    scan_result r;
    while ((r = json_scan_next(s, &text, &n, e)) == SCAN_ELEMENT) {
        buf_add(out, text, n);
        buf_addc(out, '|');
    }
    return r;
}

/* Feeds a copy in memory of its own, so that reading outside of it, or later, is found. */
static scan_result feed_copy(json_scan *s, const char *p, size_t n, buf *out, error *e)
{
    char *piece = malloc(n ? n : 1);
    assert_non_null(piece);
    memcpy(piece, p, n);
    json_scan_feed(s, piece, n);
    scan_result r = drain(s, out, e);
    free(piece);
    return r;
}

/* Scans a document in pieces that end at `cuts` (n of them, ascending), then its end. The elements,
 * then "END" or the error. */
static void scan_cut(scan_mode mode, const char *pointer, const char *doc, size_t length,
                     const size_t *cuts, int n, buf *out)
{
    json_scan s;
    error e;
    if (!json_scan_init(&s, mode, pointer, MAX_ELEMENT, &e)) {
        buf_adds(out, e.message);
        return;
    }
    scan_result r = SCAN_MORE;
    size_t at = 0;
    for (int i = 0; i <= n && r == SCAN_MORE; i++) {
        size_t end = i < n ? cuts[i] : length;
        r = feed_copy(&s, doc + at, end - at, out, &e);
        at = end;
    }
    if (r == SCAN_MORE) {
        json_scan_finish(&s);
        r = drain(&s, out, &e);
    }
    assert_int_not_equal(r, SCAN_MORE);
    buf_adds(out, r == SCAN_END ? "END" : e.message);
    json_scan_free(&s);
}

/* Whole, in two pieces at every place, and byte by byte: always the same. */
static void scans_n(scan_mode mode, const char *pointer, const char *doc, size_t length,
                    const char *want)
{
    buf out = BUF_INIT;
    scan_cut(mode, pointer, doc, length, NULL, 0, &out);
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("%s\n gives  %s\n not    %s", doc, buf_cstr(&out), want);
    for (size_t cut = 0; cut <= length; cut++) {
        buf_clear(&out);
        scan_cut(mode, pointer, doc, length, &cut, 1, &out);
        if (strcmp(buf_cstr(&out), want) != 0)
            fail_msg("%s cut at %zu\n gives  %s\n not    %s", doc, cut, buf_cstr(&out), want);
    }
    size_t cuts[512] = {0};
    assert_true(length <= 512);
    for (size_t i = 0; i < length; i++)
        cuts[i] = i;
    buf_clear(&out);
    scan_cut(mode, pointer, doc, length, cuts, (int)length, &out);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

static void array(const char *pointer, const char *doc, const char *want)
{
    scans_n(SCAN_ARRAY, pointer, doc, strlen(doc), want);
}

static void lines(const char *doc, const char *want)
{
    scans_n(SCAN_LINES, NULL, doc, strlen(doc), want);
}

static void elements_are_given_as_they_stand(void **state)
{
    (void)state;
    array("", "[]", "END");
    array("", " [ 1 , -2.5e+3,0,\"a,]\\\"}\", true ,false,null ] \n",
          "1|-2.5e+3|0|\"a,]\\\"}\"|true|false|null|END");
    array("", "[{\"a\": [1, {}]}, [ [ ] ],{}]", "{\"a\": [1, {}]}|[ [ ] ]|{}|END");
    array("", "\xEF\xBB\xBF[1]", "1|END");
    array("", "[\"\\u00e9\\\\\",\"\xc3\xa9\"]", "\"\\u00e9\\\\\"|\"\xc3\xa9\"|END");
}

static void pointers_lead_to_the_array(void **state)
{
    (void)state;
    array("/a", "{\"b\":[9],\"a\":[1,2],\"c\":[3]}", "1|2|END");
    array("/a/b", "{\"b\":[9],\"a\":{\"a\":[8],\"b\":[1]},\"x\":{\"b\":[7]}}", "1|END");
    array("/1/x", "[{\"x\":[0]},{\"x\":[1]},{\"x\":[2]}]", "1|END");
    array("/3166-1", "{\"3166-1\":[{\"a\":1}]}", "{\"a\":1}|END");
    array("/a~1b/~0", "{\"a/b\":{\"~\":[1]}}", "1|END");
    array("/", "{\"\":[1]}", "1|END");
    array("/\xc3\xa9/\xf0\x9f\x98\x80", "{\"\\u00E9\":{\"\\ud83d\\ude00\":[1]}}", "1|END");
    array("/a\n", "{\"a\\n\":[1]}", "1|END");
    array("/ab", "{\"a\":[2],\"abc\":[3],\"ab\":[1]}", "1|END");
    array("/0/0", "[[[1],[2]],[[3]]]", "1|END");
}

static void pointers_that_lead_nowhere(void **state)
{
    (void)state;
    array("/x", "{\"a\":[1]}", "there is no array at /x, at line 1 (byte 9)");
    array("/01", "[[1],[2]]", "there is no array at /01, at line 1 (byte 9)");
    array("/a/b", "{\"a\":1}", "there is no array at /a/b, at line 1 (byte 7)");
    array("/a", "{\"a\":\n{\"x\":1}}", "the value at /a is not an array, at line 2 (byte 6)");
    array("", "{}", "the value at the top is not an array, at line 1 (byte 0)");
    array("", "12", "the value at the top is not an array, at line 1 (byte 0)");
    array("/a", "{\"a\":[1],\"a\":[2]}", "1|there are two values at /a, at line 1 (byte 13)");
    array("/\xc3\xa9", "{\"\\ud83d\":[1]}", "there is no array at /\xc3\xa9, at line 1 (byte 14)");
    array("/x\xf0\x9f\x98\x80", "{\"\\ud83dx\\ude00\":[1]}",
          "there is no array at /x\xf0\x9f\x98\x80, at line 1 (byte 21)");
    array("a", "[]", "\"a\" is not a JSON pointer");
    array("/~2", "[]", "\"/~2\" is not a JSON pointer");
    array("/a~", "[]", "\"/a~\" is not a JSON pointer");
}

static void what_is_cut_short_is_found(void **state)
{
    (void)state;
    const char *early = "the JSON ends too early, at line 1 (byte 0)";
    array("", "", early);
    array("", "[1,\n2", "1|the JSON ends too early, at line 2 (byte 5)");
    array("", "[1", "the JSON ends too early, at line 1 (byte 2)");
    array("", "[1,[2]", "1|[2]|the JSON ends too early, at line 1 (byte 6)");
    array("", "[\"a", "the JSON ends too early, at line 1 (byte 3)");
    array("/b", "{\"a\":tr", "the JSON ends too early, at line 1 (byte 7)");
}

static void damage_is_found_and_placed(void **state)
{
    (void)state;
    array("", "[1,]", "1|a JSON value is missing, at line 1 (byte 3)");
    array("", "[,1]", "a JSON value is missing, at line 1 (byte 1)");
    array("", "[1 2]", "1|a , or ] is missing, at line 1 (byte 3)");
    array("", "[1}", "1|a } closes an array, at line 1 (byte 2)");
    array("", "[1] x", "1|something stands behind the end of the JSON, at line 1 (byte 4)");
    array("", "[tru]", "a JSON value is missing, at line 1 (byte 4)");
    array("", "[nulll]", "null|a , or ] is missing, at line 1 (byte 5)");
    array("", "[01]", "a number is malformed, at line 1 (byte 2)");
    array("", "[1.]", "a number is malformed, at line 1 (byte 3)");
    array("", "[-]", "a number is malformed, at line 1 (byte 2)");
    array("", "[1e]", "a number is malformed, at line 1 (byte 3)");
    array("", "[+1]", "a JSON value is missing, at line 1 (byte 1)");
    array("", "[\"\\x\"]", "there is no such escape in JSON, at line 1 (byte 3)");
    array("", "[\"\\u12g4\"]", "\\u needs four hexadecimal digits, at line 1 (byte 6)");
    array("", "[\"\n\"]", "a control character stands in a string, at line 1 (byte 2)");
    array("/a", "{\"b\":{\"c\" 1}}", "a : is missing, at line 1 (byte 10)");
    array("/a", "{\"b\":1,}", "a member's name is missing, at line 1 (byte 7)");
    array("/a", "{b:1}", "a member's name is missing, at line 1 (byte 1)");
    array("/a", "{\"b\":[1}", "a } closes an array, at line 1 (byte 7)");
    array("", "\xEF\xBB[1]", "a JSON value is missing, at line 1 (byte 2)");
}

static void depth_is_limited(void **state)
{
    (void)state;
    char doc[JSON_MAX_DEPTH + 2];
    memset(doc, '[', sizeof doc - 1);
    doc[sizeof doc - 1] = '\0';
    buf out = BUF_INIT;
    scan_cut(SCAN_ARRAY, "", doc, strlen(doc), NULL, 0, &out);
    assert_string_equal(buf_cstr(&out), "the JSON is nested too deeply, at line 1 (byte 100)");
    buf_free(&out);
}

static void elements_are_bounded(void **state)
{
    (void)state;
    char doc[128];
    /* 62 letters and two quotes just fit. */
    snprintf(doc, sizeof doc, "[1,\n\"%062d\"]", 0);
    buf want = BUF_INIT;
    buf_addf(&want, "1|\"%062d\"|END", 0);
    array("", doc, buf_cstr(&want));
    buf_free(&want);
    snprintf(doc, sizeof doc, "[1,\n\"%063d\"]", 0);
    array("", doc, "1|element 2 is larger than 64 bytes, at line 2 (byte 4)");
    snprintf(doc, sizeof doc, "[1]\n%065d\n", 0);
    lines(doc, "[1]|element 2 is larger than 64 bytes, at line 2 (byte 4)");
}

static void lines_are_elements(void **state)
{
    (void)state;
    lines("", "END");
    lines("{\"a\":1}\n[2]\n3\n", "{\"a\":1}|[2]|3|END");
    lines("\xEF\xBB\xBF{}\r\n\r\n \t\n  {} \n\n{}", "{}|{}|{}|END");
    lines("\n\n", "END");
    lines("1\n2", "1|2|END");
}

static void nul_bytes_are_no_white_space(void **state)
{
    (void)state;
    scans_n(SCAN_ARRAY, "", "[1,\0]", 5, "1|a JSON value is missing, at line 1 (byte 3)");
    scans_n(SCAN_ARRAY, "", "[\"\\\0\"]", 6, "there is no such escape in JSON, at line 1 (byte 3)");
}

static void an_error_stays(void **state)
{
    (void)state;
    json_scan s;
    error e;
    const char *text;
    size_t n;
    assert_true(json_scan_init(&s, SCAN_ARRAY, "", MAX_ELEMENT, &e));
    json_scan_feed(&s, "[x", 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(json_scan_next(&s, &text, &n, &e), SCAN_ERROR);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_int_equal(e.position, 1);
    }
    json_scan_free(&s);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    json_scan s;
    error e;
    const char *text;
    size_t n;
    mem_fail_nth(1);
    assert_false(json_scan_init(&s, SCAN_ARRAY, "/a", MAX_ELEMENT, &e));
    mem_fail_nth(0);
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    assert_true(json_scan_init(&s, SCAN_ARRAY, "", MAX_ELEMENT, &e));
    json_scan_feed(&s, "[\"abc", 5);
    mem_fail_nth(1);
    assert_int_equal(json_scan_next(&s, &text, &n, &e), SCAN_ERROR);
    mem_fail_nth(0);
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    json_scan_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_given_as_they_stand),
        cmocka_unit_test(pointers_lead_to_the_array),
        cmocka_unit_test(pointers_that_lead_nowhere),
        cmocka_unit_test(what_is_cut_short_is_found),
        cmocka_unit_test(damage_is_found_and_placed),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(elements_are_bounded),
        cmocka_unit_test(lines_are_elements),
        cmocka_unit_test(nul_bytes_are_no_white_space),
        cmocka_unit_test(an_error_stays),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests_name("json_scan", tests, NULL, NULL);
}
