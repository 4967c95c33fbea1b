/* The engine from end to end: values, parameters, errors, routing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static void first_steps(void **state)
{
    fx *f = *state;
    assert_string_equal(fx_sql(f, "SELECT 1, 'a', NULL, 2.5, x'00ff'"),
                        "[1,\"a\",null,2.5,{\"$base64\":\"AP8=\"}]");
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)");
    fx_ok(f, "INSERT INTO t VALUES(1, 'x'), (2, 'y')");
    fx_ok(f, "UPDATE t SET b = 'z' WHERE a = 2");
    fx_ok(f, "DELETE FROM t WHERE a = 1");
    assert_string_equal(fx_sql(f, "SELECT * FROM t"), "[2,\"z\"]");
    assert_string_equal(fx_log(f), "1 create t\n"
                                   "2 insert t [1,\"x\"]\n"
                                   "3 insert t [2,\"y\"]\n"
                                   "4 update t [2,\"y\"]>[2,\"z\"]\n"
                                   "5 delete t [1,\"x\"]\n");
    fx_close(f);
    fx_open(f);
    assert_string_equal(fx_sql(f, "SELECT * FROM t"), "[2,\"z\"]");
    fx_ok(f, "INSERT INTO t VALUES(3, NULL)");
    assert_string_equal(fx_log(f), "6 insert t [3,null]\n");
}

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%s\" does not start with \"%s\"", text, start);
}

/* Sends one statement with parameters; names may be NULL. */
static const char *with_params(fx *f, const char *sql, int n, const value *v,
                               const char *const *names)
{
    run *r = run_sql(f, sql);
    r->stmts[0].n_params = n;
    r->stmts[0].params = v;
    r->stmts[0].names = names;
    run_submit(r);
    run_wait(r);
    char *text = r->err.code ? strdup(r->err.message) : strdup(buf_cstr(&r->rows));
    run_free(r);
    return fx_keep(f, text);
}

static void values_keep_their_worth(void **state)
{
    fx *f = *state;
    const value v[] = {vi(INT64_MAX),      vi(INT64_MIN),   vr(0.1),
                       vt("h\xc3\xa9llo"), vb("\0\1\2", 3), vn()};
    const value empty[] = {vb(NULL, 0), {.type = VALUE_TEXT}};
    const value nul[] = {{.type = VALUE_TEXT, .len = 3, .p = "a\0b"}};
    static const char *const expect =
        "[9223372036854775807,-9223372036854775808,0.1,\"h\xc3\xa9llo\","
        "{\"$base64\":\"AAEC\"},null]\n";
    assert_string_equal(with_params(f, "SELECT ?, ?, ?, ?, ?, ?", 6, v, NULL), expect);
    fx_ok(f, "CREATE TABLE v(a, b, c, d, e, f)");
    assert_string_equal(
        with_params(f, "INSERT INTO v VALUES(?, ?, ?, ?, ?, ?) RETURNING *", 6, v, NULL), expect);
    assert_string_equal(with_params(f, "SELECT * FROM v", 0, NULL, NULL), expect);
    assert_string_equal(with_params(f, "SELECT typeof(?1), typeof(?2), length(?1)", 2, empty, NULL),
                        "[\"blob\",\"text\",0]\n");
    assert_string_equal(with_params(f, "SELECT length(CAST(? AS BLOB))", 1, nul, NULL), "[3]\n");
    assert_string_equal(fx_sql(f, "SELECT 1e999, -1e999"),
                        "[{\"$real\":\"Infinity\"},{\"$real\":\"-Infinity\"}]");
    starts_with(fx_log(f), "1 create v\n2 insert v [9223372036854775807,");
}

static void parameters_are_checked(void **state)
{
    fx *f = *state;
    const value v[] = {vi(1), vi(2)};
    const char *const ab[] = {"a", "b"};
    const char *const ax[] = {"a", "x"};
    assert_string_equal(with_params(f, "SELECT ?", 2, v, NULL),
                        "the statement has 1 parameter, 2 were given");
    assert_string_equal(with_params(f, "SELECT ?, ?", 1, v, NULL),
                        "the statement has 2 parameters, 1 was given");
    assert_string_equal(with_params(f, "SELECT :a, @b, $a", 2, v, ab), "[1,2,1]\n");
    assert_string_equal(with_params(f, "SELECT :a, :b", 2, v, ax),
                        "no value was given for the parameter \"b\"");
    assert_string_equal(with_params(f, "SELECT :a", 2, v, ax),
                        "the statement has no parameter named \"x\"");
    assert_string_equal(with_params(f, "SELECT :a, ?", 2, v, ab),
                        "parameter 2 of the statement has no name");
    /* A cached statement does not remember the last one's values. */
    assert_string_equal(with_params(f, "SELECT ?", 1, v, NULL), "[1]\n");
    assert_string_equal(with_params(f, "SELECT ?", 1, v + 1, NULL), "[2]\n");
}

