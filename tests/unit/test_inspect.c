/* Inspecting tables: what is told, what is hidden, under an authorizer and with memory out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "engine/sqlite/inspect.h"

static const char schema[] =
    "CREATE TABLE \"a\"\"b\" (x);"
    "CREATE TABLE Plain (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE NOT NULL DEFAULT 'n',"
    " v AS (id * 2), s AS (id * 3) STORED, UNIQUE (name, id));"
    "CREATE INDEX plain_part ON Plain (name DESC, upper(name)) WHERE id > 5;"
    "CREATE TABLE child (a INT, b TEXT, p INT REFERENCES Plain ON DELETE CASCADE,"
    " FOREIGN KEY (b, a) REFERENCES Plain (name, id)) STRICT;"
    "CREATE TABLE pair (k1 TEXT, k2 INT, PRIMARY KEY (k2, k1)) WITHOUT ROWID;"
    "CREATE TRIGGER plain_t AFTER INSERT ON Plain BEGIN SELECT 1; END;"
    "CREATE VIEW seen AS SELECT name FROM Plain;"
    "CREATE VIEW broken AS SELECT * FROM nowhere;"
    "CREATE VIRTUAL TABLE words USING fts5(body);"
    "CREATE TABLE _rustydb_log (lsn INTEGER PRIMARY KEY);"
    "INSERT INTO Plain (id, name) VALUES (1,'a'),(2,'b'),(7,'c');"
    "ANALYZE;";

/* As on an engine's connection: nobody reads the internal tables. */
static int closed(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
    (void)arg;
    (void)b;
    (void)c;
    (void)d;
    return action == SQLITE_READ && a && strncmp(a, "_rustydb_", 9) == 0 ? SQLITE_DENY : SQLITE_OK;
}

static int open_db(void **state)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
        sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    sqlite3_set_authorizer(db, closed, NULL);
    *state = db;
    return 0;
}

static int close_db(void **state)
{
    return sqlite3_close(*state);
}

static json_t *inspect(sqlite3 *db, const char *table, int64_t offset, int64_t limit)
{
    buf out = BUF_INIT;
    error e;
    if (!sqlite_inspect(db, table, offset, limit, NULL, &out, &e))
        fail_msg("%s: %s", table ? table : "list", e.message);
    json_error_t bad;
    json_t *j = json_loadb(out.data, out.len, 0, &bad);
    if (!j)
        fail_msg("%s in %s", bad.text, buf_cstr(&out));
    buf_free(&out);
    return j;
}

static const char *str(json_t *j, const char *key)
{
    return json_string_value(json_object_get(j, key));
}
static int64_t num(json_t *j, const char *key)
{
    assert_true(json_is_integer(json_object_get(j, key)));
    return json_integer_value(json_object_get(j, key));
}

static void lists_what_users_may_see(void **state)
{
    static const char *const want[] = {"a\"b", "broken", "child", "pair", "Plain", "seen", "words"};
    json_t *j = inspect(*state, NULL, 0, 0), *tables = json_object_get(j, "tables");
    assert_int_equal(num(j, "total"), 7);
    assert_int_equal(json_array_size(tables), 7);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal(str(json_array_get(tables, i), "name"), want[i]);
    assert_string_equal(str(json_array_get(tables, 5), "type"), "view");
    assert_string_equal(str(json_array_get(tables, 6), "type"), "virtual");
    assert_int_equal(num(json_array_get(tables, 4), "columns"), 4);
    assert_true(json_is_true(json_object_get(json_array_get(tables, 2), "strict")));
    assert_true(json_is_true(json_object_get(json_array_get(tables, 3), "without_rowid")));
    json_decref(j);
}

static void a_page_of_the_list(void **state)
{
    json_t *j = inspect(*state, NULL, 2, 2), *tables = json_object_get(j, "tables");
    assert_int_equal(num(j, "total"), 7);
    assert_int_equal(num(j, "offset"), 2);
    assert_int_equal(num(j, "limit"), 2);
    assert_int_equal(json_array_size(tables), 2);
    assert_string_equal(str(json_array_get(tables, 0), "name"), "child");
    json_decref(j);
    j = inspect(*state, NULL, 50, 2);
    assert_int_equal(num(j, "total"), 7);
    assert_int_equal(json_array_size(json_object_get(j, "tables")), 0);
    json_decref(j);
}

