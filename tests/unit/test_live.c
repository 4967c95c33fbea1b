/* Live queries over the real engine: what a client has after applying all messages is what a plain
 * SELECT gives. The answers to faults are in test_live_faults.c, the parts in test_live_parts.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/engine_fixture.h"
#include "tests/unit/live_listener.h"

/* ---- an engine with live queries --------------------------------------------------------------
 */

typedef struct world {
    fx x;
    _Atomic(queries *) q;
    watcher w;
} world;

static void on_commit(void *arg, int64_t head)
{
    (void)head;
    queries *q = atomic_load(&((world *)arg)->q);
    if (q)
        queries_wake(q);
}

static const queries_limits usual = {
    .max_queries = 1000,
    .max_rows = 10000,
    .max_result = 1 << 20,
    .max_memory = 64 << 20,
    .min_interval_us = 10000,
};

static world *open_world(int64_t log_max_events)
{
    world *w = calloc(1, sizeof *w);
    error e;
    fx_init(&w->x);
    w->x.cfg.on_commit = on_commit;
    w->x.cfg.on_commit_arg = w;
    w->x.cfg.synchronous_full = false; /* the disk is not what is tested */
    w->x.cfg.log_max_events = log_max_events;
    fx_open(&w->x);
    const queries_config config = {
        .parallel = 2, .forms = payload_forms, .n_forms = 2, .limits = usual};
    queries *q = queries_start(w->x.g, &config, &e);
    if (!q)
        fail_msg("%s", e.message);
    atomic_store(&w->q, q);
    watcher_start(&w->w, q);
    return w;
}

static void close_world(world *w)
{
    queries *q = w->w.q;
    queries_stop(q);
    watcher_end(&w->w);
    fx_ok(&w->x, "CREATE TABLE IF NOT EXISTS z_last(x)"); /* wakes nobody */
    fx_end(&w->x);
    queries_free(q);
    free(w);
}

static queries_stats stats_of(world *w)
{
    queries_stats s;
    queries_stats_get(w->w.q, &s);
    return s;
}

static view *viewed(world *w, uint64_t number, const char *sql)
{
    view *v = &w->w.views[number];
    watcher_subscribe(&w->w, number, sql);
    watcher_until(&w->w, v->live || v->refused);
    if (v->refused)
        fail_msg("%s: %s", sql, v->err.message);
    return v;
}

/* Waits until the view has what the statement gives now. */
static void expect_present(world *w, view *v, const char *sql)
{
    const char *want = fx_sql(&w->x, sql);
    int64_t give_up = clock_mono_us() + VIEW_WAIT_US;
    while (!view_is(v, want)) {
        if (clock_mono_us() > give_up)
            fail_msg("%s\nis %s\nnot %s", sql, json_dumps(v->rows, JSON_COMPACT), want);
        watcher_pump(&w->w, 20000);
    }
}

/* ---- one at a time ----------------------------------------------------------------------------
 */

static void a_result_and_what_changes_in_it(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT id, x FROM t ORDER BY id";
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1,'a'),(2,'b'),(4,x'00ff'),(5,1.5)");
    view *v = viewed(w, 1, sql);
    assert_true(view_is(v, fx_sql(&w->x, sql)));
    assert_int_equal(json_array_size(v->columns), 2);
    assert_int_equal(json_array_size(json_object_get(v->last, "key")), 1);
    assert_int_equal(v->lsn, 5);
    fx_ok(&w->x, "INSERT INTO t VALUES(3, NULL)");
    watcher_until(&w->w, v->diffs == 1);
    assert_true(v->added == 1 && v->changed == 0 && v->removed == 0 && v->lsn == 6);
    fx_ok(&w->x, "UPDATE t SET x = 2 WHERE id = 2");
    watcher_until(&w->w, v->diffs == 2);
    assert_true(v->added == 1 && v->changed == 1 && v->removed == 0);
    fx_ok(&w->x, "DELETE FROM t WHERE id = 1");
    watcher_until(&w->w, v->diffs == 3);
    assert_true(v->added == 1 && v->changed == 1 && v->removed == 1);
    fx_ok(&w->x, "UPDATE t SET id = 9 WHERE id = 2"); /* another row, as keys go */
    watcher_until(&w->w, v->diffs == 4);
    assert_true(v->added == 2 && v->changed == 1 && v->removed == 2);
    assert_true(view_is(v, fx_sql(&w->x, sql)));
    fx_ok(&w->x, "UPDATE t SET x = x"); /* nothing is told of nothing */
    fx_ok(&w->x, "DELETE FROM t");
    watcher_until(&w->w, v->diffs == 5);
    assert_true(view_is(v, ""));
    assert_int_equal(v->results, 1);
    close_world(w);
}