static void errors_say_what_and_where(void **state)
{
    fx *f = *state;
    static const struct {
        const char *sql, *says;
        int position;
    } bad[] = {
        {"SELEC 1", "QUERY_ERROR: near \"SELEC\": syntax error", 0},
        {"SELECT 1 FROM nowhere", "TABLE_NOT_FOUND: no such table: nowhere", -1},
        {"INSERT INTO nowhere VALUES(1)", "TABLE_NOT_FOUND: no such table: nowhere", -1},
        {"SELECT missing FROM t", "QUERY_ERROR: no such column: missing", 7},
        {"", "QUERY_ERROR: the statement is empty", -1},
        {" ; -- nothing", "QUERY_ERROR: the statement is empty", -1},
        {"SELECT 1; SELECT 2", "QUERY_ERROR: there is more than one statement", 10},
        {"INSERT INTO t VALUES(7); DROP TABLE t", "QUERY_ERROR: there is more than one", 25},
        {"INSERT INTO t VALUES(1)", "CONFLICT: UNIQUE constraint failed: t.a", -1},
        {"SELECT abs(-9223372036854775807 - 1)", "QUERY_ERROR: integer overflow", -1},
        {"SELECT zeroblob(1000000000)", "MESSAGE_TOO_BIG: string or blob too big", -1},
    };
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY)");
    fx_ok(f, "INSERT INTO t VALUES(1); -- with a comment /* behind */ ;");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        run *r = run_sql(f, bad[i].sql);
        run_submit(r);
        run_wait(r);
        char text[600];
        snprintf(text, sizeof text, "%s: %s", error_describe(r->err.code)->name, r->err.message);
        starts_with(text, bad[i].says);
        assert_int_equal(r->err.position, bad[i].position);
        assert_int_equal(r->dones, 1);
        run_free(r);
    }
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[1]");
}

static run *did(fx *f, const char *sql, bool readonly)
{
    run *r = run_sql(f, sql);
    r->job.readonly = readonly;
    run_submit(r);
    run_wait(r);
    return r;
}

