/* Filters: what expressions mean, what is refused and where, what happens when they fail or memory
 * is out (SQLite's memory too). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "feed/feed.h"
#include "feed/filter.h"
#include "feed/where.h"
#include "tests/unit/sqlite_memory.h"

/* ---- a table ----------------------------------------------------------------------------------
 */

enum { ID, NAME, PRICE, DATA, ODD, CODE, ANYTHING, N_COLUMNS };
static const char *const names[] = {"id", "name", "price", "data", "a \"b\" c", "code", "anything"};
static const char *const types[] = {
    "INTEGER", "VARCHAR(20)", "REAL", "", "numeric); DROP TABLE x; --", "TEXT", "ANY"};
static const char *const collations[] = {"BINARY", "NOCASE", "BINARY", "BINARY",
                                         "BINARY", "RTRIM",  "BINARY"};
static const int pk[N_COLUMNS] = {1};
static const table_shape orders = {
    .id = 1,
    .table = "orders",
    .n_columns = N_COLUMNS,
    .names = names,
    .types = types,
    .collations = collations,
    .pk = pk,
};

static void set_text(value *v, const char *s)
{
    *v = (value){.type = VALUE_TEXT, .len = strlen(s), .p = s};
}

static void make_row(value *row, int64_t id, const char *name, double price)
{
    memset(row, 0, N_COLUMNS * sizeof *row);
    row[ID] = (value){.type = VALUE_INT, .i = id};
    set_text(&row[NAME], name);
    row[PRICE] = (value){.type = VALUE_REAL, .d = price};
    row[DATA] = (value){.type = VALUE_BLOB, .len = 2, .p = "\x01\xff"};
    row[ODD] = (value){.type = VALUE_INT, .i = 5};
    set_text(&row[CODE], "x  ");
    set_text(&row[ANYTHING], "7");
}

static filter_env *env;

static int open_env(void **state)
{
    (void)state;
    error e;
    env = filter_env_new(&e);
    return env ? 0 : -1;
}

static int close_env(void **state)
{
    (void)state;
    filter_env_free(env);
    return 0;
}

static filter *compiled(const char *where)
{
    error e;
    filter *f = filter_new(env, &orders, where, &e);
    if (!f)
        fail_msg("%s: %s", where, e.message);
    return f;
}

static void expect(const char *where, const value *row, const value *old, filter_verdict want)
{
    filter *f = compiled(where);
    error e;
    error_clear(&e);
    filter_verdict got = filter_match(f, row, old, &e);
    if (got != want)
        fail_msg("%s gave %d, not %d (%s)", where, got, want, e.message);
    filter_free(f);
}

/* ---- meaning ----------------------------------------------------------------------------------
 */

static void means_what_it_means_in_a_query(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "id = 7",
        "id = '7'", /* the column's affinity */
        "price > 1",
        "price BETWEEN 2 AND 3",
        "name = 'ANNA'", /* NOCASE */
        "name LIKE 'a%'",
        "name IN ('bob', 'ANNA')",
        "code = 'x'", /* RTRIM */
        "anything = '7' AND anything <> 7",
        "\"a \"\"b\"\" c\" = 5",
        "[id] = 7 AND `id` = 7",
        "data = x'01ff'",
        "typeof(data) = 'blob' and length(data) = 2",
        "orders.id = 7",
        "new.id = 7",
        "old.id IS NULL",
        "id",
        "id = 7 -- a comment",
        "id /* ) ; */ = 7",
        "name <> ';' AND name <> ')'",
        "CASE WHEN id > 5 THEN 'yes' END IS NOT NULL",
        "json_extract('{\"a\":7}', '$.a') = id",
        "'{\"a\":7}' ->> 'a' = id",
        "max(id, 3) = 7",
        "coalesce(old.id, new.id) = 7",
        "date('2026-01-31', '+1 day') = '2026-02-01'",
        "(id, price) = (7, 2.5)",
        "name COLLATE BINARY = 'Anna'",
    };
    static const char *const no[] = {
        "id = 8",
        "NULL",
        "'text'",
        "name = NULL",
        "name COLLATE BINARY = 'anna'",
        "old.id = new.id",
        "old.id <> 1",
        "price / 0",
    };
    value row[N_COLUMNS];
    make_row(row, 7, "Anna", 2.5);
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        expect(yes[i], row, NULL, FILTER_YES);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        expect(no[i], row, NULL, FILTER_NO);
}

