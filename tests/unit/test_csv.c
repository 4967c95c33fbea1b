/* The incremental CSV reader: the same records and the same errors wherever the input is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/csv.h"
#include "base/mem.h"
#include "base/utf8.h"

enum { MAX_RECORD = 64 };

/* Records as "[a][b];", quoted fields as "<a>". */
static csv_result drain(csv_reader *c, buf *out, error *e)
{
    csv_result r;
    while ((r = csv_next(c, e)) == CSV_RECORD) {
        for (int i = 0; i < c->n_fields; i++) {
            buf_addc(out, c->fields[i].quoted ? '<' : '[');
            buf_add(out, c->fields[i].p, c->fields[i].len);
            buf_addc(out, c->fields[i].quoted ? '>' : ']');
        }
        buf_addc(out, ';');
    }
    return r;
}

/* In memory of its own, so that reading outside of it, or later, is found. */
static csv_result feed_copy(csv_reader *c, const char *p, size_t n, buf *out, error *e)
{
    char *piece = malloc(n ? n : 1);
    assert_non_null(piece);
    memcpy(piece, p, n);
    csv_feed(c, piece, n);
    csv_result r = drain(c, out, e);
    free(piece);
    return r;
}

static void read_cut(const char *doc, size_t length, const size_t *cuts, int n, buf *out)
{
    csv_reader c;
    error e;
    csv_init(&c, ',', MAX_RECORD);
    csv_result r = CSV_MORE;
    size_t at = 0;
    for (int i = 0; i <= n && r == CSV_MORE; i++) {
        size_t end = i < n ? cuts[i] : length;
        r = feed_copy(&c, doc + at, end - at, out, &e);
        at = end;
    }
    if (r == CSV_MORE) {
        csv_finish(&c);
        r = drain(&c, out, &e);
    }
    assert_int_not_equal(r, CSV_MORE);
    buf_adds(out, r == CSV_END ? "END" : e.message);
    csv_free(&c);
}