static void statements_find_their_thread(void **state)
{
    fx *f = *state;
    static const struct {
        const char *sql;
        bool held; /* the writer ran it */
    } all[] = {
        {"CREATE TABLE t(a INTEGER PRIMARY KEY, b)", true},
        {"SELECT * FROM t", false},
        {" /* x */ values(1)", false},
        {"WITH x AS (SELECT 1) SELECT * FROM x", false},
        {"WITH x AS (SELECT 5) INSERT INTO t SELECT *, 1 FROM x", true},
        {"EXPLAIN QUERY PLAN DELETE FROM t", false},
        {"EXPLAIN DELETE FROM t", false},
        {"PRAGMA user_version", false},
        {"PRAGMA user_version = 5", true},
        {"PRAGMA optimize", true},
        {"PRAGMA table_info(t)", false},
        {"REPLACE INTO t VALUES(5, 2)", true},
        {"DELETE FROM t RETURNING a", true},
        {"ANALYZE", true},
        {"VACUUM", true},
        {"PRAGMA wal_checkpoint(TRUNCATE)", true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        run *r = did(f, all[i].sql, true);
        if (all[i].held)
            assert_int_equal(r->err.code, ERR_READ_ONLY);
        else
            assert_int_equal(r->err.code, ERR_NONE);
        run_free(r);
        r = did(f, all[i].sql, false);
        if (r->err.code != ERR_NONE)
            fail_msg("%s: %s", all[i].sql, r->err.message);
        if (r->held != all[i].held)
            fail_msg("%s ran on the wrong thread", all[i].sql);
        assert_int_equal(r->begins, 1);
        assert_int_equal(r->ends, 1);
        run_free(r);
    }
    assert_string_equal(fx_sql(f, "PRAGMA user_version"), "[5]");
}

static void summaries_tell_what_happened(void **state)
{
    fx *f = *state;
    run *r = did(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)", false);
    assert_int_equal(r->sum[0].changes, 0);
    assert_int_equal(r->sum[0].lsn, 1);
    run_free(r);
    r = did(f, "INSERT INTO t(b) VALUES('x'), ('y'), ('z')", false);
    assert_int_equal(r->sum[0].changes, 3);
    assert_int_equal(r->sum[0].last_insert_rowid, 3);
    assert_int_equal(r->sum[0].lsn, 4);
    assert_string_equal(buf_cstr(&r->columns), "\n");
    run_free(r);
    r = did(f, "UPDATE t SET b = 'w' WHERE a > 1", false);
    assert_int_equal(r->sum[0].changes, 2);
    assert_int_equal(r->sum[0].last_insert_rowid, 0);
    run_free(r);
    r = did(f, "INSERT INTO t VALUES(1, 'q') ON CONFLICT DO UPDATE SET b = excluded.b", false);
    assert_int_equal(r->sum[0].changes, 1);
    assert_int_equal(r->sum[0].last_insert_rowid, 0);
    run_free(r);
    r = did(f, "CREATE INDEX i ON t(b)", false);
    assert_int_equal(r->sum[0].changes, 0);
    run_free(r);
    r = did(f, "SELECT a, b, a + 1 AS c FROM t ORDER BY a", false);
    assert_string_equal(buf_cstr(&r->columns), "a:INTEGER b:TEXT c:-\n");
    assert_int_equal(r->sum[0].rows, 3);
    assert_int_equal(r->sum[0].lsn, 7);
    run_free(r);
    r = run_sql(f, "SELECT a FROM t ORDER BY a");
    r->job.max_rows = 2;
    run_submit(r);
    run_wait(r);
    assert_string_equal(buf_cstr(&r->rows), "[1]\n[2]\n");
    assert_true(r->sum[0].truncated);
    run_free(r);
    r = run_sql(f, "UPDATE t SET b = 'v' RETURNING a");
    r->job.max_rows = 1;
    run_submit(r);
    run_wait(r);
    assert_string_equal(buf_cstr(&r->rows), "[1]\n");
    assert_true(r->sum[0].truncated);
    assert_int_equal(r->sum[0].changes, 3);
    run_free(r);
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t WHERE b = 'v'"), "[3]");
}

static void batches_run_each_on_its_own(void **state)
{
    fx *f = *state;
    run *r = run_new(f, JOB_BATCH);
    run_add(r, "CREATE TABLE t(a INTEGER PRIMARY KEY)", 0, NULL);
    run_add(r, "INSERT INTO t VALUES(1)", 0, NULL);
    run_add(r, "INSERT INTO t VALUES(1)", 0, NULL);
    run_add(r, "SELECT * FROM t", 0, NULL);
    run_add(r, "VACUUM", 0, NULL);
    run_add(r, "INSERT INTO t VALUES(2) RETURNING a", 0, NULL);
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    assert_int_equal(r->failed[2].code, ERR_CONFLICT);
    assert_int_equal(r->ends, 5);
    assert_int_equal(r->failures, 1);
    assert_string_equal(buf_cstr(&r->rows), "[1]\n[2]\n");
    run_free(r);
    assert_string_equal(fx_events_tx(f), "#1 create t\n#2 insert t [1]\n#3 insert t [2]\n");
    /* Reading batches run on a reader, and refuse what writes. */
    r = run_new(f, JOB_BATCH);
    r->job.readonly = true;
    run_add(r, "SELECT 1", 0, NULL);
    run_add(r, "DELETE FROM t", 0, NULL);
    run_add(r, "SELECT max(a) FROM t", 0, NULL);
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    assert_int_equal(r->failed[1].code, ERR_READ_ONLY);
    assert_string_equal(buf_cstr(&r->rows), "[1]\n[2]\n");
    assert_false(r->held);
    run_free(r);
}

static void atomic_batches_are_all_or_nothing(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE p(id INTEGER PRIMARY KEY, n)");
    fx_ok(f, "CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p DEFERRABLE INITIALLY "
             "DEFERRED)");
    fx_events(f);
    assert_string_equal(fx_atomic(f, "INSERT INTO p VALUES(7, 'x')",
                                  "INSERT INTO c(p) VALUES(last_insert_rowid())", "SELECT p FROM c",
                                  NULL),
                        "[7]");
    assert_string_equal(fx_events_tx(f), "#1 insert p [7,\"x\"]\n#1 insert c [1,7]\n");
    run *r = run_new(f, JOB_ATOMIC);
    run_add(r, "INSERT INTO p VALUES(8, 'y')", 0, NULL);
    run_add(r, "INSERT INTO p VALUES(7, 'z')", 0, NULL);
    run_add(r, "INSERT INTO p VALUES(9, 'z')", 0, NULL);
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_CONFLICT);
    assert_int_equal(r->index, 1);
    run_free(r);
    /* A deferred key may be violated in between, not at the end. */
    assert_string_equal(
        fx_atomic(f, "INSERT INTO c VALUES(5, 20)", "INSERT INTO p VALUES(20, 'n')"), "");
    starts_with(fx_atomic(f, "INSERT INTO c VALUES(6, 21)", "INSERT INTO p VALUES(22, 'n')"),
                "CONFLICT: FOREIGN KEY");
    starts_with(fx_sql(f, "INSERT INTO c VALUES(6, 21)"), "CONFLICT: FOREIGN KEY");
    assert_string_equal(fx_sql(f, "SELECT group_concat(id) FROM p"), "[\"7,20\"]");
    assert_string_equal(fx_log(f), "5 insert c [5,20]\n6 insert p [20,\"n\"]\n");
}

