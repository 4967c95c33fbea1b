/* Access sets, the SQL text of policies, and rights put together from roles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/rights.h"
#include "base/clock.h"
#include "engine/access.h"
#include "engine/policy.h"

#define GRANTS(...)                                                                                \
    (const access_grant[])                                                                         \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define ROLE(...) {sizeof(GRANTS(__VA_ARGS__)) / sizeof(access_grant), GRANTS(__VA_ARGS__)}
#define COLUMNS(...)                                                                               \
    .n_columns = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                      \
    .columns = (const char *const[])                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const char *const set_a[] = {"a"};
static const char *const set_ab[] = {"a", "b"};

/* ---- access -----------------------------------------------------------------------------------
 */

static void named_grants_replace_the_rest(void **state)
{
    (void)state;
    const access_role roles[] = {
        ROLE({.table = "*", .ops = ACCESS_SELECT}, {.table = "Orders", .ops = ACCESS_INSERT}),
        ROLE({.table = "other", .ops = ACCESS_DELETE}),
    };
    access_set *a = access_new(roles, 2);
    assert_int_equal(access_find(a, "orders")->ops, ACCESS_INSERT);
    assert_int_equal(access_find(a, "ORDERS")->ops, ACCESS_INSERT);
    assert_int_equal(access_find(a, "anything")->ops, ACCESS_SELECT);
    assert_int_equal(access_find(a, "other")->ops, ACCESS_SELECT | ACCESS_DELETE);
    assert_int_equal(access_find(a, "*")->ops, ACCESS_SELECT);
    access_release(a);
    a = access_new(roles + 1, 1);
    assert_int_equal(access_find(a, "orders")->ops, 0);
    assert_false(access_column(access_find(a, "orders"), ACCESS_SELECT, ""));
    access_release(a);
}

static void columns_and_plainness(void **state)
{
    (void)state;
    const access_mask mask = {"a", "NULL"};
    const access_role roles[] = {
        ROLE({.table = "c", .ops = ACCESS_SELECT | ACCESS_UPDATE, COLUMNS("a", "b")},
             {.table = "w", .ops = ACCESS_ALL, .where = "a = 1"},
             {.table = "k", .ops = ACCESS_ALL, .check = "a = 1"},
             {.table = "m", .ops = ACCESS_ALL, .n_masks = 1, .masks = &mask}),
        ROLE({.table = "w2", .ops = ACCESS_ALL, .where = "0"}, {.table = "w2", .ops = ACCESS_ALL}),
    };
    access_set *a = access_new(roles, 2);
    const access_table *c = access_find(a, "c");
    assert_true(access_column(c, ACCESS_SELECT, "A"));
    assert_true(access_column(c, ACCESS_SELECT, ""));
    assert_false(access_column(c, ACCESS_SELECT, "x"));
    assert_false(access_column(c, ACCESS_INSERT, "a"));
    assert_false(access_is_plain(c, ACCESS_SELECT));
    assert_false(access_is_plain(access_find(a, "w"), ACCESS_DELETE));
    assert_true(access_is_plain(access_find(a, "k"), ACCESS_SELECT));
    assert_false(access_is_plain(access_find(a, "k"), ACCESS_INSERT));
    assert_true(access_is_plain(access_find(a, "k"), ACCESS_DELETE));
    assert_false(access_is_plain(access_find(a, "m"), ACCESS_SELECT));
    assert_true(access_is_plain(access_find(a, "m"), ACCESS_UPDATE));
    assert_true(access_is_plain(access_find(a, "w2"), ACCESS_SELECT));
    access_release(a);
}

static void nobody_may_nothing(void **state)
{
    (void)state;
    assert_non_null(viewer_nobody.access);
    assert_int_equal(access_find(viewer_nobody.access, "t")->ops, 0);
    access_release(access_hold(viewer_nobody.access));
    assert_int_equal(access_id(NULL), 0);
    assert_int_not_equal(access_id(viewer_nobody.access), 0);
}

static void ten_thousand_grants(void **state)
{
    (void)state;
    enum { N = 10000 };
    access_grant *grants = calloc(N, sizeof *grants);
    char(*names)[16] = calloc(N, sizeof *names);
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i * 7919 % N);
        grants[i] = (access_grant){.table = names[i], .ops = ACCESS_SELECT, .where = "a = 1"};
    }
    const access_role role = {N, grants};
    int64_t best = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t began = clock_mono_us();
        access_set *a = access_new(&role, 1);
        int64_t took = clock_mono_us() - began;
        best = took < best ? took : best;
        assert_int_equal(access_find(a, "t9999")->n_grants, 1);
        assert_int_equal(access_find(a, "t10000")->n_grants, 0);
        access_release(a);
    }
    if (!getenv("RUSTYDB_VALGRIND"))
        assert_true(best < 500000); /* it takes ten milliseconds; looking through all for each, more
                                       than a second */
    free(names);
    free(grants);
}

/* ---- policies ---------------------------------------------------------------------------------
 */