static void order_is_part_of_the_result(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT id FROM t ORDER BY rank, id";
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, rank)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1,10),(2,20),(3,30),(4,40)");
    view *v = viewed(w, 1, sql);
    fx_ok(&w->x, "UPDATE t SET rank = 35 WHERE id = 1");
    expect_present(w, v, sql);
    assert_true(v->diffs == 1 && v->changed == 1); /* its values are the same, its place is not */
    close_world(w);
}

static void queries_without_a_key(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT x FROM t ORDER BY x";
    fx_ok(&w->x, "CREATE TABLE t(x)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1),(1),(2)");
    view *v = viewed(w, 1, sql);
    assert_true(json_is_null(json_object_get(v->last, "key")));
    fx_ok(&w->x, "INSERT INTO t VALUES(1)");
    watcher_until(&w->w, v->diffs == 1);
    assert_true(v->added == 1 && v->changed == 0 && v->removed == 0);
    fx_ok(&w->x, "UPDATE t SET x = 3 WHERE x = 2");
    expect_present(w, v, sql);
    assert_true(v->changed == 1);
    fx_ok(&w->x, "DELETE FROM t WHERE rowid = 1");
    expect_present(w, v, sql);
    assert_true(v->removed == 1 && v->results == 1);
    close_world(w);
}

/* A join may repeat the key of the table that the columns are of: then it is none. */
static void a_key_that_comes_and_goes(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT a.id, a.x FROM a JOIN b ON b.a = a.id ORDER BY 1, b.rowid";
    fx_ok(&w->x, "CREATE TABLE a(id INTEGER PRIMARY KEY, x)");
    fx_ok(&w->x, "CREATE TABLE b(a)");
    fx_ok(&w->x, "INSERT INTO a VALUES(1,1),(2,2)");
    fx_ok(&w->x, "INSERT INTO b VALUES(1)");
    view *v = viewed(w, 1, sql);
    assert_false(json_is_null(json_object_get(v->last, "key")));
    fx_ok(&w->x, "INSERT INTO b VALUES(2)");
    watcher_until(&w->w, v->diffs == 1);
    fx_ok(&w->x, "INSERT INTO b VALUES(2)");
    watcher_until(&w->w, v->results == 2);
    assert_true(json_is_null(json_object_get(v->last, "key")));
    fx_ok(&w->x, "INSERT INTO b VALUES(2)");
    watcher_until(&w->w, v->diffs == 2);
    fx_ok(&w->x, "DELETE FROM b WHERE rowid > 2");
    watcher_until(&w->w, v->results == 3);
    assert_false(json_is_null(json_object_get(v->last, "key")));
    assert_true(view_is(v, fx_sql(&w->x, sql)));
    close_world(w);
}

static void aggregates_and_views(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sum = "SELECT count(*), sum(n) FROM item";
    const char *by = "SELECT name, total FROM totals ORDER BY name";
    fx_ok(&w->x, "CREATE TABLE person(id INTEGER PRIMARY KEY, name)");
    fx_ok(&w->x, "CREATE TABLE item(id INTEGER PRIMARY KEY, person, n)");
    fx_ok(&w->x, "CREATE VIEW totals AS SELECT p.name, sum(i.n) AS total FROM person p "
                 "LEFT JOIN item i ON i.person = p.id GROUP BY p.id");
    fx_ok(&w->x, "INSERT INTO person VALUES(1,'anna'),(2,'bob')");
    view *v = viewed(w, 1, sum), *t = viewed(w, 2, by);
    fx_ok(&w->x, "INSERT INTO item(person, n) VALUES(1, 5),(2, 6)");
    expect_present(w, v, sum);
    expect_present(w, t, by);
    fx_ok(&w->x, "UPDATE item SET n = 7 WHERE person = 2");
    expect_present(w, v, sum);
    expect_present(w, t, by);
    assert_true(v->changed >= 1 && v->added == 0 && v->removed == 0);
    fx_ok(&w->x, "UPDATE person SET name = 'zoe' WHERE id = 1"); /* the view's, not the sum's */
    expect_present(w, t, by);
    close_world(w);
}

