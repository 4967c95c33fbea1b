/* Values: JSON both ways, equality, packed records. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "engine/value.h"

static value of_int(int64_t i)
{
    return (value){.type = VALUE_INT, .i = i};
}
static value of_real(double d)
{
    return (value){.type = VALUE_REAL, .d = d};
}
static value of_text(const char *s, size_t n)
{
    return (value){.type = VALUE_TEXT, .len = n, .p = s};
}
static value of_blob(const char *s, size_t n)
{
    return (value){.type = VALUE_BLOB, .len = n, .p = s};
}

static void expect_json(const value *v, const char *want)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    value_write_json(&w, v);
    assert_string_equal(buf_cstr(&out), want);
    buf_free(&out);
}

static void writes_json(void **state)
{
    (void)state;
    value v = {.type = VALUE_NULL};
    expect_json(&v, "null");
    v = of_int(INT64_MIN);
    expect_json(&v, "-9223372036854775808");
    v = of_int(INT64_MAX);
    expect_json(&v, "9223372036854775807");
    v = of_real(1);
    expect_json(&v, "1.0");
    v = of_real(0.1);
    expect_json(&v, "0.1");
    v = of_real(-INFINITY);
    expect_json(&v, "{\"$real\":\"-Infinity\"}");
    v = of_text("a\"b\0c", 5);
    expect_json(&v, "\"a\\\"b\\u0000c\"");
    v = of_blob("\xff\x00\x01", 3);
    expect_json(&v, "{\"$base64\":\"/wAB\"}");
    v = of_blob(NULL, 0);
    expect_json(&v, "{\"$base64\":\"\"}");
}

/* Parses `text`, reads a value out of it. */
static bool read_value(const char *text, value *v, arena *mem, error *e)
{
    json_t *j = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(j);
    error_clear(e);
    bool ok = value_from_json(v, j, mem, "params[2]", e);
    json_decref(j);
    return ok;
}

static void expect_read(const char *text, value want)
{
    arena mem = ARENA_INIT;
    value got;
    error e;
    if (!read_value(text, &got, &mem, &e))
        fail_msg("%s: %s", text, e.message);
    if (!value_equal(&got, &want))
        fail_msg("%s gave another value", text);
    arena_free(&mem);
}

static void reads_json(void **state)
{
    (void)state;
    expect_read("null", (value){.type = VALUE_NULL});
    expect_read("true", of_int(1));
    expect_read("false", of_int(0));
    expect_read("9223372036854775807", of_int(INT64_MAX));
    expect_read("-9223372036854775808", of_int(INT64_MIN));
    expect_read("1.0", of_real(1));
    expect_read("-2.5e3", of_real(-2500));
    expect_read("\"\"", of_text("", 0));
    expect_read("\"a\\u0000\xc3\xa9\"", of_text("a\0\xc3\xa9", 4));
    expect_read("{\"$base64\":\"\"}", of_blob(NULL, 0));
    expect_read("{\"$base64\":\"/w==\"}", of_blob("\xff", 1));
    expect_read("{\"$base64\":\"/wA=\"}", of_blob("\xff\0", 2));
    expect_read("{\"$base64\":\"/wAB\"}", of_blob("\xff\0\1", 3));
    expect_read("{\"$real\":\"Infinity\"}", of_real(INFINITY));
    expect_read("{\"$real\":\"-Infinity\"}", of_real(-INFINITY));
}

static void refuses_what_is_no_value(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "[1]",
        "{}",
        "{\"a\":1}",
        "{\"$base64\":1}",
        "{\"$base64\":\"/w=\"}",
        "{\"$base64\":\"/w\"}",
        "{\"$base64\":\"====\"}",
        "{\"$base64\":\"/w==/w==\"}",
        "{\"$base64\":\"/x==\"}", /* unused bits set */
        "{\"$base64\":\"/wB=\"}",
        "{\"$base64\":\"/w A\"}",
        "{\"$base64\":\"_wAB\"}",
        "{\"$base64\":\"/=AB\"}",
        "{\"$base64\":\"\",\"more\":1}",
        "{\"$real\":\"NaN\"}",
        "{\"$real\":1.5}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        arena mem = ARENA_INIT;
        value v;
        error e;
        if (read_value(bad[i], &v, &mem, &e))
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_non_null(strstr(e.message, "params[2]"));
        arena_free(&mem);
    }
}

