/* The change log as its readers see it: bounds, order, commit times, retention, shapes. */
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static log_bounds bounds(fx *f)
{
    error e;
    log_bounds b;
    error_clear(&e);
    if (!f->log)
        f->log = engine_log_open(f->g, &e);
    assert_non_null(f->log);
    if (!engine_log_bounds(f->log, &b, &e))
        fail_msg("%s", e.message);
    return b;
}

typedef struct seen {
    int n, stop_at;
    int64_t first, last, times[64], tx[64];
} seen;

static bool note(void *arg, const log_record *rec)
{
    seen *s = arg;
    if (s->n == 0)
        s->first = rec->lsn;
    assert_true(s->n == 0 || rec->lsn == s->last + 1);
    s->last = rec->lsn;
    if (s->n < 64) {
        s->times[s->n] = rec->committed_at;
        s->tx[s->n] = rec->tx;
    }
    return ++s->n != s->stop_at;
}

static void insert_rows(fx *f, int n)
{
    for (int i = 0; i < n; i++)
        fx_ok(f, "INSERT INTO t VALUES(1)");
}

static void empty_and_growing(void **state)
{
    fx *f = *state;
    log_bounds b = bounds(f);
    assert_int_equal(b.head, 0);
    assert_int_equal(b.oldest, 1);
    assert_int_equal(strlen(b.log_id), 32);
    error e;
    seen s = {0};
    assert_int_equal(engine_log_read(f->log, 0, 10, note, &s, &e), 0);
    fx_ok(f, "CREATE TABLE t(a)");
    int64_t before = clock_wall_us();
    insert_rows(f, 5);
    int64_t after = clock_wall_us();
    b = bounds(f);
    assert_int_equal(b.head, 6);
    assert_int_equal(b.oldest, 1);
    assert_int_equal(engine_log_read(f->log, 1, 10, note, &s, &e), 5);
    assert_int_equal(s.first, 2);
    for (int i = 0; i < 5; i++) {
        assert_in_range(s.times[i], before, after);
        assert_true(i == 0 || s.times[i] >= s.times[i - 1]);
        assert_true(i == 0 || s.tx[i] > s.tx[i - 1]);
    }
    s = (seen){.stop_at = 2};
    assert_int_equal(engine_log_read(f->log, 0, 10, note, &s, &e), 2);
    s = (seen){0};
    assert_int_equal(engine_log_read(f->log, 6, 10, note, &s, &e), 0);
    assert_int_equal(engine_log_read(f->log, 60, 10, note, &s, &e), 0);
    assert_int_equal(engine_log_read(f->log, 0, 0, note, &s, &e), 0);
    char id[40];
    int64_t tx = s.tx[0];
    memcpy(id, b.log_id, sizeof id);
    fx_close(f);
    fx_open(f);
    b = bounds(f);
    assert_string_equal(b.log_id, id);
    assert_int_equal(b.head, 6);
    insert_rows(f, 1);
    assert_int_equal(engine_log_read(f->log, 6, 10, note, &s, &e), 1);
    assert_true(s.tx[0] > tx);
}

static int64_t oldest(fx *f)
{
    engine_stats st;
    engine_stats_get(f->g, &st);
    return st.log_oldest;
}

static void retention_by_count(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    f.cfg.log_max_events = 10;
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    insert_rows(&f, 40);
    fx_until(oldest(&f) == 32);
    log_bounds b = bounds(&f);
    assert_int_equal(b.oldest, 32);
    assert_int_equal(b.head, 41);
    error e;
    seen s = {0};
    assert_int_equal(engine_log_read(f.log, 31, 100, note, &s, &e), 10);
    assert_true(s.times[0] > 0 && s.times[0] <= s.times[9]);
    s.n = 0;
    assert_int_equal(engine_log_read(f.log, 30, 100, note, &s, &e), -1);
    assert_int_equal(e.code, ERR_GAP);
    assert_int_equal(e.detail, 32);
    /* Under load the log is kept short too: nobody waits for the writer to be idle. */
    fx_ok(&f, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
              "INSERT INTO t SELECT i FROM n");
    fx_until(oldest(&f) == 5041 - 9);
    fx_close(&f);
    fx_open(&f);
    assert_int_equal(bounds(&f).head, 5041);
    fx_end(&f);
}

static void retention_by_age(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    f.cfg.log_max_age_us = 100000;
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    insert_rows(&f, 9);
    fx_until(oldest(&f) == 10); /* the last one stays: it tells the head */
    insert_rows(&f, 1);
    log_bounds b = bounds(&f);
    assert_int_equal(b.head, 11);
    fx_until(oldest(&f) == 11);
    f.seen = 10;
    assert_string_equal(fx_log(&f), "11 insert t [1]\n");
    fx_end(&f);
}

static int64_t shapes_stored(fx *f)
{
    fx_close(f);
    char path[128];
    snprintf(path, sizeof path, "%s/rustydb.db", f->dir);
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_prepare_v2(db, "SELECT count(*) FROM _rustydb_shape", -1, &q, NULL);
    sqlite3_step(q);
    int64_t n = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    fx_open(f);
    return n;
}

