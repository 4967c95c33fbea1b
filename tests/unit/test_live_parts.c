/* Live queries, the parts: normal forms and hashes, intervals, results, differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "live/diff.h"
#include "live/event.h"
#include "live/index.h"
#include "live/state.h"

/* ---- requests ---------------------------------------------------------------------------------
 */

static value text_value(const char *s)
{
    return (value){.type = VALUE_TEXT, .len = strlen(s), .p = s};
}

static void expect_normal(const char *sql, const char *want)
{
    lq_ask *a = lq_ask_new(&(engine_stmt){.sql = sql}, NULL);
    assert_non_null(a);
    assert_string_equal(a->stmt.sql, want);
    assert_int_equal(a->moved, strcmp(sql, want) != 0);
    assert_int_equal(strlen(a->hash), LIVE_HASH);
    lq_ask_free(a);
}

static void spaces_and_comments_make_no_difference(void **state)
{
    (void)state;
    expect_normal("SELECT 1", "SELECT 1");
    expect_normal("  SELECT\n\t1 ;; -- done", "SELECT 1");
    expect_normal("SELECT/* so */1--and\n,2", "SELECT 1 ,2");
    expect_normal("SELECT '  a -- b ', \"x  y\" ", "SELECT '  a -- b ', \"x  y\"");
    expect_normal("SELECT 1; SELECT 2;", "SELECT 1; SELECT 2");
    expect_normal("SELECT 1 - - 2", "SELECT 1 - - 2");
    expect_normal("SELECT 'open", "SELECT 'open");
    expect_normal(" ; ", "");
}

static void ask(engine_stmt stmt, const char *identity, char hash[LIVE_HASH + 1])
{
    lq_ask *a = lq_ask_new(&stmt, &(viewer){.user = identity});
    assert_non_null(a);
    memcpy(hash, a->hash, LIVE_HASH + 1);
    lq_ask_free(a);
}

static void a_hash_tells_queries_apart(void **state)
{
    (void)state;
    value v12[] = {{.type = VALUE_INT, .i = 1}, {.type = VALUE_INT, .i = 2}};
    value v21[] = {v12[1], v12[0]};
    value one_text = text_value("1"), one_real = {.type = VALUE_REAL, .d = 1};
    const char *const ab[] = {"a", "b"}, *const ba[] = {"b", "a"};
    const struct {
        engine_stmt stmt;
        const char *identity;
        int same_as; /* an earlier one, or itself */
    } cases[] = {
        {{.sql = "SELECT ?1"}, "root", 0},
        {{.sql = " SELECT  ?1;"}, "root", 0},
        {{.sql = "SELECT ?1"}, "anna", 2},
        {{.sql = "SELECT ?1", .n_params = 1, .params = v12}, "root", 3},
        {{.sql = "SELECT ?1", .n_params = 2, .params = v12}, "root", 4},
        {{.sql = "SELECT ?1", .n_params = 2, .params = v21}, "root", 5},
        {{.sql = "SELECT ?1", .n_params = 1, .params = &one_text}, "root", 6},
        {{.sql = "SELECT ?1", .n_params = 1, .params = &one_real}, "root", 7},
        {{.sql = "SELECT ?1", .n_params = 2, .params = v12, .names = ab}, "root", 8},
        {{.sql = "SELECT ?1", .n_params = 2, .params = v21, .names = ba}, "root", 8},
        {{.sql = "SELECT ?1", .n_params = 2, .params = v21, .names = ab}, "root", 10},
        {{.sql = "select ?1"}, "root", 11},
    };
    enum { N = sizeof cases / sizeof *cases };
    char hashes[N][LIVE_HASH + 1];
    for (int i = 0; i < N; i++) {
        ask(cases[i].stmt, cases[i].identity, hashes[i]);
        for (int k = 0; k <= i; k++) {
            bool same = strcmp(hashes[i], hashes[k]) == 0;
            if (same != (cases[i].same_as == cases[k].same_as))
                fail_msg("%d and %d", i, k);
        }
    }
}

static void asking_without_memory_is_refused(void **state)
{
    (void)state;
    value v[] = {text_value("abc"), {.type = VALUE_INT, .i = 2}};
    const char *const names[] = {"x", "y"};
    engine_stmt stmt = {.sql = "SELECT  :x, :y", .n_params = 2, .params = v, .names = names};
    unsigned long nth = 1;
    for (lq_ask *a = NULL; !a; nth++) {
        mem_fail_nth(nth);
        a = lq_ask_new(&stmt, &(viewer){.user = "root"});
        mem_fail_nth(0);
        lq_ask_free(a);
    }
    assert_true(nth > 4);
}

