/* The feed through lenses: what each viewer of a table is sent, now and from the past, and that
 * nothing of what is hidden shows: no row, no value, no filter's answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/viewer.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/feed_listener.h"

typedef struct world {
    fx x;
    _Atomic(feed *) feed;
    listener l;
} world;

static void on_commit(void *arg, int64_t head)
{
    (void)head;
    feed *f = atomic_load(&((world *)arg)->feed);
    if (f)
        feed_wake(f);
}

static void open_world(world *w, int slice)
{
    memset(w, 0, sizeof *w);
    fx_init(&w->x);
    w->x.cfg.on_commit = on_commit;
    w->x.cfg.on_commit_arg = w;
    w->x.cfg.synchronous_full = false;
    fx_open(&w->x);
    feed_config config = {.slice = slice, .forms = line_forms, .n_forms = 2};
    error e;
    feed *f = feed_start(w->x.g, &config, &e);
    if (!f)
        fail_msg("%s", e.message);
    atomic_store(&w->feed, f);
    listener_start(&w->l, f);
    fx_ok(&w->x,
          "CREATE TABLE orders (id INTEGER PRIMARY KEY, owner TEXT, total REAL, secret TEXT)");
}

static void close_world(world *w)
{
    feed *f = w->l.f;
    feed_stop(f);
    listener_end(&w->l);
    fx_end(&w->x);
    feed_free(f);
}

static void exec(world *w, const char *sql)
{
    fx_ok(&w->x, sql);
}

static access_set *access_of(const access_grant *grants, int n)
{
    const access_role role = {n, grants};
    access_set *a = access_new(&role, 1);
    assert_non_null(a);
    return a;
}

/* Asks as somebody; the answer has come. */
static heard *ask(world *w, uint64_t number, const viewer *as, const char *table, const char *where,
                  int64_t since)
{
    feed_request r = {
        .listener = w->l.id,
        .sub = number,
        .tables = (const char *const[]){table},
        .n_tables = table ? 1 : 0,
        .where = where,
        .has_since = since >= 0,
        .since = since >= 0 ? since : 0,
        .as = as,
    };
    heard *h = &w->l.subs[number];
    assert_true(feed_subscribe(w->l.f, &r));
    listener_until(&w->l, h->live || h->refused || h->ended);
    return h;
}

/* Everything that was committed has been given to everyone. */
static void settle(world *w)
{
    engine_stats stats;
    engine_stats_get(w->x.g, &stats);
    fx_until(feed_position(w->l.f) >= stats.log_head);
    static uint64_t number = 40;
    heard *h = ask(w, number, NULL, "orders", NULL, -1);
    feed_unsubscribe(w->l.f, w->l.id, number);
    assert_true(h->live);
    number = number == 62 ? 40 : number + 1;
}

/* What somebody was sent: "i{row}", "u{row}{old row}[changed]", "d{old row}", one behind another.
 */
static const char *seen(world *w, const heard *h)
{
    buf out = BUF_INIT;
    const char *at = h->text.len ? h->text.data : "", *end = at + h->text.len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        json_t *line = json_loadb(at, (size_t)(line_end - at), 0, NULL);
        json_t *p = json_object_get(line, "payload");
        const char *op = json_string_value(json_object_get(p, "op"));
        if (op) {
            buf_addc(&out, op[0]);
            const char *const parts[] = {"row", "old_row", "changed_columns"};
            for (int i = 0; i < 3; i++) {
                json_t *part = json_object_get(p, parts[i]);
                char *text = json_is_null(part) ? NULL : json_dumps(part, JSON_COMPACT);
                buf_adds(&out, text ? text : "");
                free(text);
            }
        } else {
            char *text = json_dumps(p, JSON_COMPACT);
            buf_adds(&out, text);
            free(text);
        }
        buf_addc(&out, '\n');
        json_decref(line);
        at = line_end + 1;
    }
    char *text = strdup(buf_cstr(&out));
    buf_free(&out);
    return fx_keep(&w->x, text);
}