static void parameters(void **state)
{
    (void)state;
    world *w = open_world(0);
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1,'a'),(2,'b')");
    value a = vt("a"), b = vt("b");
    const char *const names[] = {"x"};
    engine_stmt by_place = {.sql = "SELECT id FROM t WHERE x = ?", .n_params = 1, .params = &a};
    engine_stmt by_name = {
        .sql = "SELECT id FROM t WHERE x = :x", .n_params = 1, .params = &b, .names = names};
    watcher_ask(&w->w, 1, &by_place, 0, 0);
    watcher_ask(&w->w, 2, &by_name, 1, 0);
    view *one = &w->w.views[1], *two = &w->w.views[2];
    watcher_until(&w->w, one->live && two->live);
    assert_true(view_is(one, "[1]") && view_is(two, "[2]"));
    fx_ok(&w->x, "UPDATE t SET x = 'b' WHERE id = 1");
    watcher_until(&w->w, one->diffs == 1 && two->diffs == 1);
    assert_true(view_is(one, "") && view_is(two, "[1]\n[2]"));
    close_world(w);
}

/* ---- shared -----------------------------------------------------------------------------------
 */

static void identical_queries_run_once(void **state)
{
    (void)state;
    world *w = open_world(0);
    enum { N = 200 };
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1)");
    engine_stats before, after;
    engine_stats_get(w->x.g, &before);
    for (int i = 0; i < N; i++)
        watcher_ask(&w->w, (uint64_t)i,
                    &(engine_stmt){.sql = i % 3 ? "SELECT * FROM t" : " SELECT *\nFROM t; -- me"},
                    i % 2, 0);
    for (int i = 0; i < N; i++)
        watcher_until(&w->w, w->w.views[i].live);
    assert_int_equal(stats_of(w).queries, 1);
    assert_int_equal(stats_of(w).subscriptions, N);
    assert_int_equal(stats_of(w).runs, 1);
    assert_int_equal(stats_of(w).results, 2); /* one in each form */
    fx_ok(&w->x, "INSERT INTO t VALUES(2)");
    for (int i = 0; i < N; i++)
        watcher_until(&w->w, w->w.views[i].diffs == 1);
    engine_stats_get(w->x.g, &after);
    assert_int_equal(after.reads - before.reads, 2);
    assert_int_equal(stats_of(w).runs, 2);
    assert_int_equal(stats_of(w).diffs, 2);
    for (int i = 0; i < N; i++)
        queries_unsubscribe(w->w.q, w->w.id, (uint64_t)i);
    fx_until(stats_of(w).queries == 0 && stats_of(w).subscriptions == 0);
    assert_int_equal(stats_of(w).memory, 0);
    int64_t looks = stats_of(w).looks;
    for (int i = 3; i < 30; i++) /* nobody listens, and nothing is done */
        fx_sqlf(&w->x, "INSERT INTO t VALUES(%d)", i);
    usleep(20000);
    assert_int_equal(stats_of(w).looks, looks);
    engine_stats_get(w->x.g, &after);
    assert_int_equal(after.reads - before.reads, 2);
    close_world(w);
}

static void other_tables_run_nothing(void **state)
{
    (void)state;
    world *w = open_world(0);
    fx_ok(&w->x, "CREATE TABLE t(x)");
    fx_ok(&w->x, "CREATE TABLE other(x)");
    view *v = viewed(w, 1, "SELECT * FROM t");
    int64_t runs = stats_of(w).runs;
    for (int i = 0; i < 50; i++)
        fx_ok(&w->x, "INSERT INTO other VALUES(1)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1)");
    watcher_until(&w->w, v->diffs == 1);
    assert_int_equal(stats_of(w).runs, runs + 1);
    close_world(w);
}

/* ---- pace -------------------------------------------------------------------------------------
 */

