/* Which terms of an expression are understood as `column = value`, and the promise behind it: a row
 * for which the filter says yes has the key that was found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "engine/columns.h"
#include "feed/equality.h"
#include "feed/filter.h"
#include "feed/filter_index.h"

enum { N, R, S, NOCASE, RTRIM, ANYTHING, ODD, NUMERIC, N_COLUMNS };
static const char *const names[] = {"n", "r", "s", "nocase", "rtrim", "anything", "o \"d", "num"};
static const char *const types[] = {"INTEGER", "REAL", "TEXT", "TEXT",
                                    "TEXT",    "",     "INT",  "DECIMAL"};
static const char *const collations[] = {"BINARY", "BINARY", "BINARY", "NOCASE",
                                         "RTRIM",  "BINARY", "BINARY", "BINARY"};
static const int pk[N_COLUMNS] = {1};
static const table_shape shape = {
    .id = 1,
    .table = "t",
    .n_columns = N_COLUMNS,
    .names = names,
    .types = types,
    .collations = collations,
    .pk = pk,
};

static void expect(const char *where, int wanted)
{
    buf key = BUF_INIT;
    int column = -1;
    bool found = equality_find(where, &shape, &column, &key);
    if (found != (wanted >= 0) || (found && column != wanted))
        fail_msg("%s: column %d instead of %d", where, found ? column : -1, wanted);
    assert_true(found ? key.len > 0 : key.len == 0);
    buf_free(&key);
}

static void what_is_understood(void **state)
{
    (void)state;
    expect("n = 5", N);
    expect("n==5", N);
    expect("5 = N", N);
    expect("new.n = -5", N);
    expect("\"n\" = 5", N);
    expect("`n` = 5 -- a comment", N);
    expect("[o \"d] = 1", ODD);
    expect("\"o \"\"d\" = 1", ODD);
    expect("s = 'it''s'", S);
    expect("'x' = s", S);
    expect("r = 1.5e3", R);
    expect("num = .5", NUMERIC);
    expect("n > 3 AND s = 'x'", S);
    expect("n > 3 and /* here */ s = 'x' and (r > 1 or r < 0)", S);
    expect("length(s) = 3 AND anything = 'x'", ANYTHING);
    expect("NOT n = 3 AND s = 'x'", S);
}