static void act(world *w)
{
    exec(w, "INSERT INTO orders VALUES (1, 'anna', 5.0, 's1')");
    exec(w, "INSERT INTO orders VALUES (2, 'bob', 7.0, 's2')");
    exec(w, "UPDATE orders SET total = 6.0 WHERE id = 1");
    exec(w, "UPDATE orders SET owner = 'bob' WHERE id = 1");
    exec(w, "UPDATE orders SET owner = 'anna' WHERE id = 2");
    exec(w, "UPDATE orders SET secret = 'new' WHERE id = 2");
    exec(w, "DELETE FROM orders WHERE id = 1");
    exec(w, "DELETE FROM orders WHERE id = 2");
}

static const char *const open_columns[] = {"id", "owner"};

static const access_grant annas = {
    .table = "orders",
    .ops = ACCESS_SELECT,
    .where = "owner = 'anna'",
    .n_columns = 2,
    .columns = open_columns,
};
static const char annas_events[] = "i{\"id\":1,\"owner\":\"anna\"}\n"
                                   "d{\"id\":1,\"owner\":\"anna\"}\n"
                                   "i{\"id\":2,\"owner\":\"anna\"}\n"
                                   "d{\"id\":2,\"owner\":\"anna\"}\n";

/* Rows that come into view and leave it, columns, and nothing where only hidden ones change; the
 * same from the past, by oneself and in a crowd. */
static void rows_and_columns(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 3);
    access_set *a = access_of(&annas, 1);
    const viewer anna = {.access = a, .user = "anna"};
    heard *live = ask(&w, 1, &anna, "orders", NULL, -1);
    heard *whole = ask(&w, 2, NULL, "Orders", NULL, -1);
    heard *all = ask(&w, 3, &anna, NULL, NULL, -1);
    assert_true(live->live && whole->live && all->live);
    assert_int_not_equal(live->stream, whole->stream);
    act(&w);
    settle(&w);
    assert_string_equal(seen(&w, live), annas_events);
    assert_string_equal(seen(&w, all), annas_events);
    assert_int_equal(whole->events, 8);
    for (uint64_t i = 4; i < 8; i++) {
        heard *past = ask(&w, i, &anna, i % 2 ? "orders" : NULL, NULL, 0);
        assert_string_equal(seen(&w, past), annas_events);
    }
    access_release(a);
    close_world(&w);
}

/* Many that resume at once are read for together. */
static void a_crowd_resumes(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 2);
    access_set *a = access_of(&annas, 1);
    const viewer anna = {.access = a, .user = "anna"};
    act(&w);
    for (uint64_t i = 1; i <= 20; i++) {
        feed_request r = {.listener = w.l.id,
                          .sub = i,
                          .tables = (const char *const[]){"orders"},
                          .n_tables = 1,
                          .has_since = true,
                          .as = &anna};
        assert_true(feed_subscribe(w.l.f, &r));
    }
    access_release(a); /* the feed has its own hold */
    listener_subscribe(&w.l, 30, "orders", NULL, 0);
    listener_until(&w.l, w.l.subs[30].live);
    expect_lsns(&w.l.subs[30], (const int64_t[]){2, 3, 4, 5, 6, 7, 8, 9}, 8);
    for (uint64_t i = 1; i <= 20; i++) {
        listener_until(&w.l, w.l.subs[i].live);
        assert_string_equal(seen(&w, &w.l.subs[i]), annas_events);
    }
    close_world(&w);
}