static void quick_writes_are_told_together(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT count(*) FROM t";
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    watcher_ask(&w->w, 1, &(engine_stmt){.sql = sql}, 0, 200000);
    watcher_ask(&w->w, 2, &(engine_stmt){.sql = sql}, 0, 0);
    view *slow = &w->w.views[1], *quick = &w->w.views[2];
    watcher_until(&w->w, slow->live && quick->live);
    int n = fx_slow() ? 200 : 1000;
    int64_t began = clock_mono_us();
    for (int i = 0; i < n; i++) {
        fx_ok(&w->x, "INSERT INTO t DEFAULT VALUES");
        watcher_pump(&w->w, 0);
    }
    int64_t took = clock_mono_us() - began;
    expect_present(w, slow, sql);
    expect_present(w, quick, sql);
    assert_true(slow->diffs <= took / 200000 + 2);
    assert_true(quick->diffs <= took / 10000 + 2);
    assert_true(quick->diffs >= slow->diffs);
    assert_int_equal(stats_of(w).queries, 1);
    close_world(w);
}

/* A slow stream waits for its time with what is known already, and does not run for it. */
static void a_slow_stream_takes_what_a_quick_one_has_found(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT x FROM t";
    fx_ok(&w->x, "CREATE TABLE t(x)");
    watcher_ask(&w->w, 1, &(engine_stmt){.sql = sql}, 0, 500000);
    watcher_ask(&w->w, 2, &(engine_stmt){.sql = sql}, 0, 0);
    view *slow = &w->w.views[1], *quick = &w->w.views[2];
    watcher_until(&w->w, slow->live && quick->live);
    fx_ok(&w->x, "INSERT INTO t VALUES(1)");
    watcher_until(&w->w, quick->diffs == 1);
    watcher_until(&w->w, slow->diffs == 1);
    assert_int_equal(stats_of(w).runs, 2);
    assert_true(view_is(slow, "[1]") && view_is(quick, "[1]"));
    close_world(w);
}

/* Somebody who comes while a slow stream is behind begins with the present, and joins it exactly.
 */
static void late_joiners_miss_and_repeat_nothing(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT x FROM t ORDER BY x";
    fx_ok(&w->x, "CREATE TABLE t(x)");
    watcher_ask(&w->w, 0, &(engine_stmt){.sql = sql}, 0, 300000);
    watcher_until(&w->w, w->w.views[0].live);
    int n = fx_slow() ? 8 : 24;
    for (int i = 1; i < n; i++) {
        fx_sqlf(&w->x, "INSERT INTO t VALUES(%d)", i);
        watcher_ask(&w->w, (uint64_t)i, &(engine_stmt){.sql = sql}, i % 2, 300000);
        view *v = &w->w.views[i];
        watcher_until(&w->w, v->results == 1);
        assert_int_equal(json_array_size(v->rows), i); /* what it wrote is there */
        fx_sqlf(&w->x, "INSERT INTO t VALUES(%d)", -i);
        fx_sqlf(&w->x, "DELETE FROM t WHERE x = %d", -i);
    }
    fx_ok(&w->x, "UPDATE t SET x = x + 1000");
    for (int i = 0; i < n; i++) {
        expect_present(w, &w->w.views[i], sql);
        watcher_until(&w->w, w->w.views[i].live);
        assert_int_equal(w->w.views[i].results, 1);
    }
    fx_ok(&w->x, "DELETE FROM t WHERE x % 2");
    for (int i = 0; i < n; i++)
        expect_present(w, &w->w.views[i], sql);
    close_world(w);
}

