/* Fingerprints of statements, and the table of what they cost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/fingerprint.h"
#include "engine/statement_stats.h"

/* ---- fingerprints -----------------------------------------------------------------------------
 */

static void same(const char *sql, const char *expected)
{
    fingerprint f;
    fingerprint_make(&f, sql);
    assert_string_equal(f.text, expected);
    assert_int_equal(f.len, strlen(expected));
}

static void values_become_marks(void **state)
{
    (void)state;
    same("SELECT 1", "select ?");
    same("select  X'00ff', 'it''s', .5, 1e-3, 0x1F , 12.5E+7", "select ?, ...");
    same("SELECT * FROM t WHERE a=1 AND b >= -2.5", "select * from t where a = ? and b >= - ?");
    same("SELECT * FROM t WHERE a = ? AND b = :name AND c=@x AND d = $y AND e = ?12",
         "select * from t where a = ? and b = ? and c = ? and d = ? and e = ?");
    same("SELECT x FROM t WHERE id IN (1,2, 3)", "select x from t where id in (?, ...)");
    same("SELECT x FROM t WHERE id IN (?)", "select x from t where id in (?)");
    same("INSERT INTO t VALUES (1, 'a', x)", "insert into t values (?, ..., x)");
    same("SELECT 1, a, 2, 3, b, 4", "select ?, a, ?, ..., b, ?");
}

static void names_and_operators_stay(void **state)
{
    (void)state;
    same("SELECT \"My Col\", [b c], `d` FROM \"T\"\"x\"",
         "select \"My Col\", [b c], `d` from \"T\"\"x\"");
    same("SELECT t.a,t . b FROM main.t1", "select t.a, t.b from main.t1");
    same("SELECT count(*) FROM t2", "select count(*) from t2");
    same("SELECT a||b, a<>b, a->>'x', c%3", "select a || b, a <> b, a ->> ?, c % ?");
    same("SELECT x1, _y, \xC3\xA9t\xC3\xA9", "select x1, _y, \xC3\xA9t\xC3\xA9");
    same("SELECT 1--2\n+3", "select ? + ?");
}

static void blanks_and_comments_go(void **state)
{
    (void)state;
    same("  -- first\n SELECT /* in */ 1 ; -- last", "select ?");
    same("SELECT\n\t1;", "select ?");
    same("SELECT 'open", "select ?");
    same("SELECT \"open", "select \"open");
    same("/* open", "");
    same("", "");
}

static void a_long_text_is_cut_but_told_apart(void **state)
{
    (void)state;
    static char one[10000], two[10000];
    fingerprint f, g;
    memset(one, 'a', sizeof one - 1);
    memcpy(two, one, sizeof one);
    two[9000] = 'b';
    fingerprint_make(&f, one);
    fingerprint_make(&g, two);
    assert_int_equal(f.len, FINGERPRINT_MAX);
    assert_string_equal(f.text, g.text);
    assert_true(f.id != g.id);
    for (int shift = 0; shift < 4; shift++) { /* never inside a character */
        memset(one, 'a', (size_t)shift);
        for (size_t i = (size_t)shift; i + 4 < sizeof one; i += 4)
            memcpy(one + i, "\xF0\x9F\x98\x80", 4);
        fingerprint_make(&f, one);
        assert_int_equal((f.len - (size_t)shift) % 4, 0);
    }
}

/* ---- the table --------------------------------------------------------------------------------
 */

static void count(statement_stats *t, const char *sql, int64_t us, int64_t rows, bool failed)
{
    statement_entry *kept = NULL;
    const statement_sample m = {failed, rows, us};
    statement_stats_count(t, &kept, sql, &m);
    statement_entry_release(kept);
}

static engine_statements look(statement_stats *t)
{
    engine_statements all;
    assert_true(statement_stats_list(t, &all));
    return all;
}

