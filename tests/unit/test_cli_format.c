/* Output formats and the reading of an answer, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/answer.h"
#include "cli/format/format.h"

static const char answer_text[] =
    "{\"id\":\"q\",\"columns\":[{\"name\":\"id\",\"type\":\"INTEGER\"},{\"name\":\"na\\\"me\","
    "\"type\":"
    "null},{\"name\":\"x\",\"type\":\"REAL\"}]}\n"
    "[1,\"Zoë\",0.1]\n"
    "[20,\"a,b\",null]\n"
    "[-3,\"\",1e+300]\n"
    "[4,\"li\\nne \\\"q\\\"\",{\"$base64\":\"AP8=\"}]\n"
    "{\"end\":{\"changes\":0,\"last_insert_rowid\":0,\"lsn\":4,\"elapsed_ms\":0.25}}\n";

/* What `format` makes of an answer that arrives in pieces. */
static void shows(const char *name, format_options options, const char *expected)
{
    for (size_t piece = 1; piece < sizeof answer_text; piece += 7) {
        buf out = BUF_INIT;
        answer a;
        format *f = format_new(name, &options, &out);
        answer_init(&a, f);
        for (size_t at = 0; at < sizeof answer_text - 1; at += piece) {
            size_t n = sizeof answer_text - 1 - at;
            assert_true(answer_feed(&a, answer_text + at, n < piece ? n : piece));
        }
        assert_true(answer_finish(&a));
        assert_int_equal(a.rows, 4);
        assert_string_equal(a.elapsed_ms, "0.25");
        assert_string_equal(buf_cstr(&out), expected);
        answer_free(&a);
        format_free(f);
        buf_free(&out);
    }
}

static const format_options plain = {.header = true};

static void csv_quotes_by_the_rfc(void **state)
{
    (void)state;
    shows("csv", plain,
          "id,\"na\"\"me\",x\n"
          "1,Zoë,0.1\n"
          "20,\"a,b\",\n"
          "-3,\"\",1e+300\n"
          "4,\"li\nne \"\"q\"\"\",x'00ff'\n");
    shows("csv", (format_options){0},
          "1,Zoë,0.1\n20,\"a,b\",\n-3,\"\",1e+300\n4,\"li\nne \"\"q\"\"\",x'00ff'\n");
}

static void json_passes_values_on(void **state)
{
    (void)state;
    shows("json", plain,
          "[\n"
          "{\"id\":1,\"na\\\"me\":\"Zoë\",\"x\":0.1},\n"
          "{\"id\":20,\"na\\\"me\":\"a,b\",\"x\":null},\n"
          "{\"id\":-3,\"na\\\"me\":\"\",\"x\":1e+300},\n"
          "{\"id\":4,\"na\\\"me\":\"li\\nne \\\"q\\\"\",\"x\":{\"$base64\":\"AP8=\"}}\n"
          "]\n");
    shows("jsonl", plain,
          "{\"id\":1,\"na\\\"me\":\"Zoë\",\"x\":0.1}\n"
          "{\"id\":20,\"na\\\"me\":\"a,b\",\"x\":null}\n"
          "{\"id\":-3,\"na\\\"me\":\"\",\"x\":1e+300}\n"
          "{\"id\":4,\"na\\\"me\":\"li\\nne \\\"q\\\"\",\"x\":{\"$base64\":\"AP8=\"}}\n");
}

static void a_table_fits_its_rows(void **state)
{
    (void)state;
    shows("table", plain,
          " id | na\"me      | x\n"
          "----+------------+---------\n"
          "  1 | Zoë        | 0.1\n"
          " 20 | a,b        | NULL\n"
          " -3 |            | 1e+300\n"
          "  4 | li\\nne \"q\" | x'00ff'\n");
    shows("table", (format_options){.header = true, .utf8 = true, .color = true},
          " \033[1mid\033[0m │ \033[1mna\"me\033[0m      │ \033[1mx\033[0m\n"
          "────┼────────────┼─────────\n"
          "  1 │ Zoë        │ 0.1\n"
          " 20 │ a,b        │ \033[2mNULL\033[0m\n"
          " -3 │            │ 1e+300\n"
          "  4 │ li\\nne \"q\" │ x'00ff'\n");
}

static void lines_name_their_columns(void **state)
{
    (void)state;
    shows("line", plain,
          "   id = 1\nna\"me = Zoë\n    x = 0.1\n\n"
          "   id = 20\nna\"me = a,b\n    x = NULL\n\n"
          "   id = -3\nna\"me = \n    x = 1e+300\n\n"
          "   id = 4\nna\"me = li\\nne \"q\"\n    x = x'00ff'\n");
}

static scan_text scan(const char *s)
{
    return scan_value(s, strlen(s));
}