/* A subscription that has fallen behind begins again, one result at a time. */
static void beginning_again(void **state)
{
    (void)state;
    world *w = open_world(0);
    const char *sql = "SELECT x FROM t ORDER BY x";
    fx_ok(&w->x, "CREATE TABLE t(x)");
    view *v = viewed(w, 1, sql), *other = viewed(w, 2, sql);
    for (int i = 1; i < 6; i++) {
        w->w.no_acks = i % 2 == 1;
        fx_sqlf(&w->x, "INSERT INTO t VALUES(%d)", i);
        v->live = false; /* what comes now is missed */
        v->restarting = true;
        assert_true(queries_restart(w->w.q, w->w.id, 1));
        watcher_until(&w->w, other->diffs == i);
        if (i % 2 == 0) { /* what it was sent before is not read yet */
            usleep(20000);
            watcher_pump(&w->w, 0);
            assert_int_equal(v->results, i);
            queries_ack(w->w.q, w->w.id, 1, v->unread - 1);
            queries_ack(w->w.q, w->w.id, 1, 1);
            v->unread = 0;
        }
        watcher_until(&w->w, v->live);
        assert_int_equal(v->results, i + 1);
        expect_present(w, v, sql);
    }
    fx_ok(&w->x, "DELETE FROM t");
    expect_present(w, v, sql);
    v->live = false;
    queries_restart(w->w.q, w->w.id, 1);
    fx_ok(&w->x, "DROP TABLE t"); /* before or after it: it ends */
    watcher_until(&w->w, v->ended && other->ended);
    assert_false(v->refused);
    assert_true(queries_restart(w->w.q, w->w.id, 1)); /* too late; nothing comes of it */
    close_world(w);
}

/* ---- a random writer --------------------------------------------------------------------------
 */

static const char *const looked_at[] = {
    "SELECT id, x, n FROM t ORDER BY n, id",
    "SELECT * FROM t WHERE n < 50 ORDER BY id DESC",
    "SELECT x FROM t ORDER BY n DESC, id LIMIT 10",
    "SELECT x, count(*), sum(n), avg(n) FROM t GROUP BY x ORDER BY x",
    "SELECT max(n), min(n) FROM t",
    "SELECT t.id, u.name FROM t JOIN u ON u.id = t.x ORDER BY t.id",
    "SELECT u.id, u.name, t.n FROM u LEFT JOIN t ON t.x = u.id ORDER BY u.id, t.id",
    "SELECT id, p, q FROM w ORDER BY q, p",
    "SELECT n FROM t UNION SELECT id FROM u ORDER BY 1",
    "SELECT * FROM both_ ORDER BY 1, 2",
};
enum { LOOKED_AT = sizeof looked_at / sizeof *looked_at };

static void write_at_random(world *w)
{
    int id = rand() % 60, x = rand() % 8, n = rand() % 100;
    switch (rand() % 9) {
    case 0:
    case 1:
        fx_sqlf(&w->x, "INSERT OR REPLACE INTO t VALUES(%d,%d,%d)", id, x, n);
        break;
    case 2:
        fx_sqlf(&w->x, "UPDATE t SET n = %d WHERE id = %d", n, id);
        break;
    case 3:
        fx_sqlf(&w->x, "UPDATE t SET n = n + 1 WHERE x = %d", x);
        break;
    case 4:
        fx_sqlf(&w->x, "DELETE FROM t WHERE id BETWEEN %d AND %d", id, id + 2);
        break;
    case 5:
        fx_sqlf(&w->x, "INSERT OR REPLACE INTO u VALUES(%d,'name %d')", x, n);
        break;
    case 6:
        fx_sqlf(&w->x, "DELETE FROM u WHERE id = %d", x);
        break;
    case 7:
        fx_sqlf(&w->x, "INSERT OR REPLACE INTO w VALUES(%d,%d,%d)", id, x, n);
        break;
    case 8:
        fx_sqlf(&w->x, "UPDATE t SET id = id + 100 WHERE id = %d", id);
        break;
    }
    while (w->x.n_texts > FX_TEXTS / 2)
        free(w->x.texts[--w->x.n_texts]);
}