static void masks(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    const access_mask hide[] = {{"secret", "NULL"}, {"total", "round(total / 10) * 10"}};
    const access_grant g = {.table = "*", .ops = ACCESS_SELECT, .n_masks = 2, .masks = hide};
    access_set *a = access_of(&g, 1);
    const viewer eve = {.access = a, .user = "eve"};
    heard *h = ask(&w, 1, &eve, "orders", NULL, -1);
    /* A filter sees what the subscriber sees, and so tells nothing else. */
    heard *guess = ask(&w, 2, &eve, "orders", "secret = 's1'", -1);
    heard *total = ask(&w, 3, &eve, "orders", "total = 5.0", -1);
    heard *old = ask(&w, 4, &eve, "orders", "old.secret IS NOT NULL", -1);
    heard *shown = ask(&w, 5, &eve, "orders", "total = 10.0", -1);
    exec(&w, "INSERT INTO orders VALUES (1, 'anna', 5.0, 's1')");
    exec(&w, "UPDATE orders SET secret = 's2'");
    exec(&w, "UPDATE orders SET total = 6.0");
    exec(&w, "UPDATE orders SET total = 16.0");
    settle(&w);
    assert_string_equal(
        seen(&w, h), "i{\"id\":1,\"owner\":\"anna\",\"total\":10.0,\"secret\":null}\n"
                     "u{\"id\":1,\"owner\":\"anna\",\"total\":20.0,\"secret\":null}"
                     "{\"id\":1,\"owner\":\"anna\",\"total\":10.0,\"secret\":null}[\"total\"]\n");
    assert_int_equal(guess->events, 0);
    assert_int_equal(total->events, 0);
    assert_int_equal(old->events, 0);
    assert_int_equal(shown->events, 1);
    access_release(a);
    close_world(&w);
}

/* A hidden column is none at all, neither for `where` nor for `columns`; a hidden table likewise.
 */
static void what_is_hidden_is_not_there(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    exec(&w, "CREATE TABLE hidden (id INTEGER PRIMARY KEY)");
    access_set *a = access_of(&annas, 1);
    const viewer anna = {.access = a, .user = "anna"};
    heard *h = ask(&w, 1, &anna, "orders", "secret = 's1'", -1);
    assert_true(h->refused);
    assert_string_equal(h->err.message, "where: no such column: secret");
    feed_request r = {.listener = w.l.id,
                      .sub = 2,
                      .tables = (const char *const[]){"orders"},
                      .n_tables = 1,
                      .columns = (const char *const[]){"secret"},
                      .n_columns = 1,
                      .as = &anna};
    assert_true(feed_subscribe(w.l.f, &r));
    listener_until(&w.l, w.l.subs[2].refused);
    heard *hidden = ask(&w, 3, &anna, "hidden", NULL, -1);
    heard *absent = ask(&w, 4, &anna, "absent", NULL, -1);
    assert_true(hidden->refused && absent->refused);
    assert_int_equal(hidden->err.code, ERR_TABLE_NOT_FOUND);
    assert_int_equal(hidden->err.code, absent->err.code);
    assert_string_equal(hidden->err.message, "there is no table \"hidden\"");
    assert_string_equal(absent->err.message, "there is no table \"absent\"");
    assert_string_equal(hidden->err.hint, absent->err.hint);
    heard *all = ask(&w, 5, &anna, NULL, NULL, 0);
    exec(&w, "INSERT INTO hidden VALUES (1)");
    exec(&w, "ALTER TABLE hidden RENAME TO orders2");
    exec(&w, "DROP TABLE orders2");
    settle(&w);
    assert_string_equal(seen(&w, all), "");
    access_release(a);
    close_world(&w);
}