static void bare_names_are_the_new_row_or_the_deleted_one(void **state)
{
    (void)state;
    value now[N_COLUMNS], before[N_COLUMNS];
    make_row(now, 7, "now", 2);
    make_row(before, 7, "before", 1);
    expect("name = 'now' AND new.name = 'now' AND old.name = 'before'", now, before, FILTER_YES);
    expect("name = 'now' AND new.name = 'now' AND old.name IS NULL", now, NULL, FILTER_YES);
    expect("name = 'before' AND new.name IS NULL AND old.name = 'before'", NULL, before,
           FILTER_YES);
    /* a row that leaves, as seen by a filter that looks at old and by one that does not */
    expect("price < 2", now, before, FILTER_NO);
    expect("price < 2 OR old.price < 2", now, before, FILTER_YES);
    expect("(price < 2) <> (old.price < 2)", now, before, FILTER_YES);
}

static void a_filter_is_used_again_and_again(void **state)
{
    (void)state;
    filter *f = compiled("id % 2 = 0 AND name LIKE '%' || id || '%'");
    filter *other = compiled("id % 2 = 1");
    error e;
    char name[32];
    for (int i = 0; i < 1000; i++) {
        value row[N_COLUMNS];
        snprintf(name, sizeof name, "n%dm", i);
        make_row(row, i, name, i);
        assert_int_equal(filter_match(f, row, NULL, &e), i % 2 ? FILTER_NO : FILTER_YES);
        assert_int_equal(filter_match(other, NULL, row, &e), i % 2 ? FILTER_YES : FILTER_NO);
    }
    filter_free(other);
    filter_free(f);
}