static const char *text(void (*add)(buf *out, const access_table *t, access_op op, int n,
                                    const char *const *columns),
                        const access_table *t, access_op op, int n, const char *const *columns)
{
    static char out[1000];
    buf b = BUF_INIT;
    add(&b, t, op, n, columns);
    snprintf(out, sizeof out, "%s", buf_cstr(&b));
    buf_free(&b);
    return out;
}

static const char *shown(const access_table *t, const char *column, const char *source)
{
    static char out[1000];
    buf b = BUF_INIT;
    policy_column(&b, t, column, source);
    snprintf(out, sizeof out, "%s", buf_cstr(&b));
    buf_free(&b);
    return out;
}

static void rows_are_a_union(void **state)
{
    (void)state;
    const access_role role =
        ROLE({.table = "t", .ops = ACCESS_SELECT, .where = "a = 1"},
             {.table = "t", .ops = ACCESS_SELECT | ACCESS_DELETE, .where = "b = 2 -- note"},
             {.table = "t", .ops = ACCESS_INSERT},
             {.table = "t", .ops = ACCESS_UPDATE, .where = "c", .check = "d", COLUMNS("a")},
             {.table = "t", .ops = ACCESS_UPDATE, .where = "e", COLUMNS("a", "b")});
    access_set *a = access_new(&role, 1);
    const access_table *t = access_find(a, "t");
    assert_string_equal(text(policy_rows, t, ACCESS_SELECT, 0, NULL),
                        "((a = 1\n) OR (b = 2 -- note\n))");
    assert_string_equal(text(policy_rows, t, ACCESS_DELETE, 0, NULL), "((b = 2 -- note\n))");
    assert_string_equal(text(policy_rows, t, ACCESS_INSERT, 0, NULL), "1");
    assert_string_equal(text(policy_check, t, ACCESS_INSERT, 2, set_ab), "(1 IS TRUE)");
    assert_string_equal(text(policy_rows, t, ACCESS_UPDATE, 1, set_a), "((c\n) OR (e\n))");
    assert_string_equal(text(policy_rows, t, ACCESS_UPDATE, 2, set_ab), "((e\n))");
    assert_string_equal(text(policy_check, t, ACCESS_UPDATE, 1, set_a),
                        "(((d\n) OR (e\n)) IS TRUE)");
    assert_string_equal(text(policy_rows, access_find(a, "u"), ACCESS_SELECT, 0, NULL), "0");
    assert_string_equal(text(policy_check, access_find(a, "u"), ACCESS_INSERT, 0, NULL),
                        "(0 IS TRUE)");
    access_release(a);
}

static void columns_by_the_first_grant(void **state)
{
    (void)state;
    const access_mask hashed = {"a", "mask_hash(a)"};
    const access_role role =
        ROLE({.table = "t", .ops = ACCESS_SELECT, .where = "w1", .n_masks = 1, .masks = &hashed},
             {.table = "t", .ops = ACCESS_SELECT, .where = "w2", COLUMNS("a", "b")},
             {.table = "t", .ops = ACCESS_UPDATE},
             {.table = "m", .ops = ACCESS_SELECT, .n_masks = 1, .masks = &hashed},
             {.table = "m", .ops = ACCESS_SELECT, .where = "w"});
    access_set *a = access_new(&role, 1);
    const access_table *t = access_find(a, "t"), *m = access_find(a, "m");
    assert_string_equal(shown(t, "a", NULL),
                        "CASE WHEN (w2\n) THEN \"a\" WHEN (w1\n) THEN (mask_hash(a)\n) END");
    assert_string_equal(shown(t, "b", "x.b"), "CASE WHEN (w1\n) THEN x.b WHEN (w2\n) THEN x.b END");
    assert_string_equal(shown(t, "c", NULL), "CASE WHEN (w1\n) THEN \"c\" END");
    assert_string_equal(shown(m, "a", NULL),
                        "CASE WHEN (w\n) THEN \"a\" ELSE (mask_hash(a)\n) END");
    assert_string_equal(shown(m, "b", NULL), "\"b\"");
    assert_string_equal(shown(access_find(a, "u"), "a", NULL), "NULL");
    access_release(a);
}