static void equality_is_type_and_content(void **state)
{
    (void)state;
    value same[][2] = {
        {{.type = VALUE_NULL}, {.type = VALUE_NULL}},
        {of_int(7), of_int(7)},
        {of_real(0.5), of_real(0.5)},
        {of_text("ab", 2), of_text("ab", 2)},
        {of_blob(NULL, 0), of_blob("", 0)},
    };
    value other[][2] = {
        {{.type = VALUE_NULL}, of_int(0)},
        {of_int(1), of_real(1)},
        {of_int(1), of_int(2)},
        {of_text("ab", 2), of_blob("ab", 2)},
        {of_text("ab", 2), of_text("ab\0", 3)},
        {of_text("ab", 2), of_text("aB", 2)},
        {of_real(INFINITY), of_real(-INFINITY)},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_true(value_equal(&same[i][0], &same[i][1]));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_false(value_equal(&other[i][0], &other[i][1]));
}

enum { N_SAMPLE = 9 };

static void sample(value v[N_SAMPLE])
{
    v[0] = (value){.type = VALUE_NULL};
    v[1] = of_int(INT64_MIN);
    v[2] = of_int(-1);
    v[3] = of_real(-0.1);
    v[4] = of_real(INFINITY);
    v[5] = of_text("t\0\xc3\xa9", 4);
    v[6] = of_text("", 0);
    v[7] = of_blob("\0\xff", 2);
    v[8] = of_blob(NULL, 0);
}

static void a_record_comes_back(void **state)
{
    (void)state;
    value in[N_SAMPLE], out[N_SAMPLE];
    sample(in);
    buf b = BUF_INIT;
    value_pack(&b, in, N_SAMPLE);
    assert_false(b.failed);
    size_t len = b.len;
    buf_add(&b, "next", 4); /* records delimit themselves */
    assert_int_equal(value_unpack(b.data, b.len, out, N_SAMPLE), len);
    for (int i = 0; i < N_SAMPLE; i++)
        assert_true(value_equal(&in[i], &out[i]));
    buf_free(&b);
}

/* The layout is stored on disk: it must not change unnoticed. */
static void the_layout_is_fixed(void **state)
{
    (void)state;
    value in[] = {{.type = VALUE_NULL}, of_int(258), of_real(1), of_text("hi", 2), of_blob("x", 1)};
    static const char want[] = "\x00"
                               "\x01\x02\x01\x00\x00\x00\x00\x00\x00"
                               "\x02\x00\x00\x00\x00\x00\x00\xf0\x3f"
                               "\x03\x02\x00\x00\x00hi"
                               "\x04\x01\x00\x00\x00x";
    buf b = BUF_INIT;
    value_pack(&b, in, 5);
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.data, want, sizeof want - 1);
    buf_free(&b);
}

static void a_damaged_record_is_noticed(void **state)
{
    (void)state;
    value in[N_SAMPLE], out[N_SAMPLE];
    sample(in);
    buf b = BUF_INIT;
    value_pack(&b, in, N_SAMPLE);
    for (size_t cut = 0; cut < b.len; cut++) {
        char *exact = mem_alloc(cut); /* so that a read past the end is seen */
        memcpy(exact, b.data, cut);
        assert_int_equal(value_unpack(exact, cut, out, N_SAMPLE), -1);
        mem_free(exact);
    }
    assert_int_equal(value_unpack("\x05", 1, out, 1), -1);
    assert_int_equal(value_unpack("\x03\xff\xff\xff\xff", 5, out, 1), -1);
    assert_int_equal(value_unpack("", 0, out, 0), 0);
    buf_free(&b);
}

static void memory_that_runs_out_is_reported(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth <= 2; nth++) {
        json_t *j = json_pack("{s:s}", "$base64", "/wAB");
        arena mem = ARENA_INIT;
        value v;
        error e;
        mem_fail_nth(nth);
        bool ok = value_from_json(&v, j, &mem, "x", &e);
        mem_fail_nth(0);
        assert_int_equal(ok, nth > 1);
        if (!ok)
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
        arena_free(&mem);
        json_decref(j);
    }
    value big = of_text("0123456789", 10);
    buf b = BUF_INIT;
    mem_fail_nth(1);
    value_pack(&b, &big, 1);
    mem_fail_nth(0);
    assert_true(b.failed);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_json),
        cmocka_unit_test(reads_json),
        cmocka_unit_test(refuses_what_is_no_value),
        cmocka_unit_test(equality_is_type_and_content),
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(the_layout_is_fixed),
        cmocka_unit_test(a_damaged_record_is_noticed),
        cmocka_unit_test(memory_that_runs_out_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