/* Of a change to the table: that there was one, without the text and the new name. */
static void ddl_says_no_more_than_it_may(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    access_set *a = access_of(&annas, 1);
    const viewer anna = {.access = a, .user = "anna"};
    heard *h = ask(&w, 1, &anna, "orders", NULL, -1);
    heard *all = ask(&w, 2, &anna, NULL, NULL, -1);
    exec(&w, "ALTER TABLE orders ADD COLUMN hush TEXT DEFAULT 'x'");
    exec(&w, "INSERT INTO orders (id, owner) VALUES (1, 'anna')");
    exec(&w, "ALTER TABLE orders RENAME TO classified");
    exec(&w, "INSERT INTO classified (id, owner) VALUES (2, 'anna')");
    listener_until(&w.l, h->ended);
    const char *text = seen(&w, h);
    assert_null(strstr(text, "hush"));
    assert_null(strstr(text, "classified"));
    assert_null(strstr(h->err.message, "classified"));
    assert_non_null(strstr(text, "i{\"id\":1,\"owner\":\"anna\"}"));
    assert_int_equal(h->events, 3);
    listener_until(&w.l, all->events == 3);
    assert_null(strstr(seen(&w, all), "classified"));
    access_release(a);
    close_world(&w);
}

/* Those who see alike share a stream, others never. */
static void streams_are_shared_by_sight(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    const access_grant plain = {.table = "*", .ops = ACCESS_SELECT};
    const access_grant columns = {.table = "orders",
                                  .ops = ACCESS_SELECT | ACCESS_INSERT,
                                  .n_columns = 2,
                                  .columns = open_columns};
    const access_grant more[] = {annas, {.table = "other", .ops = ACCESS_ALL}};
    access_set *sets[] = {access_of(&plain, 1), access_of(&annas, 1), access_of(&annas, 1),
                          access_of(more, 2), access_of(&columns, 1)};
    const struct {
        viewer as;
        int same_as;
    } cases[] = {
        {{.access = NULL, .user = "root"}, 0},
        {{.access = sets[0], .user = "x"}, 0},
        {{.access = sets[1], .user = "a"}, 2},
        {{.access = sets[2], .user = "a"}, 2},
        {{.access = sets[3], .user = "a"}, 2},
        {{.access = sets[1], .user = "b"}, 5},
        {{.access = sets[1], .user = "a", .claims = "{\"x\":1}"}, 6},
        {{.access = sets[4], .user = "a"}, 7},
        {{.access = sets[4], .user = "b"}, 7},
    };
    enum { N = sizeof cases / sizeof *cases };
    for (int i = 0; i < N; i++) {
        heard *h = ask(&w, (uint64_t)i, &cases[i].as, "orders", NULL, -1);
        assert_true(h->live);
        for (int k = 0; k < i; k++) {
            bool same = h->stream == w.l.subs[k].stream;
            if (same != (cases[i].same_as == cases[k].same_as))
                fail_msg("%d and %d", i, k);
        }
    }
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        access_release(sets[i]);
    close_world(&w);
}

/* A policy may look at other tables as they are now. */
static void a_policy_looks_at_other_tables(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    exec(&w, "CREATE TABLE teams (name TEXT PRIMARY KEY, open INTEGER)");
    exec(&w, "INSERT INTO teams VALUES ('anna', 1), ('bob', 0)");
    const access_grant g = {.table = "orders",
                            .ops = ACCESS_SELECT,
                            .where = "owner IN (SELECT name FROM teams WHERE open)"};
    access_set *a = access_of(&g, 1);
    const viewer eve = {.access = a, .user = "eve"};
    heard *h = ask(&w, 1, &eve, "orders", NULL, -1);
    exec(&w, "INSERT INTO orders (id, owner) VALUES (1, 'anna'), (2, 'bob')");
    settle(&w);
    assert_int_equal(h->events, 1);
    exec(&w, "UPDATE teams SET open = 1 - open");
    exec(&w, "INSERT INTO orders (id, owner) VALUES (3, 'anna'), (4, 'bob')");
    settle(&w);
    assert_int_equal(h->events, 2);
    assert_non_null(strstr(seen(&w, h), "i{\"id\":4"));
    access_release(a);
    close_world(&w);
}

