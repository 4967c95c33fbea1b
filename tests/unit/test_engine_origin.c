/* What a statement depends on: the tables it reads and the key of its rows, its exact lsn, and
 * which tables the log says were changed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/engine_fixture.h"

/* "TABLES key COLUMNS", or "CODE" when it is refused; the tables sorted by name. */
static const char *origin(fx *f, const char *sql, int64_t *lsn)
{
    run *r = run_sql(f, sql);
    r->job.origin.wanted = true;
    run_submit(r);
    run_wait(r);
    char *out = NULL, tables[256] = "";
    const buf *b = &r->job.origin.tables;
    for (char first = 'a'; first <= 'z'; first++) {
        for (size_t at = 0; at < b->len; at += strlen(b->data + at) + 1) {
            if (b->data[at] == first)
                snprintf(tables + strlen(tables), sizeof tables - strlen(tables), "%s ",
                         b->data + at);
        }
    }
    char key[128] = "";
    for (int i = 0; i < r->job.origin.n_key; i++)
        snprintf(key + strlen(key), sizeof key - strlen(key), "%s%d", i ? "," : "",
                 r->job.origin.key[i]);
    if (r->err.code != ERR_NONE)
        assert_true(asprintf(&out, "%s", error_describe(r->err.code)->name) > 0);
    else
        assert_true(asprintf(&out, "%skey %s", tables, key) > 0);
    if (lsn)
        *lsn = r->sum[0].lsn;
    buf_free(&r->job.origin.tables);
    run_free(r);
    return fx_keep(f, out);
}

static void make_tables(fx *f)
{
    fx_ok(f, "CREATE TABLE a(id INTEGER PRIMARY KEY, x, y TEXT)");
    fx_ok(f, "CREATE TABLE b(p TEXT, q INT, z, PRIMARY KEY(q, p)) WITHOUT ROWID");
    fx_ok(f, "CREATE TABLE c(v)");
    fx_ok(f, "CREATE VIEW w AS SELECT a.id, c.v FROM a JOIN c ON c.v = a.x");
    fx_ok(f, "CREATE VIEW deep AS SELECT * FROM w WHERE EXISTS (SELECT 1 FROM b)");
    fx_ok(f, "CREATE VIRTUAL TABLE full_text USING fts5(t)");
}

static void tells_tables_and_key(void **state)
{
    fx *f = *state;
    make_tables(f);
    static const struct {
        const char *sql, *want;
    } cases[] = {
        {"SELECT * FROM a", "a key 0"},
        {"SELECT x, id FROM a WHERE x > 1", "a key 1"},
        {"SELECT x FROM a", "a key "},
        {"SELECT count(*) FROM a", "a key "},
        {"SELECT z, p, q FROM b", "b key 2,1"},
        {"SELECT p FROM b", "b key "},
        {"SELECT a.id, c.v FROM a, c", "a c key "},
        {"SELECT id, (SELECT count(*) FROM c) FROM a", "a c key 0"},
        {"SELECT v FROM c WHERE EXISTS (SELECT 1 FROM b)", "b c key "},
        {"SELECT * FROM w", "a c key "},
        {"SELECT count(*) FROM deep", "a b c key "},
        {"WITH n AS (SELECT * FROM c) SELECT count(*) FROM n", "c key "},
        {"WITH n AS (SELECT v FROM c LIMIT 2) SELECT count(*) FROM n", "c key "},
        {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) "
         "SELECT count(*) FROM n, a",
         "a key "},
        {"WITH n AS (SELECT 1) SELECT id FROM a, n", "a key 0"},
        {"WITH dbstat AS (SELECT 1) SELECT count(*) FROM a, dbstat", "INVALID_MESSAGE"},
        {"SELECT count(*) FROM dbstat", "INVALID_MESSAGE"},
        {"SELECT count(*) FROM pragma_table_list", "INVALID_MESSAGE"},
        {"SELECT id FROM a UNION ALL SELECT v FROM c", "a c key 0"},
        {"SELECT a.id, j.value FROM a, json_each(a.y) j", "a key "},
        {"SELECT 1", "key "},
        {"VALUES(1),(2)", "key "},
        {"SELECT * FROM full_text", "INVALID_MESSAGE"},
        {"SELECT * FROM sqlite_schema", "INVALID_MESSAGE"},
        {"SELECT * FROM pragma_table_info('a')", "INVALID_MESSAGE"},
        {"EXPLAIN SELECT * FROM a", "INVALID_MESSAGE"},
        {"PRAGMA user_version", "INVALID_MESSAGE"},
        {"SELECT * FROM _rustydb_log", "PERMISSION_DENIED"},
        {"SELECT 1; SELECT 2", "QUERY_ERROR"},
        {"SELECT * FROM nowhere", "TABLE_NOT_FOUND"},
        {"INSERT INTO a(x) VALUES(1)", "READ_ONLY"},
        {"WITH n AS (SELECT 1) DELETE FROM a", "READ_ONLY"},
        {"INSERT INTO a(x) VALUES(1) RETURNING id", "READ_ONLY"},
    };
    for (int round = 0; round < 2; round++) { /* prepared, then from the cache */
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *got = origin(f, cases[i].sql, NULL);
            if (strcmp(got, cases[i].want) != 0)
                fail_msg("%s: \"%s\", not \"%s\"", cases[i].sql, got, cases[i].want);
        }
    }
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM a"), "[0]");
}