static void random_writes(void **state)
{
    (void)state;
    world *w = open_world(0);
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, x INT, n INT)");
    fx_ok(&w->x, "CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT)");
    fx_ok(&w->x, "CREATE TABLE w(id INT, p INT, q INT, PRIMARY KEY(q, p)) WITHOUT ROWID");
    fx_ok(&w->x, "CREATE VIEW both_ AS SELECT u.name, t.n FROM t, u WHERE t.x = u.id");
    srand(11);
    int rounds = fx_slow() ? 20 : 150, numbers = 0, of[VIEWERS];
    for (int i = 0; i < rounds; i++) {
        for (int k = 0; k < LOOKED_AT && numbers < VIEWERS; k += 1 + rand() % 6) {
            of[numbers] = (k + i) % LOOKED_AT;
            watcher_ask(&w->w, (uint64_t)numbers, &(engine_stmt){.sql = looked_at[of[numbers]]},
                        rand() % 2, rand() % 3 * 20000);
            numbers++;
        }
        for (int k = rand() % 12; k >= 0; k--)
            write_at_random(w);
        watcher_pump(&w->w, rand() % 4 * 5000);
        if (rand() % 4 == 0 && numbers) {
            int gone = rand() % numbers;
            queries_unsubscribe(w->w.q, w->w.id, (uint64_t)gone);
            w->w.views[gone].left = true;
            w->w.views[gone].live = false;
            w->w.views[gone].stream = 0;
        }
        if (i % 15 == 14) {
            for (int k = 0; k < numbers; k++) {
                view *v = &w->w.views[k];
                if (v->left)
                    continue;
                watcher_until(&w->w, v->results);
                expect_present(w, v, looked_at[of[k]]);
            }
        }
    }
    close_world(w);
}

enum { MOMENTS = 1500 };

/* What the statement gave at each lsn, while nobody else wrote. */
static struct {
    json_t *rows[MOMENTS][LOOKED_AT]; /* NULL: no commit ended there */
    int compared;
    const world *w;
} history;

static void compare_with_history(const view *v)
{
    int number = (int)(v - history.w->w.views);
    assert_in_range(v->lsn, 1, MOMENTS - 1);
    json_t *want = history.rows[v->lsn][number];
    if (!want || !json_equal(want, v->rows))
        fail_msg("at %lld \"%s\" is not %s", (long long)v->lsn, looked_at[number],
                 json_dumps(v->rows, JSON_COMPACT));
    history.compared++;
}

static void note_moment(world *w)
{
    engine_stats stats;
    engine_stats_get(w->x.g, &stats);
    assert_true(stats.log_head < MOMENTS);
    for (int i = 0; i < LOOKED_AT; i++) {
        json_t **rows = &history.rows[stats.log_head][i];
        if (!*rows)
            *rows = rows_of(fx_sql(&w->x, looked_at[i]));
    }
    while (w->x.n_texts > FX_TEXTS / 2)
        free(w->x.texts[--w->x.n_texts]);
}

/* Every message leads to the very result of the lsn that it names. */
static void each_message_is_exact(void **state)
{
    (void)state;
    world *w = open_world(0);
    memset(&history, 0, sizeof history);
    history.w = w;
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, x INT, n INT)");
    fx_ok(&w->x, "CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT)");
    fx_ok(&w->x, "CREATE TABLE w(id INT, p INT, q INT, PRIMARY KEY(q, p)) WITHOUT ROWID");
    fx_ok(&w->x, "CREATE VIEW both_ AS SELECT u.name, t.n FROM t, u WHERE t.x = u.id");
    for (int i = 0; i < LOOKED_AT; i++)
        viewed(w, (uint64_t)i, looked_at[i]);
    view_applied = compare_with_history;
    srand(23);
    for (int i = 0; i < (fx_slow() ? 30 : 200); i++) {
        write_at_random(w);
        note_moment(w);
        watcher_pump(&w->w, rand() % 3 * 3000);
    }
    for (int i = 0; i < LOOKED_AT; i++)
        expect_present(w, &w->w.views[i], looked_at[i]);
    assert_true(history.compared > LOOKED_AT);
    view_applied = NULL;
    for (int i = 0; i < MOMENTS; i++) {
        for (int k = 0; k < LOOKED_AT; k++)
            json_decref(history.rows[i][k]);
    }
    close_world(w);
}

/* ---- the schema -------------------------------------------------------------------------------
 */