/* Whole, in two pieces at every place, and byte by byte: always the same. */
static void reads_n(const char *doc, size_t length, const char *want)
{
    buf out = BUF_INIT;
    read_cut(doc, length, NULL, 0, &out);
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("%s\n gives  %s\n not    %s", doc, buf_cstr(&out), want);
    for (size_t cut = 0; cut <= length; cut++) {
        buf_clear(&out);
        read_cut(doc, length, &cut, 1, &out);
        if (strcmp(buf_cstr(&out), want) != 0)
            fail_msg("%s cut at %zu\n gives  %s\n not    %s", doc, cut, buf_cstr(&out), want);
    }
    size_t cuts[256] = {0};
    assert_true(length <= 256);
    for (size_t i = 0; i < length; i++)
        cuts[i] = i;
    buf_clear(&out);
    read_cut(doc, length, cuts, (int)length, &out);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

static void reads(const char *doc, const char *want)
{
    reads_n(doc, strlen(doc), want);
}

static void plain_records(void **state)
{
    (void)state;
    reads("", "END");
    reads("a,b\n1,2\n3,4\n", "[a][b];[1][2];[3][4];END");
    reads("a,b\r\n1,2\r\n3,4", "[a][b];[1][2];[3][4];END");
    reads("a\n1", "[a];[1];END");
    reads("a,b\n,\n1,\n,2", "[a][b];[][];[1][];[][2];END");
    reads("a,b\n 1 ,\t2\n", "[a][b];[ 1 ][\t2];END");
    reads("a\n1\r", "[a];[1];END");
}

static void quoted_fields(void **state)
{
    (void)state;
    reads("\"a\",b\n\"1,2\",\"\"\n", "<a>[b];<1,2><>;END");
    reads("a\n\"x\"\"y\"\n\"\"\"\"\n", "[a];<x\"y>;<\">;END");
    reads("a,b\n\"1\n2\r\n3\",4\r\n5,6", "[a][b];<1\n2\r\n3>[4];[5][6];END");
    reads("a\n\"\"", "[a];<>;END");
    reads("a\n\"1\"\r\n", "[a];<1>;END");
}

static void blank_lines_are_passed_over(void **state)
{
    (void)state;
    reads("\r\n\na,b\n\n1,2\r\n\r\n\n", "[a][b];[1][2];END");
    reads("\r", "END");
}

static void byte_order_marks(void **state)
{
    (void)state;
    reads("\xEF\xBB\xBF\"a\",b\n1,2\n", "<a>[b];[1][2];END");
    reads("\xEF\xBC\x81,b\n1,2\n", "[\xEF\xBC\x81][b];[1][2];END");
    reads("\xEF\xBB\xBE,b\n1,2\n", "[\xEF\xBB\xBE][b];[1][2];END");
    reads("\xEF\xBB\xBF", "END");
    reads("\xEF", "field 1 is not valid UTF-8, at line 1");
}

static void broken_rules_are_placed(void **state)
{
    (void)state;
    reads("a,b\n1\n", "[a][b];a record has 1 field where the header has 2, at line 2");
    reads("a\n\"1\n2\"\n1,2\n",
          "[a];<1\n2>;a record has 2 fields where the header has 1, at line 4");
    reads("a\n1\"2\n", "[a];a quote stands inside a field that does not begin with one, at line 2");
    reads("a\n\"1\"2\n",
          "[a];something stands between a closing quote and the next separator, at line 2");
    reads("a\n\"1\n2\n", "[a];a quote is not closed in the record that begins, at line 2");
    reads("a\n1\r2\n", "[a];a carriage return stands outside of quotes and before no line end, at "
                       "line 2");
    reads("a\n\n\xC3\n", "[a];field 1 is not valid UTF-8, at line 3");
    /* Two halves of a character in neighbouring fields. */
    reads("a,b\n\xC3,\xA9\n", "[a][b];field 1 is not valid UTF-8, at line 2");
}

static void records_are_bounded(void **state)
{
    (void)state;
    char doc[256], want[256];
    snprintf(doc, sizeof doc, "a,b\n%060d,1234\n", 0);
    snprintf(want, sizeof want, "[a][b];[%060d][1234];END", 0);
    reads(doc, want);
    snprintf(doc, sizeof doc, "a,b\n%060d,12345\n", 0);
    reads(doc, "[a][b];a record is larger than 64 bytes, at line 2");
}

static void fields_are_bounded(void **state)
{
    (void)state;
    char doc[CSV_MAX_FIELDS + 1];
    memset(doc, ',', sizeof doc);
    csv_reader c;
    error e;
    csv_init(&c, ',', MAX_RECORD);
    csv_feed(&c, doc, CSV_MAX_FIELDS - 1);
    assert_int_equal(csv_next(&c, &e), CSV_MORE);
    csv_finish(&c);
    assert_int_equal(csv_next(&c, &e), CSV_RECORD);
    assert_int_equal(c.n_fields, CSV_MAX_FIELDS);
    csv_free(&c);
    csv_init(&c, ',', MAX_RECORD);
    csv_feed(&c, doc, CSV_MAX_FIELDS + 1);
    assert_int_equal(csv_next(&c, &e), CSV_ERROR);
    assert_string_equal(e.message, "a record has more than 4096 fields, at line 1");
    csv_free(&c);
}

static void other_separators(void **state)
{
    (void)state;
    csv_reader c;
    error e;
    buf out = BUF_INIT;
    csv_init(&c, ';', MAX_RECORD);
    csv_feed(&c, "a;b\n1,2;3\n", 10);
    assert_int_equal(drain(&c, &out, &e), CSV_MORE);
    assert_string_equal(buf_cstr(&out), "[a][b];[1,2][3];");
    buf_free(&out);
    csv_free(&c);
}

static void nul_bytes_are_content(void **state)
{
    (void)state;
    csv_reader c;
    error e;
    csv_init(&c, ',', MAX_RECORD);
    csv_feed(&c, "a\0b\n", 4);
    assert_int_equal(csv_next(&c, &e), CSV_RECORD);
    assert_int_equal(c.fields[0].len, 3);
    assert_memory_equal(c.fields[0].p, "a\0b", 3);
    csv_free(&c);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        csv_reader c;
        error e;
        csv_init(&c, ',', MAX_RECORD);
        csv_feed(&c, "abc,d\n", 6);
        mem_fail_nth(n);
        csv_result r = csv_next(&c, &e);
        mem_fail_nth(0);
        if (r == CSV_ERROR)
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
        csv_free(&c);
        if (r == CSV_RECORD) {
            assert_true(n > 2);
            break;
        }
    }
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    assert_int_equal(utf8_valid("plain ascii, longer than eight", 30), 30);
    assert_int_equal(utf8_valid("12345678\xc3\xa9", 10), 10);
    assert_int_equal(utf8_valid("ab\xc0\x80", 4), 2);
    assert_int_equal(utf8_valid("\xed\xa0\x80", 3), 0);
    assert_int_equal(utf8_valid("\xf4\x90\x80\x80", 4), 0);
    assert_int_equal(utf8_valid("\xf0\x9f\x98", 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_records),
        cmocka_unit_test(quoted_fields),
        cmocka_unit_test(blank_lines_are_passed_over),
        cmocka_unit_test(byte_order_marks),
        cmocka_unit_test(broken_rules_are_placed),
        cmocka_unit_test(records_are_bounded),
        cmocka_unit_test(fields_are_bounded),
        cmocka_unit_test(other_separators),
        cmocka_unit_test(nul_bytes_are_content),
        cmocka_unit_test(no_memory_is_reported),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
    };
    return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
