/* Interactive transactions: isolation, savepoints, limits, and what others notice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%s\" does not start with \"%s\"", text, start);
}

static void commit_and_rollback(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    fx_events(f);
    const char *tx = fx_begin(f);
    assert_int_equal(strlen(tx), 32);
    assert_string_equal(fx_tx(f, tx, "INSERT INTO t VALUES(1, 'x') RETURNING a"), "[1]");
    assert_string_equal(fx_tx(f, tx, "SELECT last_insert_rowid(), count(*) FROM t"), "[1,1]");
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[0]");
    assert_string_equal(fx_events(f), "");
    starts_with(fx_tx(f, tx, "INSERT INTO t VALUES(1, 'again')"), "CONFLICT");
    starts_with(fx_tx(f, tx, "nonsense"), "QUERY_ERROR");
    fx_tx(f, tx, "UPDATE t SET b = 'y'");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_COMMIT), "");
    assert_string_equal(fx_sql(f, "SELECT * FROM t"), "[1,\"y\"]");
    assert_string_equal(fx_events_tx(f),
                        "#1 insert t [1,\"x\"]\n#1 update t [1,\"x\"]>[1,\"y\"]\n");
    starts_with(fx_tx(f, tx, "SELECT 1"), "NOT_FOUND");
    tx = fx_begin(f);
    fx_tx(f, tx, "DELETE FROM t");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_ROLLBACK), "");
    assert_string_equal(fx_events(f), "");
    starts_with(fx_end_tx(f, tx, JOB_TX_COMMIT), "NOT_FOUND");
    starts_with(fx_end_tx(f, "unknown", JOB_TX_COMMIT), "NOT_FOUND");
    fx_ok(f, "INSERT INTO t VALUES(2, 'z')");
    assert_string_equal(fx_log(f), "4 insert t [2,\"z\"]\n");
}

static void savepoints(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a)");
    fx_events(f);
    const char *tx = fx_begin(f);
    fx_tx(f, tx, "INSERT INTO t VALUES(1)");
    assert_string_equal(fx_tx(f, tx, "SAVEPOINT one"), "");
    fx_tx(f, tx, "INSERT INTO t VALUES(2)");
    assert_string_equal(fx_tx(f, tx, "SAVEPOINT two"), "");
    fx_tx(f, tx, "INSERT INTO t VALUES(3)");
    fx_tx(f, tx, "CREATE TABLE u(a)");
    fx_tx(f, tx, "INSERT INTO u VALUES(1)");
    assert_string_equal(fx_tx(f, tx, "ROLLBACK TO two"), "");
    fx_tx(f, tx, "CREATE TABLE u(a, b)");
    fx_tx(f, tx, "INSERT INTO u VALUES(1, 2)");
    assert_string_equal(fx_tx(f, tx, "RELEASE one"), "");
    starts_with(fx_tx(f, tx, "ROLLBACK TO two"), "QUERY_ERROR: no such savepoint");
    starts_with(fx_tx(f, tx, "SAVEPOINT _rustydb_s"), "PERMISSION_DENIED");
    starts_with(fx_tx(f, tx, "COMMIT"), "PERMISSION_DENIED");
    starts_with(fx_tx(f, tx, "ROLLBACK"), "PERMISSION_DENIED");
    starts_with(fx_tx(f, tx, "BEGIN"), "PERMISSION_DENIED");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_COMMIT), "");
    assert_string_equal(fx_log(f), "2 insert t [1]\n3 insert t [2]\n4 create u\n"
                                   "5 insert u [1,2]\n");
    assert_string_equal(fx_sql(f, "SELECT group_concat(a) FROM t"), "[\"1,2\"]");
    starts_with(fx_atomic(f, "SAVEPOINT a", "INSERT INTO t VALUES(7)", "ROLLBACK TO a",
                          "INSERT INTO t VALUES(8)"),
                "");
    assert_string_equal(fx_log(f), "6 insert t [8]\n");
    /* The same text is refused outside, though it was prepared inside. */
    starts_with(fx_sql(f, "SAVEPOINT a"), "PERMISSION_DENIED");
}