static void a_changed_schema(void **state)
{
    (void)state;
    world *w = open_world(0);
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    fx_ok(&w->x, "CREATE TABLE u(id INTEGER PRIMARY KEY, y)");
    fx_ok(&w->x, "CREATE VIEW v AS SELECT id FROM t");
    fx_ok(&w->x, "INSERT INTO t VALUES(1, 2)");
    fx_ok(&w->x, "INSERT INTO u VALUES(7, 8)");
    view *all = viewed(w, 1, "SELECT * FROM t"), *through = viewed(w, 2, "SELECT * FROM v");
    fx_ok(&w->x, "ALTER TABLE t ADD COLUMN z DEFAULT 5");
    watcher_until(&w->w, all->results == 2); /* other columns: all of it */
    assert_true(view_is(all, "[1,2,5]"));
    fx_ok(&w->x, "DROP VIEW v");
    watcher_until(&w->w, through->ended);
    assert_int_equal(through->err.code, ERR_TABLE_NOT_FOUND);
    fx_ok(&w->x, "CREATE VIEW v AS SELECT id FROM t");
    through = viewed(w, 3, "SELECT * FROM v");
    fx_atomic(&w->x, "DROP VIEW v", "CREATE VIEW v AS SELECT id FROM u");
    watcher_until(&w->w, view_is(through, "[7]"));
    fx_ok(&w->x, "INSERT INTO u VALUES(9, 9)"); /* it reads another table now */
    watcher_until(&w->w, view_is(through, "[7]\n[9]"));
    fx_ok(&w->x, "ALTER TABLE t RENAME TO s");
    watcher_until(&w->w, all->ended);
    fx_ok(&w->x, "DROP TABLE u");
    watcher_until(&w->w, through->ended);
    fx_until(stats_of(w).queries == 0);
    close_world(w);
}

/* ---- what is refused, and what ends -----------------------------------------------------------
 */