static void subqueries_read_the_tables_themselves(void **state)
{
    (void)state;
    static const char *const all[][2] = {
        {"a IN (SELECT x FROM members)", "(a IN (SELECT x FROM main.members)\n)"},
        {"a IN members", "(a IN main.members\n)"},
        {"a NOT IN (1, 2, b)", "(a NOT IN (1, 2, b)\n)"},
        {"a in temp.members", "(a in temp.members\n)"},
        {"EXISTS(SELECT 1 FROM \"a b\" AS x, 'c' JOIN [d] ON f(x, y), e WHERE x, y)",
         "(EXISTS(SELECT 1 FROM main.\"a b\" AS x, main.'c' JOIN main.[d] ON f(x, y), main.e WHERE "
         "x, y)\n)"},
        {"EXISTS(SELECT a, b FROM (m, n) /* FROM q */ , (SELECT c, d FROM o), p)",
         "(EXISTS(SELECT a, b FROM (main.m, main.n) /* FROM q */ , (SELECT c, d FROM main.o), "
         "main.p)\n)"},
        {"a IS NOT DISTINCT FROM b", "(a IS NOT DISTINCT FROM b\n)"},
        {"a IN (SELECT DISTINCT b FROM c)", "(a IN (SELECT DISTINCT b FROM main.c)\n)"},
        {"a IN (SELECT value FROM json_each(claim('x'), y))",
         "(a IN (SELECT value FROM json_each(claim('x'), y))\n)"},
        {"a = 'x FROM y' AND t.\"from\" = 1", "(a = 'x FROM y' AND t.\"from\" = 1\n)"},
        {"a IN (WITH x AS (SELECT 1 FROM y), z(q, r) AS (SELECT 2) SELECT * FROM x, z, w)",
         "(a IN (WITH x AS (SELECT 1 FROM main.y), z(q, r) AS (SELECT 2) SELECT * FROM x, z, "
         "main.w)\n)"},
        {"EXISTS(WITH x AS (SELECT 1) SELECT 1 FROM x) AND a IN x",
         "(EXISTS(WITH x AS (SELECT 1) SELECT 1 FROM x) AND a IN main.x\n)"},
        {"a IN (SELECT b FROM c UNION SELECT d, e FROM f ORDER BY d, e)",
         "(a IN (SELECT b FROM main.c UNION SELECT d, e FROM main.f ORDER BY d, e)\n)"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        buf b = BUF_INIT;
        policy_term(&b, all[i][0]);
        assert_string_equal(buf_cstr(&b), all[i][1]);
        buf_free(&b);
    }
    buf deep = BUF_INIT, out = BUF_INIT;
    for (int i = 0; i < 200; i++)
        buf_addc(&deep, '(');
    policy_term(&out, buf_cstr(&deep));
    assert_true(out.failed);
    buf_free(&deep);
    buf_free(&out);
}

/* ---- rights -----------------------------------------------------------------------------------
 */

static void rights_of_roles(void **state)
{
    (void)state;
    const channel_rule news = {"news.*", CHANNEL_SUBSCRIBE}, all = {"*.all", CHANNEL_PUBLISH};
    const rights_role roles[] = {
        {.tables = ROLE({.table = "t", .ops = ACCESS_SELECT}),
         .scopes = SCOPE_sql,
         .n_channels = 1,
         .channels = &news},
        {.tables = ROLE({.table = "t", .ops = ACCESS_INSERT}),
         .scopes = SCOPE_audit,
         .streams = STREAM_METRICS,
         .n_channels = 1,
         .channels = &all},
    };
    rights *r = rights_new(roles, 2);
    assert_int_equal(rights_scopes(r), SCOPE_sql | SCOPE_audit);
    assert_int_equal(rights_streams(r), STREAM_METRICS);
    assert_int_equal(access_find(rights_access(r), "t")->ops, ACCESS_SELECT | ACCESS_INSERT);
    assert_true(rights_channel(r, "news.", CHANNEL_SUBSCRIBE));
    assert_true(rights_channel(r, "news.a.b", CHANNEL_SUBSCRIBE));
    assert_false(rights_channel(r, "news", CHANNEL_SUBSCRIBE));
    assert_false(rights_channel(r, "news.a", CHANNEL_PUBLISH));
    assert_true(rights_channel(r, "for.all", CHANNEL_PUBLISH));
    assert_false(rights_channel(r, "for.all.", CHANNEL_PUBLISH));
    assert_true(rights_hold(r) == r);
    rights_release(r);
    rights_release(r);
    r = rights_new(NULL, 0);
    assert_int_equal(rights_scopes(r), 0);
    assert_non_null(rights_access(r));
    assert_false(rights_channel(r, "x", CHANNEL_SUBSCRIBE));
    rights_release(r);
    r = rights_everything();
    assert_int_equal(rights_scopes(r), SCOPE_ALL);
    assert_null(rights_access(r));
    assert_true(rights_channel(r, "x", CHANNEL_PUBLISH));
    rights_release(r);
}

static void names_of_scopes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCOPE_COUNT; i++) {
        assert_int_equal(scope_of(scope_name((auth_scope)i)), 1u << i);
        assert_true(*scope_explanation((auth_scope)i) != '\0');
    }
    assert_null(scope_name(SCOPE_COUNT));
    assert_int_equal(scope_of("nothing"), 0);
    assert_int_equal(stream_of(stream_name(STREAM_QUERIES)), STREAM_QUERIES);
    assert_null(stream_name(STREAM_ALL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_grants_replace_the_rest),
        cmocka_unit_test(columns_and_plainness),
        cmocka_unit_test(nobody_may_nothing),
        cmocka_unit_test(ten_thousand_grants),
        cmocka_unit_test(rows_are_a_union),
        cmocka_unit_test(columns_by_the_first_grant),
        cmocka_unit_test(subqueries_read_the_tables_themselves),
        cmocka_unit_test(rights_of_roles),
        cmocka_unit_test(names_of_scopes),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
