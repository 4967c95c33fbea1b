/* rustydb.bin.v1: every vector of tests/data/bin means what it says and is written as it stands
 * there; what is malformed is refused at its place; nothing breaks when memory is out.
 *
 * BIN_VECTORS names a further file of vectors to read (messages that a Rust program has written).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "bin_json.h"
#include "json/writer.h"

typedef struct vector {
    char *name, *json, *fault;
    unsigned char *bytes; /* of exactly that size */
    size_t n;
} vector;

static void forget(vector *v)
{
    free(v->name);
    free(v->json);
    free(v->fault);
    free(v->bytes);
    *v = (vector){0};
}

static void take_hex(vector *v, const char *hex)
{
    v->n = strlen(hex) / 2;
    v->bytes = malloc(v->n ? v->n : 1);
    for (size_t i = 0; i < v->n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        v->bytes[i] = (unsigned char)byte;
    }
}

/* Calls `each` for every vector of a file; how many there were. */
static int for_each(const char *path, void (*each)(const vector *v))
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    vector v = {0};
    int count = 0;
    if (!f)
        fail_msg("cannot read %s", path);
    while ((n = getline(&line, &room, f)) > 0) {
        line[n - 1] = '\0';
        if (strncmp(line, "name ", 5) == 0)
            v.name = strdup(line + 5);
        else if (strncmp(line, "json ", 5) == 0)
            v.json = strdup(line + 5);
        else if (strncmp(line, "fault ", 6) == 0)
            v.fault = strdup(line + 6);
        else if (strncmp(line, "hex ", 4) == 0 || strcmp(line, "hex") == 0)
            take_hex(&v, line + (line[3] ? 4 : 3));
        if (!*line && v.name) {
            each(&v);
            count++;
            forget(&v);
        }
    }
    free(line);
    fclose(f);
    return count;
}

static bool read_vector(const vector *v, bin_message *m, arena *mem, error *e)
{
    error_clear(e);
    return bin_message_get(m, v->bytes, v->n, mem, e);
}

static void means_what_it_says(const vector *v)
{
    arena mem = ARENA_INIT;
    bin_message m;
    error e;
    if (!read_vector(v, &m, &mem, &e))
        fail_msg("%s: %s", v->name, e.message);
    json_t *want = json_loads(v->json, JSON_ALLOW_NUL, NULL), *got = bin_json(&m);
    if (!json_equal(want, got))
        fail_msg("%s: %s", v->name, json_dumps(got, JSON_SORT_KEYS));
    json_decref(want);
    json_decref(got);
    arena_free(&mem);
}

static void reads_and_writes(const vector *v)
{
    arena mem = ARENA_INIT;
    buf out = BUF_INIT;
    bin_message m;
    error e;
    means_what_it_says(v);
    assert_true(read_vector(v, &m, &mem, &e));
    bin_message_put(&out, &m);
    assert_false(out.failed);
    assert_int_equal(out.len, v->n);
    assert_memory_equal(out.data, v->bytes, v->n);
    buf_free(&out);
    arena_free(&mem);
}

static void is_refused(const vector *v)
{
    arena mem = ARENA_INIT;
    bin_message m;
    error e;
    if (read_vector(v, &m, &mem, &e))
        fail_msg("%s: was read", v->name);
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    assert_string_equal(e.message, v->fault);
    arena_free(&mem);
}

/* Whatever is missing at the end, it is noticed, and nothing is read behind it. */
static void no_prefix_is_read(const vector *v)
{
    arena mem = ARENA_INIT;
    bin_message m;
    error e;
    for (size_t n = 0; n < v->n; n++) {
        unsigned char *part = malloc(n ? n : 1);
        memcpy(part, v->bytes, n);
        assert_false(bin_message_get(&m, part, n, &mem, &e));
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        free(part);
    }
    arena_free(&mem);
}