static void intervals_are_shared(void **state)
{
    (void)state;
    const struct {
        int64_t wanted, least, want;
    } cases[] = {
        {0, 100000, 100000},
        {1, 100000, 100000},
        {100000, 100000, 100000},
        {100001, 100000, 200000},
        {200000, 100000, 200000},
        {300000, 100000, 500000},
        {700000, 1000, 1000000},
        {1500000, 1000, 2000000},
        {3600000000, 1000, 5000000000},
        {10, 1, 1000},
        {120000, 110000, 200000},
        {1000, 1, 1000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(lq_interval(cases[i].wanted, cases[i].least), cases[i].want);
}

/* ---- results ----------------------------------------------------------------------------------
 */

/* Rows of a letter and a number, "a1 b2"; the letter is the key where there is one. */
static lq_result *make(const char *text, bool keyed)
{
    error e;
    lq_result *r = lq_result_new();
    const engine_column cols[] = {{"k", "TEXT"}, {"n", NULL}};
    job_origin origin = {.n_key = keyed ? 1 : 0, .key = {0}};
    assert_true(lq_result_columns(r, cols, 2, &origin));
    for (; *text; text += text[2] ? 3 : 2) {
        value row[] = {{.type = VALUE_TEXT, .len = 1, .p = text},
                       {.type = VALUE_INT, .i = text[1] - '0'}};
        assert_true(lq_result_row(r, row, 2));
    }
    assert_true(lq_result_seal(r, &e));
    return r;
}

static void a_key_that_repeats_is_none(void **state)
{
    (void)state;
    lq_result *a = make("a1 b2 c1", true), *b = make("a1 b2 a3", true), *c = make("a1 b2 c1", true);
    assert_int_equal(a->n_key, 1);
    assert_int_equal(b->n_key, 0);
    assert_false(lq_result_alike(a, b));
    assert_true(lq_result_equal(a, c));
    lq_result_unref(c);
    c = make("a1 b2 c2", true);
    assert_true(lq_result_alike(a, c));
    assert_false(lq_result_equal(a, c));
    lq_result_unref(a);
    lq_result_unref(b);
    lq_result_unref(c);
}

static char *diff_text(const lq_result *a, const lq_result *b)
{
    static char out[1000];
    lq_diff d;
    assert_true(lq_diff_make(&d, a, b));
    out[0] = '\0';
    for (int i = 0; i < d.n; i++)
        sprintf(out + strlen(out), "%s%d>%d", i ? " " : "", d.changes[i].was, d.changes[i].at);
    lq_diff_free(&d);
    return out;
}

static void differences(void **state)
{
    (void)state;
    const struct {
        const char *old, *new;
        bool keyed;
        const char *want;
    } cases[] = {
        {"", "", true, ""},
        {"", "a1", true, "-1>0"},
        {"a1", "", true, "0>-1"},
        {"a1 b1 c1", "a1 b2 c1", true, "1>1"},
        {"a1 b1 c1", "a1 b2 c1", false, "1>1"},
        {"a1 b1 c1", "b1 c1 a1", true, "0>2"}, /* one row moved, not two */
        {"a1 b1 c1", "c1 a1 b1", true, "2>0"},
        {"a1 b1 c1", "b1 c1 a1", false, "-1>2 0>-1"},
        {"a1 b1 c1", "a1 c1", true, "1>-1"},
        {"a1 c1", "a1 b1 c1", true, "-1>1"},
        {"a1 b1", "c1 d1", true, "-1>0 -1>1 0>-1 1>-1"}, /* other keys: other rows */
        {"a1 b1", "c1 d1", false, "0>0 1>1"},
        {"a1 a1 a1", "a1 a1", false, "2>-1"},
        {"a1 a1", "a1 a1 a1", false, "-1>2"},
        {"a1 b1 a1", "a1 a1 b1", false, "-1>1 2>-1"},
        {"a1 b1 c1 d1", "d1 c1 b1 a1", true, "3>0 2>1 1>2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lq_result *a = make(cases[i].old, cases[i].keyed), *b = make(cases[i].new, cases[i].keyed);
        char *got = diff_text(a, b);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s -> %s: \"%s\", not \"%s\"", cases[i].old, cases[i].new, got,
                     cases[i].want);
        lq_result_unref(a);
        lq_result_unref(b);
    }
}

/* Applies a difference the way live/diff.h says, and compares. */
static void check_diff(const lq_result *a, const lq_result *b)
{
    lq_diff d;
    int rows[64], n = 0;
    bool out[64] = {false};
    assert_true(lq_diff_make(&d, a, b));
    for (int i = 0; i < d.n; i++) {
        if (d.changes[i].was >= 0) {
            assert_false(out[d.changes[i].was]);
            out[d.changes[i].was] = true;
        }
    }
    for (int i = 0; i < a->rows.n; i++) {
        if (!out[i])
            rows[n++] = i;
    }
    for (int i = 0, last = -1; i < d.n && d.changes[i].at >= 0; i++) {
        int at = d.changes[i].at;
        assert_true(at > last && at <= n);
        last = at;
        memmove(rows + at + 1, rows + at, (size_t)(n - at) * sizeof *rows);
        rows[at] = -1 - at; /* the new result's own */
        n++;
    }
    assert_int_equal(n, b->rows.n);
    assert_int_equal(n, a->rows.n + d.added - d.removed);
    for (int i = 0; i < n; i++) {
        lq_span is =
            rows[i] < 0 ? lq_strings_at(&b->rows, -1 - rows[i]) : lq_strings_at(&a->rows, rows[i]);
        assert_true(lq_span_equal(is, lq_strings_at(&b->rows, i)));
    }
    lq_diff_free(&d);
}

static void random_text(char *out, bool keyed)
{
    char keys[27] = "abcdefghijklmnopqrstuvwxyz";
    int n = rand() % 14, letters = 4 + rand() % 20;
    *out = '\0';
    for (int i = 0; i < n; i++) {
        int at = keyed ? i + rand() % (26 - i) : rand() % letters;
        char c = keys[at];
        if (keyed) {
            keys[at] = keys[i];
            keys[i] = c;
        }
        sprintf(out + strlen(out), "%s%c%d", i ? " " : "", c, rand() % 3);
    }
}

static void random_differences(void **state)
{
    (void)state;
    int rounds = getenv("RUSTYDB_VALGRIND") ? 300 : 20000;
    srand(7);
    for (int i = 0; i < rounds; i++) {
        char old[64], new[64];
        bool keyed = i % 2;
        random_text(old, keyed);
        random_text(new, keyed);
        lq_result *a = make(old, keyed), *b = make(new, keyed);
        check_diff(a, b);
        lq_result_unref(a);
        lq_result_unref(b);
    }
}

static void a_difference_without_memory(void **state)
{
    (void)state;
    lq_result *a = make("a1 b1 c1", true), *b = make("c1 b2 d1", true);
    lq_diff d;
    unsigned long nth = 1;
    for (bool made = false; !made; nth++) {
        mem_fail_nth(nth);
        made = lq_diff_make(&d, a, b);
        mem_fail_nth(0);
        lq_diff_free(&d);
    }
    assert_true(nth > 3);
    lq_result_unref(a);
    lq_result_unref(b);
}

/* ---- texts ------------------------------------------------------------------------------------
 */

static void events_as_json(void **state)
{
    (void)state;
    lq_writer w = {0};
    lq_diff d;
    buf out = BUF_INIT;
    lq_result *a = make("a1 b1 c1", true), *b = make("b2 c1 d1", true);
    lq_result *c = make("a1", false), *e = make("", false);
    a->lsn = 5;
    b->lsn = 9;
    assert_true(lq_event_result(&w, &out, "0123", a));
    assert_string_equal(buf_cstr(&out),
                        "{\"topic\":\"query:0123\",\"lsn\":5,\"kind\":\"result\",\"key\":[0],"
                        "\"columns\":[{\"name\":\"k\",\"type\":\"TEXT\"},"
                        "{\"name\":\"n\",\"type\":null}],"
                        "\"rows\":[[\"a\",1],[\"b\",1],[\"c\",1]]}");
    buf_clear(&out);
    assert_true(lq_diff_make(&d, a, b));
    assert_true(lq_event_diff(&w, &out, "0123", a, b, &d));
    lq_diff_free(&d);
    assert_string_equal(buf_cstr(&out),
                        "{\"topic\":\"query:0123\",\"lsn\":9,\"kind\":\"diff\",\"since\":5,"
                        "\"count\":3,\"removed\":[{\"was\":0,\"key\":[\"a\"]}],"
                        "\"changed\":[{\"was\":1,\"at\":0,\"row\":[\"b\",2]}],"
                        "\"added\":[{\"at\":2,\"row\":[\"d\",1]}]}");
    buf_clear(&out);
    assert_true(lq_diff_make(&d, c, e));
    assert_true(lq_event_diff(&w, &out, "0123", c, e, &d));
    lq_diff_free(&d);
    assert_string_equal(buf_cstr(&out),
                        "{\"topic\":\"query:0123\",\"lsn\":0,\"kind\":\"diff\",\"since\":0,"
                        "\"count\":0,\"removed\":[{\"was\":0,\"row\":[\"a\",1]}],"
                        "\"changed\":[],\"added\":[]}");
    buf_free(&out);
    lq_writer_free(&w);
    lq_result_unref(a);
    lq_result_unref(b);
    lq_result_unref(c);
    lq_result_unref(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spaces_and_comments_make_no_difference),
        cmocka_unit_test(a_hash_tells_queries_apart),
        cmocka_unit_test(asking_without_memory_is_refused),
        cmocka_unit_test(intervals_are_shared),
        cmocka_unit_test(a_key_that_repeats_is_none),
        cmocka_unit_test(differences),
        cmocka_unit_test(random_differences),
        cmocka_unit_test(a_difference_without_memory),
        cmocka_unit_test(events_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