static void what_is_left_alone(void **state)
{
    (void)state;
    static const char *const others[] = {
        "n",
        "n != 5",
        "n <= 5",
        "n >= 5",
        "n <> 5",
        "n = 5 OR s = 'x'",
        "s = 'x' or 1",
        "NOT n = 5",
        "(n = 5)",
        "n = (5)",
        "n = 5 + 1",
        "n + 0 = 5",
        "n = 5 = 0",
        "n = 5 IS NULL",
        "n = r",
        "n = NULL",
        "n = true",
        "n BETWEEN 1 AND 5",
        "r BETWEEN 1 AND n = 5",
        "CASE WHEN n = 5 AND s = 'x' THEN 0 ELSE 1 END",
        "s = 'x' COLLATE NOCASE",
        "COLLATE = 5",
        "old.n = 5",
        "t.n = 5",
        "none = 5",
        "n = '5'", /* the column would make a number of it */
        "num = '5'",
        "s = 5", /* and text of this */
        "n = 0x10",
        "anything = x'00'",
        "n IN (5)",
        "new . n = 5",
        "n = 5e",
        "n = 1.2.3",
        "s = \"x\"",
        "'x' = 'x'",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect(others[i], -1);
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static bool same_key(int column, const value *a, const value *b)
{
    buf x = BUF_INIT, y = BUF_INIT;
    assert_true(equality_key(&shape, column, a, &x));
    assert_true(equality_key(&shape, column, b, &y));
    bool same = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
    buf_free(&x);
    buf_free(&y);
    return same;
}

static value int_of(int64_t i)
{
    return (value){.type = VALUE_INT, .i = i};
}

static value real_of(double d)
{
    return (value){.type = VALUE_REAL, .d = d};
}

static value text_of(const char *s)
{
    return (value){.type = VALUE_TEXT, .len = strlen(s), .p = s};
}

static void keys_of_equal_values(void **state)
{
    (void)state;
    value a = int_of(5), b = real_of(5.0), c = real_of(5.5), d = text_of("5");
    assert_true(same_key(N, &a, &b));
    assert_false(same_key(N, &a, &c));
    assert_false(same_key(ANYTHING, &a, &d));
    a = int_of(INT64_MAX);
    b = real_of(9223372036854775807.0); /* 2^63: no integer of 64 bits */
    assert_false(same_key(N, &a, &b));
    a = int_of(INT64_MIN);
    b = real_of(-9223372036854775808.0);
    assert_true(same_key(N, &a, &b));
    a = real_of(0.0);
    b = real_of(-0.0);
    assert_true(same_key(R, &a, &b));
    a = text_of("Straße A");
    b = text_of("straße a");
    assert_true(same_key(NOCASE, &a, &b));
    assert_false(same_key(S, &a, &b));
    a = text_of("x  ");
    b = text_of("x");
    assert_true(same_key(RTRIM, &a, &b));
    assert_false(same_key(S, &a, &b));
    buf none = BUF_INIT;
    a = (value){.type = VALUE_NULL};
    assert_false(equality_key(&shape, N, &a, &none));
    assert_int_equal(none.len, 0);
}

/* ---- the promise ------------------------------------------------------------------------------
 */

static unsigned seed = 20260101;

static unsigned pick(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

static const char *const literals[] = {"0",       "1",
                                       "5",       "-5",
                                       "5.0",     "1.5",
                                       "1e0",     "'a'",
                                       "'A'",     "'a '",
                                       "'5'",     "''",
                                       "5.5",     "9007199254740993",
                                       ".5",      "+5",
                                       "'it''s'", "9223372036854775808"};
static const char *const columns[] = {"n",         "new.r",    "s",       "nocase",
                                      "\"rtrim\"", "anything", "[o \"d]", "num"};

/* What a table can hold: numbers in a column of text are text there, and text that looks like a
 * number is a number in the others. */
static void convert(value *v, column_affinity affinity)
{
    if (affinity == AFFINITY_TEXT && (v->type == VALUE_INT || v->type == VALUE_REAL))
        *v = text_of("5.5");
    else if (affinity != AFFINITY_TEXT && affinity != AFFINITY_BLOB && v->type == VALUE_TEXT &&
             strcmp(v->p, "5") == 0)
        *v = int_of(5);
}

static void make_row(value *row)
{
    static const char *const texts[] = {"a", "A", "a ", "5", "", "it's", "b"};
    static const double reals[] = {
        0, 1, 5, 1.5, 5.5, .5, 9007199254740992.0, 9223372036854775808.0};
    static const int64_t ints[] = {0, 1, 5, -5, 9007199254740993};
    for (int i = 0; i < N_COLUMNS; i++) {
        switch (pick(4)) {
        case 0:
            row[i] = (value){.type = VALUE_NULL};
            break;
        case 1:
            row[i] = text_of(texts[pick(sizeof texts / sizeof *texts)]);
            break;
        case 2:
            row[i] = real_of(reals[pick(sizeof reals / sizeof *reals)]);
            break;
        default:
            row[i] = int_of(ints[pick(sizeof ints / sizeof *ints)]);
        }
        convert(&row[i], affinity_of(types[i]));
    }
}

static void make_where(char *out, size_t room)
{
    const char *column = columns[pick(N_COLUMNS)];
    const char *literal = literals[pick(sizeof literals / sizeof *literals)];
    const char *rest[] = {"", " AND 1", " AND n IS NOT NULL", " -- end"};
    const char *first[] = {"", "", "r IS NOT 7 AND ", "NOT n = 77 AND "};
    const char *equals[] = {"=", " = ", "=="};
    bool swap = pick(3) == 0;
    snprintf(out, room, "%s%s%s%s%s", first[pick(4)], swap ? literal : column, equals[pick(3)],
             swap ? column : literal, rest[pick(4)]);
}

static void a_row_that_matches_has_the_key(void **state)
{
    (void)state;
    error e;
    filter_env *env = filter_env_new(&e);
    int found = 0, matched = 0;
    assert_non_null(env);
    for (int turn = 0; turn < 3000; turn++) {
        char where[200];
        buf key = BUF_INIT;
        int column;
        make_where(where, sizeof where);
        filter *f = filter_new(env, &shape, where, &e);
        if (!f)
            fail_msg("%s: %s", where, e.message);
        if (equality_find(where, &shape, &column, &key)) {
            found++;
            for (int k = 0; k < 20; k++) {
                value row[N_COLUMNS];
                make_row(row);
                if (filter_match(f, row, NULL, &e) != FILTER_YES)
                    continue;
                buf mine = BUF_INIT;
                matched++;
                bool has = equality_key(&shape, column, &row[column], &mine);
                if (!has || mine.len != key.len || memcmp(mine.data, key.data, key.len) != 0)
                    fail_msg("%s: a row of type %d matches without the key", where,
                             row[column].type);
                buf_free(&mine);
            }
        }
        filter_free(f);
        buf_free(&key);
    }
    filter_env_free(env);
    assert_true(found > 1000 && matched > 500);
}

/* ---- the index --------------------------------------------------------------------------------
 */

typedef struct probe {
    index_entry entry;
    int hits;
} probe;

static bool hit(void *arg, index_entry *entry)
{
    (void)arg;
    list_entry(entry, probe, entry)->hits++;
    return true;
}

static void the_index_finds(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static probe probes[MANY + 2];
    filter_index x;
    char where[40];
    memset(probes, 0, sizeof probes);
    filter_index_init(&x);
    for (int i = 0; i < MANY; i++) {
        snprintf(where, sizeof where, i % 2 ? "n = %d" : "s = '%d'", i);
        assert_true(filter_index_add(&x, &probes[i].entry, &shape, where));
    }
    assert_true(filter_index_add(&x, &probes[MANY].entry, &shape, "n > 3"));
    assert_true(filter_index_add(&x, &probes[MANY + 1].entry, &shape, NULL));
    value row[N_COLUMNS] = {[N] = {.type = VALUE_INT, .i = 7}};
    row[S] = text_of("8");
    assert_true(filter_index_find(&x, &shape, row, hit, NULL));
    for (int i = 0; i < MANY + 2; i++)
        assert_int_equal(probes[i].hits, i == 7 || i == 8 || i >= MANY);
    for (int i = 0; i < MANY + 2; i++) {
        filter_index_remove(&probes[i].entry);
        filter_index_remove(&probes[i].entry);
    }
    assert_true(list_empty(&x.columns) && list_empty(&x.others));
    filter_index_free(&x);
}

static void without_memory_an_entry_is_among_the_others(void **state)
{
    (void)state;
    unsigned long total = 1;
    for (unsigned long n = 1; n <= total; n++) {
        filter_index x;
        probe p = {.hits = 0};
        value row[N_COLUMNS] = {[N] = {.type = VALUE_INT, .i = 5}};
        filter_index_init(&x);
        mem_fail_nth(n);
        bool ok = filter_index_add(&x, &p.entry, &shape, "n = 5");
        unsigned long made = mem_fail_nth(0);
        if (total == 1)
            total = 20;
        assert_true(ok || made >= n);
        assert_true(filter_index_find(&x, &shape, row, hit, NULL));
        assert_int_equal(p.hits, 1);
        filter_index_remove(&p.entry);
        filter_index_free(&x);
        if (ok && made < n)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_understood),
        cmocka_unit_test(what_is_left_alone),
        cmocka_unit_test(keys_of_equal_values),
        cmocka_unit_test(a_row_that_matches_has_the_key),
        cmocka_unit_test(the_index_finds),
        cmocka_unit_test(without_memory_an_entry_is_among_the_others),
    };
    return cmocka_run_group_tests_name("equality", tests, NULL, NULL);
}