static void tables_with_awkward_names(void **state)
{
    (void)state;
    static const char *const tables[] = {"new", "OLD", "a\"b", "select", "row"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        table_shape shape = orders;
        shape.table = tables[i];
        value now[N_COLUMNS], before[N_COLUMNS];
        make_row(now, 7, "now", 2);
        make_row(before, 7, "before", 1);
        error e;
        filter *f =
            filter_new(env, &shape, "name = 'now' AND old.name = 'before' AND new.id = 7", &e);
        if (!f)
            fail_msg("%s: %s", tables[i], e.message);
        assert_int_equal(filter_match(f, now, before, &e), FILTER_YES);
        filter_free(f);
    }
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void refuses_what_is_not_an_expression_over_the_row(void **state)
{
    (void)state;
    static const struct {
        const char *where, *says;
        int position; /* -2: not looked at */
    } bad[] = {
        {"", "empty", 0},
        {"  -- nothing", "empty", 0},
        {"id = 1;", "';'", 6},
        {"id = 1; DROP TABLE orders", "';'", 6},
        {"id = ?", "parameters", 5},
        {"id = ?1", "parameters", 5},
        {"id = :a", "parameters", 5},
        {"id = @a", "parameters", 5},
        {"id = $a", "parameters", 5},
        {"id = 1)", "no '('", 6},
        {"id = 1) OR (1", "no '('", 6},
        {"(id = 1", "no ')'", 0},
        {"a((id)", "no ')'", 1},
        {"id = 'abc", "closing quote", 5},
        {"id = \"abc", "closing quote", 5},
        {"id = [abc", "closing quote", 5},
        {"id = 1 /* open", "no end", 7},
        {"id = (SELECT 1)", "subqueries", 6},
        {"id IN (VALUES (1))", "subqueries", 7},
        {"EXISTS (SELECT 1)", "subqueries", 0},
        {"id IN orders", "no such table", -2},
        {"id IN \"new\"", "no such table", -2},
        {"id IN sqlite_schema", "", -2},
        {"id IN json_each('[1]')", "", -2},
        {"id IN pragma_table_list", "", -2},
        {"id = ", "not complete", -2},
        {"id = = 1", "syntax error", 5},
        {"id, name", "", -2},
        {"*", "", -2},
        {"id AS x", "syntax error", 3},
        {"nothing = 1", "nothing", 0},
        {"id = 1 AND nothing = 1", "nothing", 11},
        {"\"nothing\" = 1", "nothing", 0},
        {"rowid = 1", "rowid", -2},
        {"new.rowid = 1", "rowid", -2},
        {"_rowid_ = 1", "rowid", -2},
        {"random() = 1", "random", -2},
        {"randomblob(2) = 1", "randomblob", -2},
        {"changes() = 1", "changes", -2},
        {"last_insert_rowid() = 1", "last_insert_rowid", -2},
        {"sqlite_version() = 1", "sqlite_version", -2},
        {"load_extension('x')", "load_extension", -2},
        {"count(*) = 1", "count", -2},
        {"sum(id) OVER () = 1", "sum", -2},
        {"nofunction(1)", "nofunction", -2},
        {"CURRENT_TIMESTAMP > 1", "current_timestamp", -2},
        {"date() > 1", "present time", -2},
        {"date('now') > 1", "present time", -2},
        {"date('n' || 'ow') > 1", "present time", -2},
        {"unixepoch('NOW') - 5 > price", "present time", -2},
        {"RAISE(ABORT, 'x')", "RAISE", -2},
        {"id REGEXP 'x'", "REGEXP", -2},
        {"name COLLATE nowhere = 'x'", "nowhere", -2},
        {"other.id = 1", "other.id", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error e;
        filter *f = filter_new(env, &orders, bad[i].where, &e);
        if (f)
            fail_msg("%s was taken", bad[i].where);
        if (e.code != ERR_INVALID_MESSAGE || !strstr(e.message, bad[i].says))
            fail_msg("%s: %s", bad[i].where, e.message);
        if (bad[i].position != -2 && e.position != bad[i].position)
            fail_msg("%s: position %d, not %d", bad[i].where, (int)e.position, bad[i].position);
        assert_true(e.position <= (int)strlen(bad[i].where));
        assert_null(strstr(e.message, "s1_")); /* nothing of ours in what people read */
    }
}

/* The tables that a filter looks through have names of their own; guessing them is of no use. */
static void sees_nothing_of_other_filters(void **state)
{
    (void)state;
    error e;
    filter_env *own = filter_env_new(&e);
    filter *first = filter_new(own, &orders, "id = 1", &e);
    assert_non_null(first);
    static const char *const bad[] = {"id IN s1_row", "s1_row.id = 1", "id IN s1_new",
                                      "id IN main.s1_row"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (filter_new(own, &orders, bad[i], &e))
            fail_msg("%s was taken", bad[i]);
    }
    filter_free(first);
    filter_env_free(own);
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    char where[FEED_MAX_WHERE + 2];
    memset(where, ' ', sizeof where);
    memcpy(where, "id=1", 4);
    where[FEED_MAX_WHERE] = '\0';
    filter_free(compiled(where));
    where[FEED_MAX_WHERE] = ' ';
    where[FEED_MAX_WHERE + 1] = '\0';
    error e;
    assert_null(filter_new(env, &orders, where, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
}

static void refuses_what_is_too_deep(void **state)
{
    (void)state;
    char where[2 * (FEED_MAX_NESTING + 1) + 2];
    error e;
    for (int depth = FEED_MAX_NESTING; depth <= FEED_MAX_NESTING + 1; depth++) {
        memset(where, '(', (size_t)depth);
        where[depth] = '1';
        memset(where + depth + 1, ')', (size_t)depth);
        where[2 * depth + 1] = '\0';
        filter *f = filter_new(env, &orders, where, &e);
        if (depth <= FEED_MAX_NESTING) {
            assert_non_null(f);
            filter_free(f);
            continue;
        }
        assert_null(f);
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_int_equal(e.position, FEED_MAX_NESTING);
    }
}

static void the_same_but_for_spaces_is_the_same(void **state)
{
    (void)state;
    static const char *const same[] = {"id = 1 AND name='a  b'", "  id  =\t1 AND\nname='a  b' ",
                                       "id/**/= 1 AND--x\nname='a  b'--"};
    for (size_t i = 0; i < 3; i++) {
        buf b = BUF_INIT;
        error e;
        assert_true(where_normalise(same[i], &b, &e));
        assert_string_equal(buf_cstr(&b), "id = 1 AND name='a  b'");
        buf_free(&b);
    }
}

/* ---- failing at run time ----------------------------------------------------------------------
 */

static void an_event_that_cannot_be_judged_is_told(void **state)
{
    (void)state;
    value row[N_COLUMNS];
    error e;
    make_row(row, 7, "not json", 1);
    filter *f = compiled("json_extract(name, '$.a') = 1");
    assert_int_equal(filter_match(f, row, NULL, &e), FILTER_FAILED);
    assert_int_equal(e.code, ERR_QUERY_ERROR);
    assert_non_null(strstr(e.message, "malformed JSON"));
    make_row(row, 7, "{\"a\":1}", 1); /* and it goes on with the next */
    assert_int_equal(filter_match(f, row, NULL, &e), FILTER_YES);
    filter_free(f);

    f = compiled("date(name) > '2026'"); /* the clock behind a column */
    assert_int_equal(filter_match(f, row, NULL, &e), FILTER_NO);
    make_row(row, 7, "now", 1);
    assert_int_equal(filter_match(f, row, NULL, &e), FILTER_FAILED);
    assert_non_null(strstr(e.message, "present time"));
    filter_free(f);
}

static void a_runaway_expression_is_stopped(void **state)
{
    (void)state;
    /* each term copies megabytes */
    static const char term[] = "length(replace(hex(zeroblob(900000+id)),'0','ab'))>1 AND ";
    char where[FEED_MAX_WHERE + 1] = "";
    while (strlen(where) + sizeof term + 8 < sizeof where)
        strcat(where, term);
    strcat(where, "id=1");
    error e;
    error_clear(&e);
    filter *f = filter_new(env, &orders, where, &e);
    if (f) { /* NULLs cost nothing in the trial */
        value row[N_COLUMNS];
        make_row(row, 1, "a", 1);
        assert_int_equal(filter_match(f, row, NULL, &e), FILTER_FAILED);
        filter_free(f);
    }
    assert_int_equal(e.code, ERR_TIMEOUT);

    f = compiled("length(printf('%*s', 20000000 * (id = 1), '')) > 0"); /* too big a value */
    value row[N_COLUMNS];
    make_row(row, 1, "a", 1);
    assert_int_not_equal(filter_match(f, row, NULL, &e), FILTER_YES);
    filter_free(f);
}

/* Every allocation of ours and of SQLite's fails once: it is always said so, and nothing else goes
 * wrong. */
static void memory_that_runs_out_is_reported(void **state)
{
    (void)state;
    value row[N_COLUMNS];
    make_row(row, 7, "Anna", 2.5);
    bool done = false;
    for (unsigned long nth = 1; !done; nth++) {
        error e;
        error_clear(&e);
        mem_fail_nth(nth);
        filter_env *own = filter_env_new(&e);
        filter *f =
            own ? filter_new(own, &orders,
                             "name || id LIKE '%a7' AND json_extract('{\"a\":[1,2]}', '$.a') "
                             "= '[1,2]' AND upper(name) = 'ANNA'",
                             &e)
                : NULL;
        filter_verdict v = f ? filter_match(f, row, NULL, &e) : FILTER_NO_MEMORY;
        unsigned long made = mem_fail_nth(0);
        done = made < nth; /* it did not come to the nth */
        if (v == FILTER_NO_MEMORY)
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
        else if (v != FILTER_YES)
            fail_msg("allocation %lu: verdict %d (%s)", nth, v, e.message);
        assert_true(!done || v == FILTER_YES);
        if (f) /* what failed once works again */
            assert_int_equal(filter_match(f, row, NULL, &e), FILTER_YES);
        filter_free(f);
        filter_env_free(own);
    }
}

int main(void)
{
    sqlite_memory_is_ours();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_what_it_means_in_a_query),
        cmocka_unit_test(bare_names_are_the_new_row_or_the_deleted_one),
        cmocka_unit_test(a_filter_is_used_again_and_again),
        cmocka_unit_test(tables_with_awkward_names),
        cmocka_unit_test(refuses_what_is_not_an_expression_over_the_row),
        cmocka_unit_test(sees_nothing_of_other_filters),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(refuses_what_is_too_deep),
        cmocka_unit_test(the_same_but_for_spaces_is_the_same),
        cmocka_unit_test(an_event_that_cannot_be_judged_is_told),
        cmocka_unit_test(a_runaway_expression_is_stopped),
        cmocka_unit_test(memory_that_runs_out_is_reported),
    };
    return cmocka_run_group_tests(tests, open_env, close_env);
}