static void survives_no_memory(const vector *v)
{
    for (unsigned long nth = 1;; nth++) {
        arena mem = ARENA_INIT;
        buf out = BUF_INIT;
        bin_message m;
        error e;
        error_clear(&e);
        mem_fail_nth(nth);
        bool read = bin_message_get(&m, v->bytes, v->n, &mem, &e);
        if (read)
            bin_message_put(&out, &m);
        unsigned long made = mem_fail_nth(0);
        assert_int_equal(read, e.code == ERR_NONE);
        if (!read)
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
        bool whole = read && !out.failed;
        buf_free(&out);
        arena_free(&mem);
        if (made < nth) {
            assert_true(whole);
            return;
        }
        assert_false(whole);
    }
}

static const char *const files[] = {"query",     "values",         "query_result",
                                    "execute",   "execute_result", "transactions",
                                    "subscribe", "event",          "error"};

static void each_file(void (*each)(const vector *v))
{
    char path[80];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "tests/data/bin/%s.txt", files[i]);
        assert_true(for_each(path, each) >= 3);
    }
}

static void test_vectors(void **state)
{
    (void)state;
    each_file(reads_and_writes);
    for_each("tests/data/bin/long_forms.txt", means_what_it_says);
    if (getenv("BIN_VECTORS"))
        assert_true(for_each(getenv("BIN_VECTORS"), reads_and_writes) > 0);
}

static void test_refusals(void **state)
{
    (void)state;
    assert_true(for_each("tests/data/bin/bad.txt", is_refused) > 20);
    for_each("tests/data/bin/refused.txt", is_refused);
}

static void test_prefixes(void **state)
{
    (void)state;
    each_file(no_prefix_is_read);
}

static void test_no_memory(void **state)
{
    (void)state;
    each_file(survives_no_memory);
}

/* The id of a message whose payload is bad is known, so that the answer can name it. */
static void test_id_of_a_bad_message(void **state)
{
    (void)state;
    arena mem = ARENA_INIT;
    bin_message m;
    error e;
    assert_false(bin_message_get(&m, "\x01\x00\x02q7\x01\xff", 7, &mem, &e));
    assert_int_equal(m.id.n, 2);
    assert_memory_equal(m.id.p, "q7", 2);
    assert_int_equal(e.position, 6);
    assert_false(bin_message_get(&m, "\x01\x63\x02q7\x00", 6, &mem, &e));
    assert_memory_equal(m.id.p, "q7", 2);
    arena_free(&mem);
}

static size_t real_size(double v)
{
    buf b = BUF_INIT;
    bc_reader r;
    const bin_value value = bin_shortest_real(v);
    bin_put_value(&b, &value);
    bc_open(&r, b.data, b.len);
    bin_value back = bin_get_value(&r);
    assert_null(r.fault);
    double got = bin_value_real(&back);
    assert_memory_equal(&got, &v, sizeof v);
    size_t n = b.len;
    buf_free(&b);
    return n;
}

/* No longer than its digits in JSON with the comma, from what people write to what machines
 * measure; and exact to the last bit. */
static void test_reals(void **state)
{
    (void)state;
    static const double cases[] = {0,       1,          -1,         0.5,
                                   19.99,   1234.56,    0.1,        1e-5,
                                   98.6,    1e6,        123456.789, 0.30000000000000004,
                                   1.0 / 3, 2147483647, 2147483648, 3.14159265358979};
    char text[40];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(real_size(cases[i]) <= json_format_real(cases[i], text) + 1);
    assert_int_equal(real_size(19.99), 5);
    assert_int_equal(real_size(-0.0), 9);
    assert_int_equal(real_size(HUGE_VAL), 9);
    assert_int_equal(real_size(5e-324), 9);
    uint64_t x = 88172645463325252u; /* xorshift: reals of every size */
    for (int i = 0; i < 100000; i++) {
        double v;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(&v, &x, sizeof v);
        if (v == v)
            real_size(v);
        real_size((double)(int64_t)(x % 2000000) / 100 - 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_id_of_a_bad_message),
        cmocka_unit_test(test_reals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