static void empty_results_have_their_form(void **state)
{
    (void)state;
    const char *names[] = {"csv", "json", "jsonl", "line", "table"};
    const char *texts[] = {"a\n", "[]\n", "", "", " a\n---\n"};
    for (int i = 0; i < 5; i++) {
        buf out = BUF_INIT;
        format *f = format_new(names[i], &plain, &out);
        assert_true(format_begin(f, scan("[{\"name\":\"a\"}]")));
        format_end(f);
        assert_string_equal(buf_cstr(&out), texts[i]);
        format_free(f);
        buf_free(&out);
    }
    buf none = BUF_INIT;
    assert_null(format_new("xml", &plain, &none));
}

static void equal_names_stay_apart(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    format *f = format_new("jsonl", &plain, &out);
    assert_true(format_begin(f, scan("[{\"name\":\"a\"},{\"name\":\"a\"},{\"name\":\"a_2\"},"
                                     "{\"name\":\"\"}]")));
    assert_true(format_row(f, scan("[1,2,3,4]")));
    assert_string_equal(buf_cstr(&out), "{\"a\":1,\"a_2\":2,\"a_2_2\":3,\"\":4}\n");
    assert_false(format_row(f, scan("[1,2,3]")));
    assert_false(format_row(f, scan("[1,2,3,4,5]")));
    assert_false(format_row(f, scan("{\"a\":1}")));
    format_free(f);
    buf_free(&out);
}

/* Row number i of a result that grows wider after the rows that are measured. */
static void add_row(format *f, int i)
{
    char row[64];
    snprintf(row, sizeof row, "[\"%.*s\",%d]", i < 100 ? 2 : 5, "abcdefgh", i);
    assert_true(format_row(f, scan(row)));
}

static void a_table_does_not_wait_for_its_end(void **state)
{
    (void)state;
    buf out = BUF_INIT;
    format *f = format_new("table", &plain, &out);
    assert_true(format_begin(f, scan("[{\"name\":\"t\"},{\"name\":\"n\"}]")));
    for (int i = 0; i < 99; i++)
        add_row(f, i);
    assert_int_equal(out.len, 0);
    add_row(f, 99);
    size_t shown = out.len;
    assert_true(shown > 0);
    add_row(f, 100);
    assert_string_equal(buf_cstr(&out) + shown, " abcde | 100\n");
    format_free(f);
    buf_clear(&out);

    f = format_new("table", &plain, &out);
    assert_true(format_begin(f, scan("[{\"name\":\"t\"},{\"name\":\"n\"}]")));
    add_row(f, 7);
    format_show(f);
    assert_string_equal(buf_cstr(&out), " t  | n\n----+---\n ab | 7\n");
    add_row(f, 8);
    format_end(f);
    assert_string_equal(buf_cstr(&out), " t  | n\n----+---\n ab | 7\n ab | 8\n");
    format_free(f);
    buf_free(&out);
}

static void broken_answers_are_noticed(void **state)
{
    (void)state;
    const struct {
        const char *text;
        error_code code;
    } cases[] = {
        {"{\"columns\":[{\"name\":\"a\"}]}\n[1]\n", ERR_CANNOT_CONNECT},
        {"{\"columns\":[{\"name\":\"a\"}]}\n[1,2]\n{\"end\":{}}\n", ERR_CLIENT_ERROR},
        {"[1]\n", ERR_CLIENT_ERROR},
        {"{\"columns\":[]}\nhello\n", ERR_CLIENT_ERROR},
        {"", ERR_CANNOT_CONNECT},
        {"{\"columns\":[{\"name\":\"a\"}]}\n[1]\n{\"error\":{\"code\":\"TIMEOUT\",\"detail\":\"x\"}"
         "}\n",
         ERR_TIMEOUT},
        {"{\"columns\":[]}\n{\"end\":{\"changes\":3}}", ERR_NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf out = BUF_INIT;
        answer a;
        format *f = format_new("csv", &plain, &out);
        answer_init(&a, f);
        answer_feed(&a, cases[i].text, strlen(cases[i].text));
        assert_int_equal(answer_finish(&a), cases[i].code == ERR_NONE);
        assert_int_equal(a.err.code, cases[i].code);
        answer_free(&a);
        format_free(f);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_by_the_rfc),
        cmocka_unit_test(json_passes_values_on),
        cmocka_unit_test(a_table_fits_its_rows),
        cmocka_unit_test(lines_name_their_columns),
        cmocka_unit_test(empty_results_have_their_form),
        cmocka_unit_test(equal_names_stay_apart),
        cmocka_unit_test(a_table_does_not_wait_for_its_end),
        cmocka_unit_test(broken_answers_are_noticed),
    };
    return cmocka_run_group_tests_name("cli_format", tests, NULL, NULL);
}