static void others_wait(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a)");
    const char *tx = fx_begin(f);
    fx_tx(f, tx, "INSERT INTO t VALUES(1)");
    run *later = run_sql(f, "INSERT INTO t VALUES(2)");
    run *hasty = run_sql(f, "INSERT INTO t VALUES(3)");
    run *second = run_new(f, JOB_TX_BEGIN);
    hasty->job.timeout_us = 50000;
    run_submit(later);
    run_submit(hasty);
    run_submit(second);
    run_wait(hasty);
    assert_int_equal(hasty->err.code, ERR_TIMEOUT);
    assert_non_null(strstr(hasty->err.message, "waited"));
    assert_false(later->done);
    fx_tx(f, tx, "INSERT INTO t VALUES(4)");
    fx_end_tx(f, tx, JOB_TX_COMMIT);
    run_wait(later);
    assert_int_equal(later->err.code, ERR_NONE);
    run_wait(second);
    assert_int_equal(second->err.code, ERR_NONE);
    assert_string_equal(fx_end_tx(f, second->job.tx, JOB_TX_ROLLBACK), "");
    assert_string_equal(fx_sql(f, "SELECT group_concat(a) FROM t"), "[\"1,4,2\"]");
    run_free(later);
    run_free(hasty);
    run_free(second);
}

static void a_cancelled_begin_opens_nothing(void **state)
{
    fx *f = *state;
    const char *tx = fx_begin(f);
    run *r = run_new(f, JOB_TX_BEGIN);
    run_submit(r);
    engine_cancel(f->g, &r->job, ERR_CANCELLED);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_CANCELLED);
    fx_end_tx(f, tx, JOB_TX_ROLLBACK);
    fx_ok(f, "CREATE TABLE t(a)");
    for (int i = 0; i < 200; i++) { /* whenever the cancel comes: both agree */
        run_submit(r);
        engine_cancel(f->g, &r->job, ERR_CANCELLED);
        run_wait(r);
        if (r->err.code == ERR_NONE)
            assert_string_equal(fx_end_tx(f, r->job.tx, JOB_TX_ROLLBACK), "");
        else
            assert_string_equal(r->job.tx, "");
    }
    fx_ok(f, "INSERT INTO t VALUES(1)");
    engine_stats st;
    engine_stats_get(f->g, &st);
    assert_int_equal(st.open_transactions, 0);
    run_free(r);
}

static void limited(fx *f, int64_t idle_us, int64_t max_us)
{
    fx_init(f);
    f->cfg.tx_idle_us = idle_us;
    f->cfg.tx_max_us = max_us;
    fx_open(f);
    fx_ok(f, "CREATE TABLE t(a)");
    fx_events(f);
}

static const char *hint_of(fx *f, const char *tx)
{
    run *r = run_new(f, JOB_TX_QUERY);
    snprintf(r->job.tx, sizeof r->job.tx, "%s", tx);
    run_add(r, "SELECT 1", 0, NULL);
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NOT_FOUND);
    char *hint = strdup(r->err.hint);
    run_free(r);
    return fx_keep(f, hint);
}

static void idle_transactions_end(void **state)
{
    (void)state;
    fx f;
    limited(&f, 200000, 60000000);
    const char *tx = fx_begin(&f);
    fx_tx(&f, tx, "INSERT INTO t VALUES(1)");
    int64_t began = clock_mono_us();
    fx_ok(&f, "INSERT INTO t VALUES(2)"); /* goes on when the idle one has been rolled back */
    assert_in_range(clock_mono_us() - began, 150000, 20000000);
    assert_non_null(strstr(hint_of(&f, tx), "idle"));
    assert_string_equal(fx_log(&f), "2 insert t [2]\n");
    fx_end(&f);
}