/* A statement in a cache is looked at anew when the schema has changed. */
static void follows_the_schema(void **state)
{
    fx *f = *state;
    make_tables(f);
    fx_sql(f, "SELECT * FROM w"); /* cached without being looked at */
    assert_string_equal(origin(f, "SELECT * FROM w", NULL), "a c key ");
    fx_ok(f, "DROP VIEW w");
    fx_ok(f, "CREATE VIEW w AS SELECT * FROM b");
    assert_string_equal(origin(f, "SELECT * FROM w", NULL), "b key 1,0");
    fx_ok(f, "ALTER TABLE b RENAME TO e");
    assert_string_equal(origin(f, "SELECT * FROM w", NULL), "e key 1,0");
}

static void lsn_is_exact(void **state)
{
    fx *f = *state;
    int64_t lsn;
    fx_ok(f, "CREATE TABLE a(id INTEGER PRIMARY KEY)");
    for (int i = 0; i < 20; i++) {
        fx_ok(f, "INSERT INTO a DEFAULT VALUES");
        origin(f, "SELECT id FROM a", &lsn);
        assert_int_equal(lsn, i + 2);
    }
}

/* ---- which tables were touched ----------------------------------------------------------------
 */

typedef struct touched {
    int64_t a, b; /* highest lsn */
    int others;
} touched;

static void on_touched(void *arg, const char *table, int64_t lsn)
{
    touched *t = arg;
    int64_t *at = strcmp(table, "a") == 0 ? &t->a : strcmp(table, "b") == 0 ? &t->b : NULL;
    if (!at)
        t->others++;
    else if (lsn > *at)
        *at = lsn;
}

static void log_tells_touched_tables(void **state)
{
    fx *f = *state;
    error e;
    int64_t head, schema, schema_before;
    fx_ok(f, "CREATE TABLE a(x)");
    fx_ok(f, "CREATE TABLE b(x)");
    log_reader *r = engine_log_open(f->g, &e);
    assert_non_null(r);
    touched t = {0};
    assert_true(engine_log_touched(r, 0, on_touched, &t, &head, &schema_before, &e));
    assert_int_equal(head, 2);
    assert_true(t.a == 1 && t.b == 2 && t.others == 0);
    fx_ok(f, "INSERT INTO a VALUES(1),(2),(3)");
    t = (touched){0};
    assert_true(engine_log_touched(r, 2, on_touched, &t, &head, &schema, &e));
    assert_true(head == 5 && t.a == 5 && t.b == 0 && schema == schema_before);
    fx_ok(f, "CREATE VIEW v AS SELECT 1");
    assert_true(engine_log_touched(r, 5, on_touched, &t, &head, &schema, &e));
    assert_true(head == 5 && schema != schema_before);
    engine_log_close(r);
}

/* Views are not in the log, yet who follows commits hears of them. */
static atomic_int commits;

static void count(void *arg, int64_t head)
{
    (void)arg;
    (void)head;
    atomic_fetch_add(&commits, 1);
}

static void schema_changes_are_told(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    f.cfg.on_commit = count;
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE a(x)");
    fx_until(atomic_load(&commits) == 1);
    fx_ok(&f, "CREATE VIEW v AS SELECT * FROM a");
    fx_until(atomic_load(&commits) == 2);
    fx_sql(&f, "DELETE FROM a");
    fx_ok(&f, "DROP VIEW v");
    fx_until(atomic_load(&commits) == 3);
    fx_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_tables_and_key, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(follows_the_schema, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(lsn_is_exact, fx_setup, fx_teardown),
        cmocka_unit_test_setup_teardown(log_tells_touched_tables, fx_setup, fx_teardown),
        cmocka_unit_test(schema_changes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