static void tells_columns_and_indexes(void **state)
{
    json_t *j = inspect(*state, "pLAIN", 0, 0), *cols = json_object_get(j, "columns");
    assert_string_equal(str(j, "name"), "Plain"); /* as the schema spells it */
    assert_string_equal(str(j, "type"), "table");
    assert_non_null(strstr(str(j, "sql"), "CREATE TABLE Plain"));
    assert_int_equal(num(j, "row_estimate"), 3);
    assert_int_equal(json_array_size(cols), 4);
    assert_int_equal(num(json_array_get(cols, 0), "primary_key"), 1);
    json_t *name = json_array_get(cols, 1);
    assert_string_equal(str(name, "default"), "'n'");
    assert_string_equal(str(name, "type"), "TEXT");
    assert_true(json_is_true(json_object_get(name, "not_null")));
    assert_string_equal(str(json_array_get(cols, 2), "generated"), "virtual");
    assert_string_equal(str(json_array_get(cols, 3), "generated"), "stored");

    json_t *indexes = json_object_get(j, "indexes");
    assert_int_equal(json_array_size(indexes), 2);
    json_t *part = json_array_get(indexes, 0);
    assert_string_equal(str(part, "name"), "plain_part");
    assert_true(json_is_true(json_object_get(part, "partial")));
    assert_true(json_is_false(json_object_get(part, "unique")));
    json_t *keys = json_object_get(part, "columns");
    assert_int_equal(json_array_size(keys), 2);
    assert_string_equal(str(json_array_get(keys, 0), "collation"), "NOCASE");
    assert_true(json_is_true(json_object_get(json_array_get(keys, 0), "descending")));
    assert_true(json_is_null(json_object_get(json_array_get(keys, 1), "name")));
    assert_true(json_is_true(json_object_get(json_array_get(indexes, 1), "unique")));
    assert_string_equal(str(json_array_get(json_object_get(j, "triggers"), 0), "name"), "plain_t");
    json_decref(j);
}

static void tells_foreign_keys(void **state)
{
    json_t *j = inspect(*state, "child", 0, 0), *keys = json_object_get(j, "foreign_keys");
    assert_int_equal(json_array_size(keys), 2);
    json_t *two = json_array_get(keys, 0), *one = json_array_get(keys, 1);
    json_t *pairs = json_object_get(two, "columns");
    assert_int_equal(json_array_size(pairs), 2);
    assert_string_equal(str(json_array_get(pairs, 0), "from"), "b");
    assert_string_equal(str(json_array_get(pairs, 0), "to"), "name");
    assert_string_equal(str(one, "table"), "Plain");
    assert_string_equal(str(one, "on_delete"), "CASCADE");
    assert_true(
        json_is_null(json_object_get(json_array_get(json_object_get(one, "columns"), 0), "to")));
    assert_true(json_is_null(json_object_get(j, "row_estimate")));
    json_decref(j);
}

static void tells_odd_names_views_and_virtual_tables(void **state)
{
    json_t *j = inspect(*state, "a\"b", 0, 0);
    assert_int_equal(json_array_size(json_object_get(j, "columns")), 1);
    json_decref(j);
    j = inspect(*state, "seen", 0, 0);
    assert_string_equal(str(json_array_get(json_object_get(j, "columns"), 0), "name"), "name");
    json_decref(j);
    j = inspect(*state, "words", 0, 0);
    assert_true(
        json_is_true(json_object_get(json_array_get(json_object_get(j, "columns"), 1), "hidden")));
    json_decref(j);
    j = inspect(*state, "pair", 0, 0);
    json_t *cols = json_object_get(j, "columns");
    assert_int_equal(num(json_array_get(cols, 0), "primary_key"), 2);
    assert_int_equal(num(json_array_get(cols, 1), "primary_key"), 1);
    json_decref(j);
    j = inspect(*state, "broken", 0, 0);
    assert_non_null(strstr(str(j, "error"), "nowhere"));
    assert_non_null(strstr(str(j, "sql"), "CREATE VIEW broken"));
    json_decref(j);
}

static void hides_what_is_not_for_users(void **state)
{
    static const char *const hidden[] = {"nothing",       "",
                                         "_rustydb_log",  "_RUSTYDB_log",
                                         "words_data",    "sqlite_schema",
                                         "sqlite_master", "sqlite_stat1"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        buf out = BUF_INIT;
        error e;
        if (sqlite_inspect(*state, hidden[i], 0, 0, NULL, &out, &e))
            fail_msg("%s: %s", hidden[i], buf_cstr(&out));
        assert_int_equal(e.code, ERR_TABLE_NOT_FOUND);
        buf_free(&out);
    }
}

static void memory_and_limits(void **state)
{
    error e;
    for (unsigned long nth = 1;; nth++) {
        buf out = BUF_INIT;
        mem_fail_nth(nth);
        bool ok = sqlite_inspect(*state, "Plain", 0, 0, NULL, &out, &e);
        mem_fail_nth(0);
        buf_free(&out);
        if (ok) {
            assert_true(nth > 2);
            break;
        }
        assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    }
    buf small = BUF_INIT;
    small.limit = 100;
    assert_false(sqlite_inspect(*state, "Plain", 0, 0, NULL, &small, &e));
    assert_int_equal(e.code, ERR_MESSAGE_TOO_BIG);
    buf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_users_may_see),
        cmocka_unit_test(a_page_of_the_list),
        cmocka_unit_test(tells_columns_and_indexes),
        cmocka_unit_test(tells_foreign_keys),
        cmocka_unit_test(tells_odd_names_views_and_virtual_tables),
        cmocka_unit_test(hides_what_is_not_for_users),
        cmocka_unit_test(memory_and_limits),
    };
    return cmocka_run_group_tests(tests, open_db, close_db);
}