static void long_transactions_end(void **state)
{
    (void)state;
    fx f;
    limited(&f, 60000000, 200000);
    const char *tx = fx_begin(&f);
    fx_tx(&f, tx, "INSERT INTO t VALUES(1)");
    fx_ok(&f, "INSERT INTO t VALUES(2)");
    assert_non_null(strstr(hint_of(&f, tx), "too long"));
    tx = fx_begin(&f);
    fx_tx(&f, tx, "INSERT INTO t VALUES(3)");
    /* A statement that runs when the time is up is interrupted. */
    starts_with(fx_tx(&f, tx,
                      "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) "
                      "SELECT count(*) FROM n"),
                "TIMEOUT");
    assert_non_null(strstr(hint_of(&f, tx), "too long"));
    fx_ok(&f, "INSERT INTO t VALUES(4)");
    assert_string_equal(fx_log(&f), "2 insert t [2]\n3 insert t [4]\n");
    fx_end(&f);
}

static void statements_that_end_it(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a UNIQUE)");
    fx_ok(f, "INSERT INTO t VALUES(1)");
    fx_events(f);
    const char *tx = fx_begin(f);
    fx_tx(f, tx, "INSERT INTO t VALUES(2)");
    starts_with(fx_tx(f, tx, "INSERT OR ROLLBACK INTO t VALUES(1)"), "CONFLICT");
    assert_non_null(strstr(hint_of(f, tx), "rolled back the whole"));
    fx_ok(f, "INSERT INTO t VALUES(3)");
    assert_string_equal(fx_log(f), "3 insert t [3]\n");
}

static void deferred_constraints(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE p(id INTEGER PRIMARY KEY)");
    fx_ok(f, "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
    const char *tx = fx_begin(f);
    assert_string_equal(fx_tx(f, tx, "INSERT INTO c VALUES(5)"), "");
    starts_with(fx_end_tx(f, tx, JOB_TX_COMMIT), "CONFLICT: FOREIGN KEY");
    assert_string_equal(fx_tx(f, tx, "INSERT INTO p VALUES(5)"), "");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_COMMIT), "");
    assert_string_equal(fx_sql(f, "SELECT * FROM c"), "[5]");
    fx_ok(f, "CREATE TABLE d(p REFERENCES p)");
    tx = fx_begin(f);
    assert_string_equal(fx_tx(f, tx, "PRAGMA defer_foreign_keys = 1"), "");
    assert_string_equal(fx_tx(f, tx, "INSERT INTO d VALUES(6)"), "");
    assert_string_equal(fx_tx(f, tx, "INSERT INTO p VALUES(6)"), "");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_COMMIT), "");
    starts_with(fx_sql(f, "INSERT INTO d VALUES(7)"), "CONFLICT: FOREIGN KEY");
    starts_with(fx_sql(f, "PRAGMA defer_foreign_keys = 1"), "PERMISSION_DENIED");
}

static void temporary_objects_end_with_it(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a)");
    fx_events(f);
    starts_with(fx_sql(f, "CREATE TEMP TABLE t(a)"), "PERMISSION_DENIED");
    starts_with(fx_sql(f, "CREATE VIRTUAL TABLE temp.x USING fts5(a)"), "PERMISSION_DENIED");
    const char *tx = fx_begin(f);
    fx_tx(f, tx, "CREATE TEMP TABLE t(a)"); /* shadows the real one, in here only */
    fx_tx(f, tx, "CREATE TEMP VIEW v AS SELECT * FROM t");
    fx_tx(f, tx, "CREATE TEMP TRIGGER tr AFTER INSERT ON main.t BEGIN SELECT 1; END");
    fx_tx(f, tx, "INSERT INTO t VALUES(1)");
    assert_string_equal(fx_tx(f, tx, "SELECT * FROM v"), "[1]");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_COMMIT), "");
    fx_ok(f, "INSERT INTO t VALUES(2)");
    assert_string_equal(fx_sql(f, "SELECT * FROM t"), "[2]");
    assert_string_equal(fx_events(f), "insert t [2]\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(commit_and_rollback),
        T(savepoints),
        T(others_wait),
        T(a_cancelled_begin_opens_nothing),
        cmocka_unit_test(idle_transactions_end),
        cmocka_unit_test(long_transactions_end),
        T(statements_that_end_it),
        T(deferred_constraints),
        T(temporary_objects_end_with_it),
    };
    return cmocka_run_group_tests_name("engine transactions", tests, NULL, NULL);
}
