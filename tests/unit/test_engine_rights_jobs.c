/* Rights in jobs that are not free SQL, statements of the daemon's own for one table, live queries,
 * and what rights cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/sqlite/dbconn.h"
#include "engine_fixture.h"

static viewer view_of(const access_grant *grants, int n)
{
    const access_role role = {n, grants};
    viewer v = {.user = "ann", .claims = "{\"tenant\":1}"};
    v.access = access_new(&role, 1);
    assert_non_null(v.access);
    return v;
}

#define VIEWER(...)                                                                                \
    view_of((const access_grant[]){__VA_ARGS__},                                                   \
            (int)(sizeof((const access_grant[]){__VA_ARGS__}) / sizeof(access_grant)))

#define TENANT .table = "orders", .ops = ACCESS_ALL, .where = "tenant = claim('tenant')"

static int setup(void **state)
{
    static const char *const all[] = {
        "CREATE TABLE orders(id INTEGER PRIMARY KEY, tenant, item)",
        "CREATE INDEX by_tenant ON orders(tenant)",
        "INSERT INTO orders VALUES(1, 1, 'pen'), (2, 1, 'ink'), (3, 2, 'gold')",
        "CREATE TABLE notes(id INTEGER PRIMARY KEY, body, author UNIQUE, o REFERENCES hidden(a))",
        "CREATE TABLE hidden(a INTEGER PRIMARY KEY)",
        "CREATE TABLE members(user, tenant)",
        "CREATE VIEW v AS SELECT item FROM orders",
        "CREATE TRIGGER tr AFTER INSERT ON notes BEGIN SELECT NEW.body; END",
        NULL,
    };
    fx_setup(state);
    for (const char *const *sql = all; *sql; sql++)
        fx_ok(*state, *sql);
    return 0;
}

/* The answer, or "CODE: message". */
static const char *told(fx *f, run *r)
{
    run_submit(r);
    run_wait(r);
    char *text = malloc(r->job.text.len + 600);
    if (r->err.code != ERR_NONE)
        sprintf(text, "%s: %s", error_describe(r->err.code)->name, r->err.message);
    else
        sprintf(text, "%s", r->job.text.data ? buf_cstr(&r->job.text) : "");
    assert_null(strstr(text, "_rustydb_v"));
    run_free(r);
    return fx_keep(f, text);
}

