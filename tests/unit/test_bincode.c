/* bincode: what the crate writes for the edges of each type (checked against bincode 2.0.1), what a
 * reader takes, and that it refuses everything else at the place where it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/bincode.h"

#define BYTES(...) (const unsigned char[]){__VA_ARGS__}, sizeof((unsigned char[]){__VA_ARGS__})

/* Reads from memory of exactly that size, so that valgrind and the sanitizers see one byte more. */
static bc_reader reader_of(const void *p, size_t n, void **mem)
{
    bc_reader r;
    *mem = malloc(n ? n : 1);
    memcpy(*mem, p, n);
    bc_open(&r, *mem, n);
    return r;
}

static void test_unsigned(void **state)
{
    (void)state;
    static const struct {
        uint64_t v;
        size_t n;
        unsigned char bytes[9];
    } cases[] = {
        {0, 1, {0}},
        {250, 1, {250}},
        {251, 3, {251, 251, 0}},
        {65535, 3, {251, 255, 255}},
        {65536, 5, {252, 0, 0, 1, 0}},
        {4294967295, 5, {252, 255, 255, 255, 255}},
        {4294967296, 9, {253, 0, 0, 0, 0, 1, 0, 0, 0}},
        {UINT64_MAX, 9, {253, 255, 255, 255, 255, 255, 255, 255, 255}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b = BUF_INIT;
        void *mem;
        bc_put_uint(&b, cases[i].v);
        assert_int_equal(b.len, cases[i].n);
        assert_memory_equal(b.data, cases[i].bytes, b.len);
        bc_reader r = reader_of(b.data, b.len, &mem);
        assert_true(bc_get_uint(&r, BC_U64) == cases[i].v);
        assert_null(r.fault);
        assert_int_equal(bc_left(&r), 0);
        free(mem);
        buf_free(&b);
    }
}

static void test_signed(void **state)
{
    (void)state;
    static const int64_t values[] = {0,         -1,        1,         125,      -125,
                                     -126,      126,       32767,     -32768,   32768,
                                     INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    static const size_t sizes[] = {1, 1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 9, 9};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        buf b = BUF_INIT;
        void *mem;
        bc_put_int(&b, values[i]);
        assert_int_equal(b.len, sizes[i]);
        bc_reader r = reader_of(b.data, b.len, &mem);
        assert_true(bc_get_int(&r) == values[i]);
        assert_null(r.fault);
        free(mem);
        buf_free(&b);
    }
    buf b = BUF_INIT;
    bc_put_int(&b, -126);
    assert_memory_equal(b.data, "\xfb\xfb\x00", 3);
    buf_free(&b);
}

static void test_reals_and_texts(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    size_t n;
    void *mem;
    bc_put_real(&b, -1.5);
    bc_put_bytes(&b, "h\xc3\xa9", 3);
    bc_put_bytes(&b, NULL, 0);
    bc_put_u8(&b, 1);
    static const unsigned char want[] = {0, 0, 0, 0, 0, 0, 0xf8, 0xbf, 3, 'h', 0xc3, 0xa9, 0, 1};
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    bc_reader r = reader_of(b.data, b.len, &mem);
    assert_true(bc_get_real(&r) == -1.5);
    assert_memory_equal(bc_get_str(&r, &n), "h\xc3\xa9", 3);
    assert_int_equal(n, 3);
    assert_non_null(bc_get_str(&r, &n));
    assert_int_equal(n, 0);
    assert_true(bc_get_bool(&r));
    assert_null(r.fault);
    assert_int_equal(bc_left(&r), 0);
    free(mem);
    buf_free(&b);
}

/* SQLite keeps any bytes as text; a Rust peer would refuse the whole message. */
static void test_mended_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain", "plain"},
        {"a\xff"
         "b",
         "a\xEF\xBF\xBD"
         "b"},
        {"\xc3\xa9\xc3", "\xc3\xa9\xEF\xBF\xBD"},
        {"\xed\xa0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xff\xff"
         "12345678\xe2\x82\xac",
         "\xEF\xBF\xBD\xEF\xBF\xBD"
         "12345678\xe2\x82\xac"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b = BUF_INIT;
        bc_reader r;
        size_t n;
        bc_put_str(&b, cases[i].text, strlen(cases[i].text));
        bc_open(&r, b.data, b.len);
        const char *p = bc_get_str(&r, &n);
        assert_null(r.fault);
        assert_int_equal(n, strlen(cases[i].want));
        assert_memory_equal(p, cases[i].want, n);
        buf_free(&b);
    }
}

