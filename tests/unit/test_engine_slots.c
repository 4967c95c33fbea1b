/* Slots: kept, replaced and dropped by the writer's commits, closed to SQL, and no events. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine_fixture.h"
#include "sqlite_memory.h"

static slot_change put(const char *name, int64_t lsn)
{
    slot_change c = {.slot = {.log_id = "log-1", .lsn = lsn, .created_at = 5, .seen_at = lsn + 1}};
    snprintf(c.slot.name, sizeof c.slot.name, "%s", name);
    return c;
}

static slot_change drop(const char *name)
{
    slot_change c = put(name, 0);
    c.drop = true;
    return c;
}

static run *submit(fx *f, const slot_change *changes, int n)
{
    run *r = run_new(f, JOB_SLOTS);
    r->job.slots = changes;
    r->job.n_slots = n;
    run_submit(r);
    return r;
}

static void apply(fx *f, const slot_change *changes, int n)
{
    run *r = submit(f, changes, n);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    assert_int_equal(r->ends, 1);
    run_free(r);
}

static bool list_one(void *arg, const log_slot *s)
{
    buf_addf(arg, "%s %s %lld %lld %lld\n", s->name, s->log_id, (long long)s->lsn,
             (long long)s->created_at, (long long)s->seen_at);
    return !((buf *)arg)->failed;
}

static void expect(fx *f, const char *slots)
{
    buf b = BUF_INIT;
    error e;
    if (!engine_slots_read(f->g, list_one, &b, &e))
        fail_msg("%s", e.message);
    assert_string_equal(buf_cstr(&b), slots);
    buf_free(&b);
}

static void kept_replaced_dropped(void **state)
{
    fx *f = *state;
    expect(f, "");
    const slot_change first[] = {put("b", 7), put("a", 3)};
    apply(f, first, 2);
    expect(f, "a log-1 3 5 4\nb log-1 7 5 8\n");
    const slot_change second[] = {put("a", 9), drop("b"), drop("unknown")};
    apply(f, second, 3);
    expect(f, "a log-1 9 5 10\n");
    fx_close(f);
    fx_open(f);
    expect(f, "a log-1 9 5 10\n");
}

static void no_events(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(x)");
    fx_ok(f, "INSERT INTO t VALUES(1)");
    fx_events(f);
    const slot_change one[] = {put("a", 1)};
    apply(f, one, 1);
    assert_string_equal(fx_events(f), "");
    engine_stats stats;
    engine_stats_get(f->g, &stats);
    assert_int_equal(stats.log_head, 2);
}

static void closed_to_sql(void **state)
{
    fx *f = *state;
    assert_non_null(strstr(fx_sql(f, "SELECT * FROM _rustydb_slot"), "PERMISSION_DENIED"));
    assert_non_null(strstr(fx_sql(f, "DELETE FROM _rustydb_slot"), "PERMISSION_DENIED"));
    assert_non_null(strstr(fx_sql(f, "DROP TABLE _rustydb_slot"), "PERMISSION_DENIED"));
}

/* In one group with statements, of which some fail: neither harms the other. */
static void among_statements(void **state)
{
    enum { EACH = 40 };
    fx *f = *state;
    run *runs[3 * EACH];
    slot_change changes[EACH];
    fx_ok(f, "CREATE TABLE t(x PRIMARY KEY)");
    fx_ok(f, "CREATE TRIGGER down BEFORE DELETE ON t BEGIN SELECT RAISE(ROLLBACK, 'all'); END");
    fx_ok(f, "INSERT INTO t VALUES(1)");
    for (int i = 0; i < EACH; i++) {
        char sql[64];
        changes[i] = put("a", i);
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%d)", 10 + i);
        runs[3 * i] = run_sql(f, fx_keep(f, strdup(sql)));
        run_submit(runs[3 * i]);
        runs[3 * i + 1] = submit(f, &changes[i], 1);
        runs[3 * i + 2] = run_sql(f, i % 2 ? "INSERT INTO t VALUES(1)" : "DELETE FROM t");
        run_submit(runs[3 * i + 2]);
    }
    for (int i = 0; i < 3 * EACH; i++) {
        run_wait(runs[i]);
        assert_int_equal(runs[i]->err.code != ERR_NONE, i % 3 == 2);
        run_free(runs[i]);
    }
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[41]");
    expect(f, "a log-1 39 5 40\n");
}

/* An interactive transaction has the writer: the slot waits, and is not part of it. */
static void not_in_a_transaction(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(x)");
    const char *tx = fx_begin(f);
    fx_tx(f, tx, "INSERT INTO t VALUES(1)");
    const slot_change one[] = {put("a", 1)};
    run *r = submit(f, one, 1);
    expect(f, "");
    assert_string_equal(fx_end_tx(f, tx, JOB_TX_ROLLBACK), "");
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    run_free(r);
    expect(f, "a log-1 1 5 2\n");
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[0]");
}

/* A database that was made before there were slots gets the table. */
static void older_database(void **state)
{
    fx *f = *state;
    char path[160];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/rustydb.db", f->dir);
    fx_close(f);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE _rustydb_slot", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    fx_open(f);
    const slot_change one[] = {put("a", 1)};
    apply(f, one, 1);
    expect(f, "a log-1 1 5 2\n");
}

/* A name that cannot be one of ours is not cut to fit. */
static void unreadable(void **state)
{
    fx *f = *state;
    char path[160];
    sqlite3 *db;
    error e;
    buf b = BUF_INIT;
    snprintf(path, sizeof path, "%s/rustydb.db", f->dir);
    fx_close(f);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO _rustydb_slot VALUES(printf('%.*c', 64, 'x'),"
                                  " 'log-1', 1, 1, 1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    fx_open(f);
    assert_false(engine_slots_read(f->g, list_one, &b, &e));
    assert_int_equal(e.code, ERR_CORRUPT);
    buf_free(&b);
}

/* Memory that runs out at any allocation is told, or does not matter; no slot is left out. */
static void out_of_memory(void **state)
{
    fx *f = *state;
    const slot_change two[] = {put("a", 1), put("b", 2)};
    apply(f, two, 2);
    int failures = 0;
    bool hit = true;
    for (unsigned long n = 1; hit; n++) {
        buf b = BUF_INIT;
        error e;
        error_clear(&e);
        mem_fail_nth(n);
        bool ok = engine_slots_read(f->g, list_one, &b, &e);
        hit = mem_fail_nth(0) >= n;
        if (ok)
            assert_string_equal(buf_cstr(&b), "a log-1 1 5 2\nb log-1 2 5 3\n");
        else
            assert_int_not_equal(e.code, ERR_NONE);
        failures += !ok;
        buf_free(&b);
    }
    assert_true(failures > 10);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(kept_replaced_dropped), T(no_events),      T(closed_to_sql), T(among_statements),
        T(not_in_a_transaction),  T(older_database), T(unreadable),    T(out_of_memory),
    };
    sqlite_memory_is_ours();
    return cmocka_run_group_tests_name("engine slots", tests, NULL, NULL);
}