static void what_is_no_live_query(void **state)
{
    (void)state;
    world *w = open_world(0);
    fx_ok(&w->x, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    fx_ok(&w->x, "CREATE VIRTUAL TABLE ft USING fts5(t)");
    const struct {
        const char *sql;
        error_code code;
        int position;
    } cases[] = {
        {"SELEC 1", ERR_QUERY_ERROR, 0},
        {"SELECT", ERR_QUERY_ERROR, -1},
        {"SELECT nothing FROM t", ERR_QUERY_ERROR, 7},
        {"SELECT  nothing FROM t", ERR_QUERY_ERROR, -1},
        {"SELECT * FROM nowhere", ERR_TABLE_NOT_FOUND, -1},
        {"INSERT INTO t VALUES(1,1)", ERR_READ_ONLY, -1},
        {"SELECT * FROM ft", ERR_INVALID_MESSAGE, -1},
        {"SELECT * FROM sqlite_schema", ERR_INVALID_MESSAGE, -1},
        {"PRAGMA user_version", ERR_INVALID_MESSAGE, -1},
        {"SELECT 1", ERR_INVALID_MESSAGE, -1},
        {"SELECT datetime('now')", ERR_INVALID_MESSAGE, -1},
        {"SELECT * FROM t; SELECT 2", ERR_QUERY_ERROR, 17},
        {"", ERR_QUERY_ERROR, -1},
        {"SELECT * FROM _rustydb_log", ERR_PERMISSION_DENIED, -1},
        {"SELECT json_extract(value, '$') FROM json_each('[]')", ERR_INVALID_MESSAGE, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        view *v = &w->w.views[i];
        watcher_subscribe(&w->w, i, cases[i].sql);
        watcher_until(&w->w, v->refused || v->live);
        if (v->live || v->err.code != cases[i].code)
            fail_msg("%s: %s %s", cases[i].sql,
                     v->live ? "works" : error_describe(v->err.code)->name, v->err.message);
        if (v->err.position != cases[i].position)
            fail_msg("%s: %s at %lld", cases[i].sql, v->err.message, (long long)v->err.position);
    }
    fx_until(stats_of(w).queries == 0 && stats_of(w).subscriptions == 0);
    view *v =
        viewed(w, 100, "SELECT x, random() > 0, datetime('now') FROM t"); /* runs at commits */
    fx_ok(&w->x, "INSERT INTO t VALUES(1,1)");
    watcher_until(&w->w, json_array_size(v->rows) == 1);
    close_world(w);
}

static void a_statement_that_fails_later(void **state)
{
    (void)state;
    world *w = open_world(0);
    fx_ok(&w->x, "CREATE TABLE t(x)");
    fx_ok(&w->x, "INSERT INTO t VALUES('{}')");
    view *v = viewed(w, 1, "SELECT json_extract(x, '$.a') FROM t");
    view *other = viewed(w, 2, "SELECT x FROM t");
    fx_ok(&w->x, "INSERT INTO t VALUES('no json')");
    watcher_until(&w->w, v->ended && other->diffs == 1);
    assert_int_equal(v->err.code, ERR_QUERY_ERROR);
    close_world(w);
}

static void results_have_limits(void **state)
{
    (void)state;
    world *w = open_world(0);
    queries_limits limits = usual;
    limits.max_rows = 3;
    limits.max_result = 3000;
    limits.max_queries = 2;
    queries_set_limits(w->w.q, &limits);
    fx_ok(&w->x, "CREATE TABLE t(x)");
    fx_ok(&w->x, "INSERT INTO t VALUES(1),(2),(3)");
    view *rows = viewed(w, 1, "SELECT x FROM t");
    view *bytes = viewed(w, 2, "SELECT max(length(x)), max(x) FROM t");
    watcher_subscribe(&w->w, 3, "SELECT 1 FROM t");
    watcher_until(&w->w, w->w.views[3].refused);
    assert_int_equal(w->w.views[3].err.code, ERR_BUSY);
    viewed(w, 4, "SELECT x FROM t"); /* one that is there already is shared */
    fx_ok(&w->x, "INSERT INTO t VALUES(4)");
    watcher_until(&w->w, rows->ended && w->w.views[4].ended);
    assert_int_equal(rows->err.code, ERR_MESSAGE_TOO_BIG);
    assert_non_null(strstr(rows->err.message, "3 rows"));
    assert_false(bytes->ended);
    fx_ok(&w->x, "INSERT INTO t VALUES(hex(randomblob(2000)))");
    watcher_until(&w->w, bytes->ended);
    assert_int_equal(bytes->err.code, ERR_MESSAGE_TOO_BIG);
    assert_non_null(strstr(bytes->err.message, "3000 bytes"));
    limits = usual;
    limits.max_memory = 2000;
    queries_set_limits(w->w.q, &limits);
    view *first = viewed(w, 5, "SELECT count(*) FROM t");
    watcher_subscribe(&w->w, 6, "SELECT x FROM t");
    watcher_until(&w->w, w->w.views[6].refused);
    assert_int_equal(w->w.views[6].err.code, ERR_BUSY);
    assert_false(first->ended);
    close_world(w);
}

/* ---- the log ----------------------------------------------------------------------------------
 */

/* Pruned faster than it is read: everything runs again, and nothing is lost. */
static void a_log_that_is_pruned(void **state)
{
    (void)state;
    world *w = open_world(20);
    const char *sql = "SELECT count(*), max(x) FROM t";
    fx_ok(&w->x, "CREATE TABLE t(x)");
    view *v = viewed(w, 1, sql);
    for (int i = 0; i < (fx_slow() ? 3 : 20); i++) {
        fx_ok(&w->x, "INSERT INTO t SELECT value FROM "
                     "(WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n "
                     "WHERE value < 2000) SELECT value FROM n)");
        watcher_pump(&w->w, 1000);
    }
    expect_present(w, v, sql);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_and_what_changes_in_it),
        cmocka_unit_test(order_is_part_of_the_result),
        cmocka_unit_test(queries_without_a_key),
        cmocka_unit_test(a_key_that_comes_and_goes),
        cmocka_unit_test(aggregates_and_views),
        cmocka_unit_test(parameters),
        cmocka_unit_test(identical_queries_run_once),
        cmocka_unit_test(other_tables_run_nothing),
        cmocka_unit_test(quick_writes_are_told_together),
        cmocka_unit_test(a_slow_stream_takes_what_a_quick_one_has_found),
        cmocka_unit_test(late_joiners_miss_and_repeat_nothing),
        cmocka_unit_test(beginning_again),
        cmocka_unit_test(random_writes),
        cmocka_unit_test(each_message_is_exact),
        cmocka_unit_test(a_changed_schema),
        cmocka_unit_test(what_is_no_live_query),
        cmocka_unit_test(a_statement_that_fails_later),
        cmocka_unit_test(results_have_limits),
        cmocka_unit_test(a_log_that_is_pruned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