/* The crate reads an integer in a longer form than it would write, as long as its type has it. */
static void test_long_forms(void **state)
{
    (void)state;
    const struct {
        const unsigned char *p;
        size_t n;
        bc_width width;
        bool good;
    } cases[] = {
        {BYTES(251, 7, 0), BC_U16, true},
        {BYTES(252, 7, 0, 0, 0), BC_U32, true},
        {BYTES(253, 7, 0, 0, 0, 0, 0, 0, 0), BC_U64, true},
        {BYTES(252, 7, 0, 0, 0), BC_U16, false},
        {BYTES(253, 7, 0, 0, 0, 0, 0, 0, 0), BC_U32, false},
        {BYTES(254, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), BC_U64, false},
        {BYTES(255), BC_U64, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *mem;
        bc_reader r = reader_of(cases[i].p, cases[i].n, &mem);
        assert_int_equal(bc_get_uint(&r, cases[i].width), cases[i].good ? 7 : 0);
        assert_int_equal(r.fault == NULL, cases[i].good);
        if (!cases[i].good)
            assert_ptr_equal(r.p, r.start);
        free(mem);
    }
}

static void get_uint(bc_reader *r)
{
    bc_get_uint(r, BC_U64);
}
static void get_bool(bc_reader *r)
{
    bc_get_bool(r);
}
static void get_real(bc_reader *r)
{
    bc_get_real(r);
}
static void get_bytes(bc_reader *r)
{
    size_t n;
    bc_get_bytes(r, &n);
    assert_int_equal(n, 0);
}
static void get_str(bc_reader *r)
{
    size_t n;
    bc_get_str(r, &n);
    assert_int_equal(n, 0);
}
static void get_variant(bc_reader *r)
{
    bc_get_variant(r, 3);
}
static void get_count(bc_reader *r)
{
    assert_int_equal(bc_get_count(r, 8), 0);
}

static void test_faults(void **state)
{
    (void)state;
    const struct {
        void (*get)(bc_reader *r);
        const unsigned char *p;
        size_t n;
        size_t at; /* where the fault is */
        const char *fault;
    } cases[] = {
        {get_uint, BYTES(), 0, "the bytes end too early"},
        {get_uint, BYTES(251), 1, "the bytes end too early"},
        {get_uint, BYTES(253, 1, 2, 3, 4, 5, 6, 7), 1, "the bytes end too early"},
        {get_bool, BYTES(), 0, "the bytes end too early"},
        {get_bool, BYTES(2), 0, "neither 0 nor 1"},
        {get_real, BYTES(1, 2, 3, 4, 5, 6, 7), 0, "the bytes end too early"},
        {get_bytes, BYTES(3, 'a', 'b'), 0, "the length is more than the bytes that follow"},
        {get_bytes, BYTES(253, 255, 255, 255, 255, 255, 255, 255, 255, 'a'), 0,
         "the length is more than the bytes that follow"},
        {get_str, BYTES(4, 'a', 0xc3, 'b', 'c'), 2, "the text is not UTF-8"},
        {get_str, BYTES(3, 0xed, 0xa0, 0x80), 1, "the text is not UTF-8"},
        {get_variant, BYTES(3), 0, "there is no variant of this number"},
        {get_variant, BYTES(253, 1, 0, 0, 0, 0, 0, 0, 0), 0, "the integer is wider than its type"},
        {get_count, BYTES(2, 1, 2, 3, 4, 5, 6, 7, 8), 0,
         "the length is more than the bytes that follow"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *mem;
        bc_reader r = reader_of(cases[i].p, cases[i].n, &mem);
        cases[i].get(&r);
        assert_non_null(r.fault);
        assert_string_equal(r.fault, cases[i].fault);
        assert_int_equal(r.p - r.start, cases[i].at);
        /* and it stays there */
        cases[i].get(&r);
        assert_int_equal(r.p - r.start, cases[i].at);
        assert_string_equal(r.fault, cases[i].fault);
        assert_int_equal(bc_left(&r), 0);
        free(mem);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    mem_fail_nth(1);
    bc_put_bytes(&b, "hello", 5);
    mem_fail_nth(0);
    assert_true(b.failed);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsigned),        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_reals_and_texts), cmocka_unit_test(test_mended_texts),
        cmocka_unit_test(test_long_forms),      cmocka_unit_test(test_faults),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