/* Where it cannot be said what may be seen, nothing is sent, and no value told. */
static void a_policy_that_fails_ends_it(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    const access_grant fails = {
        .table = "orders", .ops = ACCESS_SELECT, .where = "json_extract(secret, '$.a') = 1"};
    const access_grant endless = {
        .table = "orders",
        .ops = ACCESS_SELECT,
        .where = "(SELECT count(*) FROM many a, many b, many c WHERE a.x + b.x + c.x > total)"};
    const access_grant unfit = {.table = "orders", .ops = ACCESS_SELECT, .where = "nothing = 1"};
    access_set *sets[] = {access_of(&fails, 1), access_of(&endless, 1), access_of(&unfit, 1)};
    const access_grant by_rowid = {.table = "orders", .ops = ACCESS_SELECT, .where = "rowid = 1"};
    access_set *rowid = access_of(&by_rowid, 1);
    const viewer d = {.access = rowid, .user = "d"};
    assert_int_equal(ask(&w, 7, &d, "orders", NULL, -1)->err.code, ERR_QUERY_ERROR);
    access_release(rowid);
    const viewer a = {.access = sets[0], .user = "a"}, b = {.access = sets[1], .user = "b"},
                 c = {.access = sets[2], .user = "c"};
    exec(&w, "CREATE TABLE many AS WITH RECURSIVE n(x) AS (VALUES(1) UNION ALL SELECT x + 1 FROM n "
             "WHERE x < 1000) SELECT x FROM n");
    heard *bad = ask(&w, 1, &a, "orders", NULL, -1), *slow = ask(&w, 2, &b, "orders", NULL, -1);
    heard *all = ask(&w, 3, &a, NULL, NULL, -1), *no = ask(&w, 4, &c, "orders", NULL, -1);
    heard *good = ask(&w, 5, NULL, "orders", NULL, -1);
    assert_true(no->refused);
    assert_int_equal(no->err.code, ERR_QUERY_ERROR);
    exec(&w, "INSERT INTO orders VALUES (1, 'anna', 1, 'not json: topsecret')");
    heard *const ends[] = {bad, slow, all};
    for (int i = 0; i < 3; i++) {
        listener_until(&w.l, ends[i]->ended);
        assert_int_equal(ends[i]->events, 0);
        assert_int_equal(ends[i]->err.code, ERR_QUERY_ERROR);
        assert_null(strstr(ends[i]->err.message, "topsecret"));
    }
    settle(&w);
    assert_int_equal(good->events, 1);
    heard *past = ask(&w, 6, &a, "orders", NULL, 0);
    assert_true(past->ended);
    assert_int_equal(past->events, 0);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        access_release(sets[i]);
    close_world(&w);
}

/* A table that changes again and again: lenses of shapes that are gone go, too. */
static void shapes_come_and_go(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100);
    access_set *a = access_of(&annas, 1);
    const viewer anna = {.access = a, .user = "anna"};
    heard *h = ask(&w, 1, &anna, "orders", "id >= 0 AND owner = 'anna'", -1);
    heard *all = ask(&w, 2, &anna, NULL, NULL, -1);
    for (int i = 0; i < 12; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "ALTER TABLE orders ADD COLUMN c%d", i);
        exec(&w, sql);
        snprintf(sql, sizeof sql, "INSERT INTO orders (id, owner) VALUES (%d, 'anna')", i);
        exec(&w, sql);
    }
    settle(&w);
    assert_int_equal(h->events, 24);
    assert_int_equal(all->events, 24);
    heard *past = ask(&w, 3, &anna, "orders", "id >= 0 AND owner = 'anna'", 0);
    assert_int_equal(past->events, 24);
    access_release(a);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_columns),
        cmocka_unit_test(a_crowd_resumes),
        cmocka_unit_test(masks),
        cmocka_unit_test(what_is_hidden_is_not_there),
        cmocka_unit_test(ddl_says_no_more_than_it_may),
        cmocka_unit_test(streams_are_shared_by_sight),
        cmocka_unit_test(a_policy_looks_at_other_tables),
        cmocka_unit_test(a_policy_that_fails_ends_it),
        cmocka_unit_test(shapes_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
