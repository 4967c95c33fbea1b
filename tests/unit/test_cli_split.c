/* Cutting SQL into statements. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/sql_split.h"

enum { MOST = 16 };

/* Splits `text`, fed in pieces of `piece` bytes, and compares with the statements expected. */
static void splits_in_pieces(const char *text, size_t piece, const char *const *expected)
{
    sql_split s;
    sql_statement stmt;
    size_t n = strlen(text), fed = 0;
    int found = 0;
    sql_split_init(&s);
    for (;;) {
        while (!sql_split_next(&s, fed == n, &stmt)) {
            if (fed == n) {
                assert_null(expected[found]);
                sql_split_free(&s);
                return;
            }
            size_t more = n - fed < piece ? n - fed : piece;
            sql_split_feed(&s, text + fed, more);
            fed += more;
        }
        if (!expected[found])
            fail_msg("\"%s\": one more statement: \"%s\"", text, stmt.text);
        assert_string_equal(stmt.text, expected[found]);
        assert_int_equal(stmt.n, strlen(expected[found]));
        found++;
    }
}

#define SPLITS(text, ...)                                                                          \
    do {                                                                                           \
        const char *const expected[MOST] = {__VA_ARGS__};                                          \
        for (size_t piece = 1; piece <= strlen(text); piece++)                                     \
            splits_in_pieces(text, piece, expected);                                               \
    } while (0)

static void statements_end_at_semicolons(void **state)
{
    (void)state;
    SPLITS("SELECT 1; SELECT 2;", "SELECT 1", "SELECT 2");
    SPLITS("SELECT 1;\n\nSELECT 2", "SELECT 1", "SELECT 2");
    SPLITS("SELECT 1  -- done\n ; SELECT 4 - 2 / 2", "SELECT 1", "SELECT 4 - 2 / 2");
    SPLITS(";;  ; /* only */ -- comments\n;", NULL);
    SPLITS("-- what it is\n/* and */ SELECT /* one; */ 1 -- ; end", "SELECT /* one; */ 1");
}

static void quoted_semicolons_do_not_end(void **state)
{
    (void)state;
    SPLITS("SELECT 'a;b''c;'; SELECT \";\" FROM `;` , [;]; SELECT x';'", "SELECT 'a;b''c;'",
           "SELECT \";\" FROM `;` , [;]", "SELECT x';'");
    SPLITS("SELECT 'never closed; x", "SELECT 'never closed; x");
    SPLITS("SELECT 1 /* never closed; x", "SELECT 1");
    SPLITS("SELECT 'it -- is; no comment', \"/*;\"", "SELECT 'it -- is; no comment', \"/*;\"");
}

static void a_trigger_ends_at_its_end(void **state)
{
    (void)state;
    const char *trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET x = CASE WHEN 1 "
                          "THEN 2 END; DELETE FROM c; END";
    char text[400];
    snprintf(text, sizeof text, "%s; SELECT 1;", trigger);
    SPLITS(text, trigger, "SELECT 1");
    SPLITS("create temp trigger t after insert on a begin select 1; end /* so */ ; select 2",
           "create temp trigger t after insert on a begin select 1; end", "select 2");
    SPLITS("EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER t DELETE ON a BEGIN SELECT 1; END; x",
           "EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER t DELETE ON a BEGIN SELECT 1; END", "x");
    SPLITS("CREATE TABLE trigger (end); SELECT 1", "CREATE TABLE trigger (end)", "SELECT 1");
    SPLITS("CREATE TRIGGER t INSERT ON a BEGIN SELECT 'x'; END x; END; y",
           "CREATE TRIGGER t INSERT ON a BEGIN SELECT 'x'; END x; END", "y");
}

static void lines_are_counted(void **state)
{
    (void)state;
    const char *text = "SELECT 1;\n-- here\n\nSELECT '\n'\n; SELECT 3;";
    const int64_t lines[] = {1, 4, 6};
    sql_split s;
    sql_statement stmt;
    sql_split_init(&s);
    sql_split_feed(&s, text, strlen(text));
    for (int i = 0; i < 3; i++) {
        assert_true(sql_split_next(&s, true, &stmt));
        assert_int_equal(stmt.line, lines[i]);
    }
    assert_false(sql_split_next(&s, true, &stmt));
    sql_split_free(&s);
}

static void transaction_statements_are_known(void **state)
{
    (void)state;
    const char *text = "begin; BEGIN IMMEDIATE; COMMIT TRANSACTION; END; ROLLBACK; ROLLBACK TO x;"
                       "ROLLBACK TRANSACTION TO x; SAVEPOINT x; BEGINNING; SELECT 'BEGIN'";
    const sql_kind kinds[] = {SQL_BEGIN, SQL_BEGIN, SQL_COMMIT, SQL_COMMIT, SQL_ROLLBACK,
                              SQL_OTHER, SQL_OTHER, SQL_OTHER,  SQL_OTHER,  SQL_OTHER};
    sql_split s;
    sql_statement stmt;
    sql_split_init(&s);
    sql_split_feed(&s, text, strlen(text));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_true(sql_split_next(&s, true, &stmt));
        assert_int_equal(stmt.kind, kinds[i]);
    }
    sql_split_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_at_semicolons),
        cmocka_unit_test(quoted_semicolons_do_not_end),
        cmocka_unit_test(a_trigger_ends_at_its_end),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(transaction_statements_are_known),
    };
    return cmocka_run_group_tests_name("cli_split", tests, NULL, NULL);
}
