/* What clients' SQL may not do, and what it may. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static void check(fx *f, const char *sql, const char *start)
{
    const char *got = fx_sql(f, sql);
    if (strncmp(got, start, strlen(start)) != 0)
        fail_msg("%s gave \"%s\" instead of \"%s\"", sql, got, start);
}

static void refused_to_everyone(void **state)
{
    fx *f = *state;
    static const char *const all[] = {
        "SELECT * FROM _rustydb_meta",
        "SELECT count(*) FROM _rustydb_log",
        "SELECT 1 FROM _RUSTYDB_LOG LIMIT 0",
        "WITH x AS (SELECT * FROM main._rustydb_log) SELECT * FROM x",
        "INSERT INTO _rustydb_meta VALUES('a', 'b')",
        "UPDATE _rustydb_log SET lsn = lsn + 1",
        "DELETE FROM _rustydb_log",
        "DROP TABLE _rustydb_log",
        "ALTER TABLE _rustydb_log ADD COLUMN x",
        "ALTER TABLE _rustydb_log RENAME TO y",
        "ALTER TABLE t RENAME TO _rustydb_t",
        "CREATE TABLE _rustydb_x(a)",
        "CREATE VIEW _rustydb_v AS SELECT 1",
        "CREATE INDEX _rustydb_i ON t(a)",
        "CREATE INDEX i ON _rustydb_log(tx)",
        "CREATE TRIGGER _rustydb_tr AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TRIGGER tr AFTER INSERT ON _rustydb_log BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE _rustydb_f USING fts5(a)",
        "PRAGMA table_info(_rustydb_log)",
        "ATTACH 'other.db' AS other",
        "ATTACH '' AS other",
        "DETACH main",
        "VACUUM INTO 'copy.db'",
        "vacuum main /* x */ into 'copy.db'",
        "SELECT load_extension('x')",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA query_only = OFF",
        "PRAGMA mmap_size = 1000000",
        "PRAGMA temp_store_directory = '/'",
        "PRAGMA no_such_pragma",
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "CREATE TEMP TABLE x(a)",
        "CREATE TABLE temp.x(a)",
        "CREATE TEMP VIEW x AS SELECT 1",
    };
    fx_ok(f, "CREATE TABLE t(a)");
    fx_events(f);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        run *r = run_sql(f, all[i]);
        run_submit(r);
        run_wait(r);
        if (r->err.code != ERR_PERMISSION_DENIED)
            fail_msg("%s gave %s: %s", all[i], error_describe(r->err.code)->name, r->err.message);
        if (!r->err.hint[0])
            fail_msg("%s is refused without a hint", all[i]);
        run_free(r);
    }
    assert_string_equal(fx_events(f), "");
    char path[128];
    snprintf(path, sizeof path, "%s/copy.db", f->dir);
    assert_int_not_equal(access(path, F_OK), 0);
    /* The writer is as it was. */
    fx_ok(f, "INSERT INTO t VALUES(1)");
    assert_string_equal(fx_events(f), "insert t [1]\n");
}

static void closed_by_sqlite_itself(void **state)
{
    fx *f = *state;
    check(f, "UPDATE sqlite_schema SET sql = ''", "QUERY_ERROR: table sqlite_master may not be");
    check(f, "DELETE FROM sqlite_master", "QUERY_ERROR: table sqlite_master may not be");
    check(f, "CREATE TABLE sqlite_x(a)", "QUERY_ERROR: object name reserved");
    check(f, "SELECT fts3_tokenizer('simple', x'00')", "QUERY_ERROR");
}

/* Ways around the front door. */
static void indirect_ways(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a)");
    check(f, "CREATE VIEW v AS SELECT * FROM _rustydb_meta", "PERMISSION_DENIED");
    check(f, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM _rustydb_log; END",
          "PERMISSION_DENIED");
    /* Of these SQLite asks nothing. */
    fx_ok(f, "CREATE TABLE m(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
    check(f, "INSERT INTO m SELECT * FROM _rustydb_meta", "PERMISSION_DENIED");
    check(f, "INSERT INTO m SELECT * FROM main.\"_rustydb_meta\"", "PERMISSION_DENIED");
    check(f, "SELECT key FROM (SELECT 1 AS key) FULL JOIN _rustydb_meta USING (key)",
          "PERMISSION_DENIED");
    check(f, "SELECT '_rustydb_meta' AS a, 1 AS _rustydb_b FROM t", "");
    check(f, "CREATE VIRTUAL TABLE f USING fts5(key, content='_rustydb_meta')", "");
    const char *got = fx_sql(f, "SELECT * FROM f");
    assert_null(strstr(got, "log_id"));
    assert_true(*got);
    check(f, "SELECT * FROM pragma_journal_mode", "[\"wal\"]");
    check(f, "SELECT * FROM pragma_foreign_keys", "[1]");
    check(f, "EXPLAIN SELECT * FROM _rustydb_log", "PERMISSION_DENIED");
    check(f, "SELECT (SELECT count(*) FROM _rustydb_log)", "PERMISSION_DENIED");
    check(f, "CREATE TABLE c AS SELECT * FROM _rustydb_log", "PERMISSION_DENIED");
    check(f, "CREATE TABLE fk(a REFERENCES _rustydb_log(lsn) ON DELETE CASCADE)", "");
    check(f, "INSERT INTO fk VALUES(1)", "PERMISSION_DENIED");
    fx_ok(f, "INSERT INTO t VALUES(2)");
}

static void allowed(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b REFERENCES t)");
    fx_ok(f, "CREATE INDEX i ON t(b)");
    static const struct {
        const char *sql, *gives;
    } all[] = {
        {"PRAGMA user_version = 7", ""},
        {"PRAGMA user_version", "[7]"},
        {"PRAGMA application_id = 9", ""},
        {"PRAGMA journal_mode", "[\"wal\"]"},
        {"PRAGMA foreign_keys", "[1]"},
        {"PRAGMA table_info(t)", "[0,\"a\",\"INTEGER\",0,null,1]"},
        {"PRAGMA index_list(t)", "[0,\"i\",0,\"c\",0]"},
        {"PRAGMA foreign_key_list(t)", "[0,0,\"t\",\"b\",null,"},
        {"PRAGMA foreign_key_check", ""},
        {"PRAGMA integrity_check", "[\"ok\"]"},
        {"PRAGMA quick_check(1)", "[\"ok\"]"},
        {"PRAGMA optimize", ""},
        {"ANALYZE", ""},
        {"ANALYZE t", ""},
        {"REINDEX", ""},
        {"VACUUM", ""},
        {"PRAGMA wal_checkpoint(PASSIVE)", "[0,"},
        {"SELECT name FROM sqlite_schema WHERE name = 't'", "[\"t\"]"},
        {"SELECT json_extract('{\"a\":5}', '$.a')", "[5]"},
        {"SELECT value FROM json_each('[4]')", "[4]"},
        {"EXPLAIN QUERY PLAN SELECT * FROM t", "["},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check(f, all[i].sql, all[i].gives);
    assert_null(strstr(fx_sql(f, "SELECT * FROM sqlite_stat1"), "_rustydb"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(refused_to_everyone),
        T(closed_by_sqlite_itself),
        T(indirect_ways),
        T(allowed),
    };
    return cmocka_run_group_tests_name("engine guard", tests, NULL, NULL);
}