static void shapes_go_with_their_records(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    f.cfg.log_max_events = 4;
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    for (int i = 0; i < 20; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "CREATE TABLE x%d(a)", i);
        fx_ok(&f, sql);
        snprintf(sql, sizeof sql, "DROP TABLE x%d", i);
        fx_ok(&f, sql);
    }
    insert_rows(&f, 10);
    run *r = run_new(&f, JOB_CHECKPOINT);
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    run_free(r);
    assert_int_equal(shapes_stored(&f), 1);
    /* A shape that went and comes back is written again. */
    fx_ok(&f, "CREATE TABLE x1(a)");
    fx_ok(&f, "INSERT INTO x1 VALUES(7)");
    f.seen = bounds(&f).head - 1;
    assert_string_equal(fx_events(&f), "insert x1 [7]\n");
    fx_end(&f);
}

typedef struct last_record {
    int64_t shape;
    log_op op;
} last_record;

static bool note_shape(void *arg, const log_record *rec)
{
    *(last_record *)arg = (last_record){rec->shape->id, rec->op};
    return true;
}

static void shapes_of_tables(void **state)
{
    fx *f = *state;
    error e;
    fx_ok(f, "CREATE TABLE T1(a INTEGER, \"b c\" TEXT COLLATE NOCASE, d, PRIMARY KEY(\"b c\", a))");
    fx_ok(f, "CREATE VIEW v AS SELECT 1");
    bounds(f);
    const table_shape *s = engine_log_table(f->log, "t1", &e);
    assert_non_null(s);
    assert_string_equal(s->table, "T1");
    assert_int_equal(s->n_columns, 3);
    assert_string_equal(s->names[1], "b c");
    assert_string_equal(s->types[1], "TEXT");
    assert_string_equal(s->types[2], "");
    assert_string_equal(s->collations[1], "NOCASE");
    assert_string_equal(s->collations[0], "BINARY");
    assert_int_equal(s->pk[0], 2);
    assert_int_equal(s->pk[1], 1);
    assert_int_equal(s->pk[2], 0);
    const char *const none[] = {"missing", "v", "_rustydb_log", "sqlite_schema", ""};
    for (int i = 0; i < 5; i++) {
        assert_null(engine_log_table(f->log, none[i], &e));
        assert_int_equal(e.code, ERR_TABLE_NOT_FOUND);
    }
    last_record last;
    fx_ok(f, "INSERT INTO T1 VALUES(1, 'x', 2)");
    assert_int_equal(engine_log_read(f->log, 1, 5, note_shape, &last, &e), 1);
    assert_int_equal(last.shape, s->id);
    fx_ok(f, "ALTER TABLE T1 ADD COLUMN z");
    const table_shape *altered = engine_log_table(f->log, "T1", &e);
    assert_non_null(altered);
    assert_int_not_equal(altered->id, s->id);
    assert_int_equal(altered->n_columns, 4);
    fx_ok(f, "INSERT INTO T1 VALUES(2, 'y', 2, 3)");
    assert_int_equal(engine_log_read(f->log, 3, 5, note_shape, &last, &e), 1);
    assert_int_equal(last.shape, altered->id);
}

static bool note_ddl(void *arg, const log_record *rec)
{
    buf_addf(arg, "%s|%s|%s|%s|%d\n", log_op_name(rec->op), rec->shape->table, rec->text,
             rec->other ? rec->other : "-", rec->shape->n_columns);
    return true;
}

static void schema_records(void **state)
{
    fx *f = *state;
    error e;
    buf out = BUF_INIT;
    fx_ok(f, "CREATE TABLE t(a) -- mine");
    fx_ok(f, "ALTER TABLE t ADD b");
    fx_ok(f, "ALTER TABLE t RENAME TO u");
    fx_ok(f, "DROP TABLE u");
    bounds(f);
    assert_int_equal(engine_log_read(f->log, 0, 10, note_ddl, &out, &e), 4);
    assert_string_equal(buf_cstr(&out), "create|t|CREATE TABLE t(a) -- mine|-|1\n"
                                        "alter|t|ALTER TABLE t ADD b|-|2\n"
                                        "rename|t|ALTER TABLE t RENAME TO u|u|2\n"
                                        "drop|u|DROP TABLE u|-|2\n");
    buf_free(&out);
}

/* on_commit tells the head of every commit that made records, and no other. */
typedef struct commits {
    atomic_int n;
    atomic_llong head;
} commits;

static void on_commit(void *arg, int64_t head)
{
    commits *c = arg;
    atomic_fetch_add(&c->n, 1);
    atomic_store(&c->head, head);
}

static void commits_are_announced(void **state)
{
    (void)state;
    fx f;
    commits c = {0};
    fx_init(&f);
    f.cfg.on_commit = on_commit;
    f.cfg.on_commit_arg = &c;
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    assert_int_equal(atomic_load(&c.head), 1); /* before the answer */
    fx_ok(&f, "INSERT INTO t VALUES(1), (2)");
    assert_int_equal(atomic_load(&c.head), 3);
    assert_int_equal(atomic_load(&c.n), 2);
    fx_ok(&f, "DELETE FROM t WHERE a = 77");
    fx_sql(&f, "INSERT INTO t VALUES(1, 2)");
    assert_int_equal(atomic_load(&c.n), 2);
    fx_ok(&f, "CREATE INDEX i ON t(a)"); /* no record, but another schema */
    assert_int_equal(atomic_load(&c.n), 3);
    assert_int_equal(atomic_load(&c.head), 3);
    fx_end(&f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(empty_and_growing),
        cmocka_unit_test(retention_by_count),
        cmocka_unit_test(retention_by_age),
        cmocka_unit_test(shapes_go_with_their_records),
        T(shapes_of_tables),
        T(schema_records),
        cmocka_unit_test(commits_are_announced),
    };
    return cmocka_run_group_tests_name("engine log", tests, NULL, NULL);
}