static void imports_are_chunks(void **state)
{
    fx *f = *state;
    const char *const columns[] = {"a", "b \"x\""};
    const char *const types[] = {"INTEGER", "TEXT"};
    value cells[] = {vi(1), vt("x"), vi(2), vn(), vi(3), vt("z")};
    run *r = run_new(f, JOB_INSERT_ROWS);
    r->job.rows = (job_rows){.table = "im \"p\"",
                             .create = true,
                             .n_columns = 2,
                             .columns = columns,
                             .types = types,
                             .n_rows = 3,
                             .cells = cells};
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    assert_int_equal(r->sum[0].changes, 3);
    assert_int_equal(r->sum[0].lsn, 4);
    fx_ok(f, "CREATE UNIQUE INDEX i ON \"im \"\"p\"\"\"(a)");
    cells[0] = vi(10);
    run_submit(r); /* the second row is there already: nothing of the chunk is kept */
    run_wait(r);
    assert_int_equal(r->err.code, ERR_CONFLICT);
    starts_with(r->err.message, "row 2: UNIQUE");
    run_free(r);
    assert_string_equal(fx_sql(f, "SELECT count(*), max(a) FROM \"im \"\"p\"\"\""), "[3,3]");
    assert_string_equal(fx_log(f), "1 create im \"p\"\n"
                                   "2 insert im \"p\" [1,\"x\"]\n"
                                   "3 insert im \"p\" [2,null]\n"
                                   "4 insert im \"p\" [3,\"z\"]\n");
}

static void inspection_is_a_job(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY)");
    run *r = run_new(f, JOB_INSPECT);
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    assert_non_null(strstr(buf_cstr(&r->job.text), "\"name\":\"t\""));
    assert_null(strstr(buf_cstr(&r->job.text), "_rustydb"));
    buf_clear(&r->job.text);
    r->job.table = "none";
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_TABLE_NOT_FOUND);
    run_free(r);
}

static void ids_are_unique(void **state)
{
    fx *f = *state;
    run *a = run_sql(f, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT i "
                        "FROM n");
    run *b = run_sql(f, "SELECT 1");
    snprintf(a->job.id, sizeof a->job.id, "mine");
    snprintf(b->job.id, sizeof b->job.id, "mine");
    a->full_every = 1;
    run_submit(a);
    run_wait_parked(a, 1);
    run_submit(b);
    run_wait(b);
    assert_int_equal(b->err.code, ERR_CONFLICT);
    assert_true(engine_cancel_id(f->g, "mine", ERR_CANCELLED));
    run_wait(a);
    assert_int_equal(a->err.code, ERR_CANCELLED);
    assert_false(engine_cancel_id(f->g, "mine", ERR_CANCELLED));
    run_submit(b);
    run_wait(b);
    assert_int_equal(b->err.code, ERR_NONE);
    b->job.id[0] = '\0';
    run_submit(b);
    run_wait(b);
    assert_true(b->job.id[0] != '\0');
    run_free(a);
    run_free(b);
}

static void facts_are_kept(void **state)
{
    fx *f = *state;
    error e;
    char out[8];
    assert_int_equal(engine_meta_get(f->g, "k", out, sizeof out, &e), -1);
    assert_true(engine_meta_set(f->g, "k", "v\0w", 3, &e));
    fx_close(f);
    fx_open(f);
    assert_int_equal(engine_meta_get(f->g, "k", out, sizeof out, &e), 3);
    assert_memory_equal(out, "v\0w", 3);
    assert_int_equal(engine_meta_get(f->g, "k", out, 2, &e), -1);
    assert_int_equal(e.code, ERR_MESSAGE_TOO_BIG);
    assert_string_equal(fx_log(f), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_steps, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(values_keep_their_worth, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(parameters_are_checked, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(errors_say_what_and_where, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(statements_find_their_thread, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(summaries_tell_what_happened, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(batches_run_each_on_its_own, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(atomic_batches_are_all_or_nothing, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(imports_are_chunks, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(inspection_is_a_job, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(ids_are_unique, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(facts_are_kept, fx_setup, fx_teardown),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