static void calls_add_up(void **state)
{
    (void)state;
    statement_stats *t = statement_stats_new(10);
    for (int i = 1; i <= 100; i++)
        count(t, i % 2 ? "SELECT 1" : "select  2", i * 100, 3, i == 50);
    engine_statements all = look(t);
    assert_int_equal(all.n, 1);
    const engine_statement *s = &all.items[0];
    assert_string_equal(s->text, "select ?");
    assert_int_equal(s->calls, 100);
    assert_int_equal(s->errors, 1);
    assert_int_equal(s->rows, 300);
    assert_int_equal(s->total_us, 505000);
    assert_int_equal(s->min_us, 100);
    assert_int_equal(s->max_us, 10000);
    assert_true(s->p99_us >= 9900 && s->p99_us <= 10000);
    engine_statements_free(&all);
    statement_stats_free(t);
}

static void the_least_used_make_room(void **state)
{
    (void)state;
    statement_stats *t = statement_stats_new(40);
    char sql[64];
    for (int i = 0; i < 1000; i++) {
        snprintf(sql, sizeof sql, "SELECT a%d", i);
        count(t, sql, 10, 1, false);
        count(t, "SELECT often", 10, 1, false);
    }
    engine_statements all = look(t);
    bool often = false;
    assert_true(all.n <= 40 && all.n > 30);
    assert_int_equal(all.n + all.dropped, 1001);
    for (int i = 0; i < all.n; i++)
        often =
            often || (strcmp(all.items[i].text, "select often") == 0 && all.items[i].calls == 1000);
    assert_true(often);
    engine_statements_free(&all);
    statement_stats_free(t);
}

static void a_kept_entry_is_replaced_when_it_was_dropped(void **state)
{
    (void)state;
    statement_stats *t = statement_stats_new(10);
    statement_entry *kept = NULL;
    const statement_sample m = {false, 1, 5};
    for (int i = 0; i < 3; i++)
        statement_stats_count(t, &kept, "SELECT 1", &m);
    statement_stats_reset(t);
    engine_statements all = look(t);
    assert_int_equal(all.n, 0);
    engine_statements_free(&all);
    statement_stats_count(t, &kept, "SELECT 1", &m);
    all = look(t);
    assert_int_equal(all.n, 1);
    assert_int_equal(all.items[0].calls, 1);
    engine_statements_free(&all);
    statement_entry_release(kept);
    statement_stats_free(t);
}

static void *count_often(void *arg)
{
    statement_entry *kept = NULL;
    const statement_sample m = {false, 1, 7};
    for (int i = 0; i < 20000; i++) {
        if (i % 1000 == 999)
            statement_stats_reset(arg);
        statement_stats_count(arg, &kept, i % 3 ? "SELECT 1" : "SELECT a", &m);
        if (i % 3 == 0) {
            statement_entry_release(kept);
            kept = NULL;
        }
    }
    statement_entry_release(kept);
    return NULL;
}

static void threads_count_while_others_reset(void **state)
{
    (void)state;
    statement_stats *t = statement_stats_new(1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_often, t), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    engine_statements all = look(t);
    assert_true(all.n <= 1);
    engine_statements_free(&all);
    statement_stats_free(t);
}

static void no_memory_counts_nothing(void **state)
{
    (void)state;
    statement_stats *t = statement_stats_new(1);
    engine_statements all;
    for (unsigned long n = 1; n < 8; n++) {
        mem_fail_nth(n);
        count(t, n % 2 ? "SELECT a" : "SELECT b", 1, 1, false);
        mem_fail_nth(0);
    }
    for (unsigned long n = 1; n < 4; n++) {
        mem_fail_nth(n);
        if (statement_stats_list(t, &all))
            engine_statements_free(&all);
        mem_fail_nth(0);
    }
    statement_stats_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_marks),
        cmocka_unit_test(names_and_operators_stay),
        cmocka_unit_test(blanks_and_comments_go),
        cmocka_unit_test(a_long_text_is_cut_but_told_apart),
        cmocka_unit_test(calls_add_up),
        cmocka_unit_test(the_least_used_make_room),
        cmocka_unit_test(a_kept_entry_is_replaced_when_it_was_dropped),
        cmocka_unit_test(threads_count_while_others_reset),
        cmocka_unit_test(no_memory_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