static const char *tell(fx *f, const viewer *v, job_kind kind, const char *what)
{
    run *r = run_new(f, kind);
    r->job.as = v;
    if (kind == JOB_INSPECT)
        r->job.table = what;
    else if (what)
        run_add(r, what, 0, NULL);
    return told(f, r);
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void looking_at_tables(void **state)
{
    fx *f = *state;
    const char *const some[] = {"id", "body"};
    viewer v =
        VIEWER({.table = "notes", .ops = ACCESS_SELECT, .n_columns = 2, .columns = some}, {TENANT},
               {.table = "members", .ops = ACCESS_SELECT}, {.table = "v", .ops = ACCESS_SELECT});
    const char *all = tell(f, &v, JOB_INSPECT, NULL);
    assert_true(has(all, "\"total\":4"));
    assert_true(has(all, "\"name\":\"notes\",\"type\":\"table\",\"columns\":2"));
    assert_false(has(all, "hidden"));
    const char *notes = tell(f, &v, JOB_INSPECT, "notes");
    assert_true(has(notes, "\"body\"") && has(notes, "\"sql\":null"));
    assert_false(has(notes, "author") || has(notes, "\"table\":\"hidden\"") ||
                 has(notes, "NEW.body"));
    assert_true(has(tell(f, &v, JOB_INSPECT, "members"), "CREATE TABLE members"));
    assert_false(has(tell(f, &v, JOB_INSPECT, "v"), "CREATE"));
    assert_string_equal(tell(f, &v, JOB_INSPECT, "hidden"),
                        "TABLE_NOT_FOUND: there is no table or view named \"hidden\"");
    assert_true(has(tell(f, NULL, JOB_INSPECT, "notes"), "NEW.body"));
    const char *sizes = tell(f, &v, JOB_SIZES, NULL);
    assert_true(has(sizes, "members") && has(sizes, "\"total\":1"));
    assert_false(has(sizes, "orders"));
    access_release(v.access);
}

static void explaining(void **state)
{
    fx *f = *state;
    viewer v = VIEWER({.table = "orders",
                       .ops = ACCESS_SELECT,
                       .where = "tenant IN (SELECT tenant FROM members)"},
                      {.table = "notes", .ops = ACCESS_SELECT | ACCESS_INSERT});
    for (int i = 0; i < 2; i++) {
        const char *valid = tell(f, &v, JOB_VALIDATE, "SELECT id FROM orders");
        assert_true(has(valid, "\"orders\""));
        assert_false(has(valid, "members"));
        assert_true(has(tell(f, &v, JOB_EXPLAIN, "SELECT id FROM orders"), "PERMISSION_DENIED"));
        assert_true(has(tell(f, &v, JOB_EXPLAIN, "SELECT id FROM notes"), "SCAN notes"));
        assert_true(has(tell(f, &v, JOB_EXPLAIN, "SELECT * FROM hidden"), "PERMISSION_DENIED"));
        assert_true(has(tell(f, &v, JOB_EXPLAIN, "DELETE FROM notes"), "PERMISSION_DENIED"));
        assert_true(has(tell(f, &v, JOB_VALIDATE, "DELETE FROM notes"), "PERMISSION_DENIED"));
    }
    access_release(v.access);
}

static const char *import(fx *f, const viewer *v, const char *table, const char *const *columns,
                          bool create)
{
    static const char *const types[] = {"", ""};
    const value cells[] = {vi(70), vt("x")};
    run *r = run_new(f, JOB_INSERT_ROWS);
    r->job.as = v;
    r->job.rows = (job_rows){.table = table,
                             .create = create,
                             .n_columns = 2,
                             .columns = columns,
                             .types = types,
                             .n_rows = 1,
                             .cells = cells};
    return told(f, r);
}

static void importing(void **state)
{
    fx *f = *state;
    const char *const body[] = {"id", "body"}, *const author[] = {"id", "author"},
                      *const item[] = {"id", "item"};
    viewer v = VIEWER(
        {.table = "notes", .ops = ACCESS_INSERT | ACCESS_SELECT, .n_columns = 2, .columns = body},
        {TENANT}, {.table = "fresh", .ops = ACCESS_ALL});
    assert_string_equal(import(f, &v, "notes", body, false), "");
    assert_true(has(import(f, &v, "notes", author, false), "PERMISSION_DENIED"));
    assert_true(has(import(f, &v, "orders", item, false), "PERMISSION_DENIED"));
    assert_true(has(import(f, &v, "hidden", item, false), "PERMISSION_DENIED"));
    assert_true(has(import(f, &v, "fresh", body, true), "PERMISSION_DENIED"));
    v.schema = true;
    assert_string_equal(import(f, &v, "fresh", body, true), "");
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM notes"), "[1]");
    access_release(v.access);
}

static const char *structured(fx *f, const viewer *v, const char *table, const char *sql)
{
    run *r = run_new(f, JOB_QUERY);
    r->job.as = v;
    r->job.structured = table;
    run_add(r, sql, 0, NULL);
    run_submit(r);
    run_wait(r);
    char *text = malloc(r->rows.len + 600);
    if (r->err.code != ERR_NONE)
        sprintf(text, "%s: %s", error_describe(r->err.code)->name, r->err.message);
    else
        sprintf(text, "%s", buf_cstr(&r->rows));
    run_free(r);
    return fx_keep(f, text);
}

static void made_for_one_table(void **state)
{
    fx *f = *state;
    const char *const item[] = {"item"};
    viewer v =
        VIEWER({.table = "orders", .ops = ACCESS_SELECT | ACCESS_INSERT, .where = "tenant = 1"},
               {.table = "orders", .ops = ACCESS_UPDATE, .n_columns = 1, .columns = item},
               {.table = "notes", .ops = ACCESS_INSERT});
    assert_string_equal(
        structured(f, &v, "orders", "SELECT item FROM main.\"orders\" WHERE id = 3"),
        "[\"gold\"]\n");
    assert_string_equal(
        structured(f, &v, "Orders", "UPDATE main.orders SET item = 'x' WHERE id = 3 RETURNING id"),
        "[3]\n");
    assert_true(has(structured(f, &v, "orders", "UPDATE main.orders SET tenant = 1 WHERE id = 3"),
                    "orders.tenant"));
    assert_true(has(structured(f, &v, "orders", "DELETE FROM main.orders"), "PERMISSION_DENIED"));
    assert_true(has(structured(f, &v, "orders", "INSERT INTO main.members VALUES(1, 2)"),
                    "PERMISSION_DENIED"));
    assert_string_equal(structured(f, &v, "members", "SELECT id FROM orders"), "[1]\n[2]\n");
    /* A foreign key's table and a trigger on the table itself are no one else's. */
    fx_ok(f, "INSERT INTO hidden VALUES(5)");
    assert_string_equal(structured(f, &v, "notes", "INSERT INTO main.notes(id, o) VALUES(1, 5)"),
                        "");
    assert_true(
        has(structured(f, &v, "notes", "INSERT INTO main.notes(id, o) VALUES(2, 6)"), "CONFLICT"));
    /* Not what a client's own text finds prepared. */
    assert_string_equal(structured(f, &v, "orders", "SELECT count(*) FROM main.orders"), "[3]\n");
    assert_true(
        has(structured(f, &v, NULL, "SELECT count(*) FROM main.orders"), "PERMISSION_DENIED"));
    access_release(v.access);
}

static void live_queries(void **state)
{
    fx *f = *state;
    viewer v = VIEWER({.table = "orders",
                       .ops = ACCESS_SELECT,
                       .expose_key = true,
                       .where = "tenant IN (SELECT tenant FROM members)"});
    fx_ok(f, "INSERT INTO members VALUES('ann', 2)");
    for (int i = 0; i < 3; i++) {
        run *r = run_sql(f, "SELECT id, item FROM orders");
        r->job.as = &v;
        r->job.origin.wanted = true;
        run_submit(r);
        run_wait(r);
        assert_int_equal(r->err.code, ERR_NONE);
        assert_string_equal(buf_cstr(&r->rows), "[3,\"gold\"]\n");
        buf *names = &r->job.origin.tables;
        assert_int_equal(names->len, strlen("orders") + strlen("members") + 2);
        assert_non_null(memmem(names->data, names->len, "orders", 7));
        assert_non_null(memmem(names->data, names->len, "members", 8));
        assert_int_equal(r->job.origin.n_key, 1);
        assert_int_equal(r->job.origin.key[0], 0);
        buf_free(names);
        run_free(r);
        if (i == 1)
            fx_ok(f, "CREATE TABLE more(a)");
    }
    access_release(v.access);
}

/* ---- cost -------------------------------------------------------------------------------------
 */

static void see(dbconn *c, job *j, const viewer *v)
{
    *j = (job){.as = v};
    dbconn_serve(c, j);
}

static void ten_thousand_policies_cost_a_plain_table_nothing(void **state)
{
    enum { N = 10000 };
    fx *f = *state;
    access_grant *grants = calloc(N + 2, sizeof *grants);
    char(*names)[16] = calloc(N, sizeof *names);
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        grants[i] = (access_grant){.table = names[i], .ops = ACCESS_SELECT, .where = "a = 1"};
    }
    grants[N] = (access_grant){.table = "members", .ops = ACCESS_SELECT};
    grants[N + 1] = (access_grant){TENANT};
    viewer v = view_of(grants, N + 2);
    char path[128];
    unsigned char key[MASK_KEY_SIZE] = {0};
    error e;
    dbconn c;
    job j;
    snprintf(path, sizeof path, "%s/rustydb.db", f->dir);
    assert_true(dbconn_open(&c, path, NULL, DBCONN_READER, &f->cfg, &e));
    assert_true(functions_install(&c.functions, c.db, key, &e));
    see(&c, &j, &v);
    statement *s = dbconn_prepare(&c, "SELECT user FROM members", false, &e);
    assert_non_null(s);
    assert_int_equal(c.shadows.all, 0);
    assert_false(c.shadows.used);
    dbconn_release(&c, s);
    assert_true(dbconn_prepare(&c, "SELECT user FROM members", false, &e) == s);
    dbconn_release(&c, s);
    /* And a restricted one is made once. */
    for (int i = 0; i < 3; i++) {
        s = dbconn_prepare(&c, "SELECT id FROM orders", false, &e);
        assert_non_null(s);
        assert_int_equal(c.shadows.all, 2);
        assert_int_equal(s->uses, i);
        dbconn_release(&c, s);
    }
    see(&c, &j, NULL);
    statement *whole = dbconn_prepare(&c, "SELECT id FROM orders", false, &e);
    assert_true(whole && whole != s);
    assert_int_equal(c.shadows.all, 0);
    dbconn_release(&c, whole);
    dbconn_close(&c);
    access_release(v.access);
    free(names);
    free(grants);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(looking_at_tables),  T(explaining),   T(importing),
        T(made_for_one_table), T(live_queries), T(ten_thousand_policies_cost_a_plain_table_nothing),
    };
    return cmocka_run_group_tests_name("engine rights in jobs", tests, NULL, NULL);
}
