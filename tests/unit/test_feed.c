/* The feed over the real engine: hand-over under write load, filters, windows, tables that come,
 * change and go. Its answers to faults are in test_feed_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/engine_fixture.h"
#include "tests/unit/feed_listener.h"

/* ---- an engine with a feed --------------------------------------------------------------------
 */

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

static void open_world(world *w, int slice, int64_t log_max_events)
{
    memset(w, 0, sizeof *w);
    fx_init(&w->x);
    w->x.cfg.on_commit = on_commit;
    w->x.cfg.on_commit_arg = w;
    w->x.cfg.synchronous_full = false; /* the disk is not what is tested */
    w->x.cfg.log_max_events = log_max_events;
    fx_open(&w->x);
    feed_config config = {.slice = slice, .forms = line_forms, .n_forms = 2};
    error e;
    feed *f = feed_start(w->x.g, &config, &e);
    if (!f)
        fail_msg("%s", e.message);
    atomic_store(&w->feed, f);
    listener_start(&w->l, f);
}

/* Commits wake a feed that has stopped, and nothing comes of it. */
static void exec_last(world *w)
{
    fx_ok(&w->x, "CREATE TABLE IF NOT EXISTS z_last(x)");
}

static void close_world(world *w)
{
    feed *f = w->l.f;
    feed_stop(f);
    listener_end(&w->l);
    exec_last(w);
    fx_end(&w->x);
    feed_free(f);
}

static void exec(world *w, const char *sql)
{
    fx_ok(&w->x, sql);
}

static int64_t head(world *w)
{
    engine_stats stats;
    engine_stats_get(w->x.g, &stats);
    return stats.log_head;
}

/* ---- what the log says ------------------------------------------------------------------------
 */

typedef struct reference {
    int64_t *lsns;
    int n, room;
    const char *table;
    int64_t modulo; /* keep rows whose first column is divisible by it */
} reference;

static bool note(void *arg, const log_record *rec)
{
    reference *ref = arg;
    const value *row = rec->row ? rec->row : rec->old_row;
    if (strcmp(rec->shape->table, ref->table) != 0 || rec->kind != LOG_ROW ||
        row[0].i % ref->modulo != 0)
        return true;
    if (ref->n == ref->room) {
        ref->room = ref->room ? ref->room * 2 : 1024;
        ref->lsns = mem_realloc(ref->lsns, (size_t)ref->room * sizeof *ref->lsns);
    }
    ref->lsns[ref->n++] = rec->lsn;
    return true;
}

/* The lsns of a table's rows behind `after`. */
static reference read_reference(world *w, const char *table, int64_t modulo, int64_t after)
{
    reference ref = {.table = table, .modulo = modulo};
    error e;
    log_reader *r = engine_log_open(w->x.g, &e);
    assert_non_null(r);
    int n;
    for (int64_t at = after; (n = engine_log_read(r, at, 10000, note, &ref, &e)) > 0; at += n)
        ;
    assert_int_equal(n, 0);
    engine_log_close(r);
    return ref;
}

static void expect_like_log(world *w, uint64_t number, int64_t modulo, int64_t after)
{
    reference ref = read_reference(w, "t", modulo, after);
    expect_lsns(&w->l.subs[number], ref.lsns, ref.n);
    mem_free(ref.lsns);
}

/* ---- hand-over --------------------------------------------------------------------------------
 */

enum { WRITERS = 4, WRITES = 400, ROWS = 3 };

static atomic_int writers_left;

typedef struct writer_arg {
    world *w;
    int number;
} writer_arg;

static void *writer(void *arg)
{
    const writer_arg *a = arg;
    for (int i = 0; i < WRITES; i++) {
        char sql[200];
        int id = (i * WRITERS + a->number) * ROWS;
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d,'a'), (%d,'b'), (%d,'c')", id, id + 1,
                 id + 2);
        run *r = run_new(&a->w->x, JOB_BATCH);
        run_add(r, sql, 0, NULL);
        snprintf(sql, sizeof sql, "UPDATE t SET name = name || 'x' WHERE id = %d", id);
        run_add(r, sql, 0, NULL);
        run_add(r, "INSERT INTO other VALUES (1)", 0, NULL);
        run_submit(r);
        run_wait(r);
        if (r->err.code != ERR_NONE)
            fprintf(stderr, "writer: %s\n", r->err.message);
        run_free(r);
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

/* Subscriptions start all the time, from the head and from everywhere in the past, while four
 * writers write: each reads every event behind its position once, in order. */
static void no_gap_and_no_repeat_under_write_load(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 50, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)");
    exec(&w, "CREATE TABLE other (x)");
    pthread_t threads[WRITERS];
    writer_arg args[WRITERS];
    atomic_store(&writers_left, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        args[i] = (writer_arg){&w, i};
        pthread_create(&threads[i], NULL, writer, &args[i]);
    }
    int64_t since[LISTENER_SUBS];
    int n = 0;
    while (n < LISTENER_SUBS && (atomic_load(&writers_left) || n < 16)) {
        int64_t now = head(&w);
        since[n] = n % 4 == 0 ? -1 : n % 4 == 1 ? 0 : n % 4 == 2 ? now : now * (n % 7) / 7;
        listener_subscribe(&w.l, (uint64_t)n, n % 2 ? "t" : "T",
                           n % 3 ? NULL : "id % 3 = 0 AND name IS NOT NULL", since[n]);
        listener_until(&w.l, w.l.subs[n].subscribed);
        int64_t until = head(&w) + 30; /* spread them over the writing */
        while (atomic_load(&writers_left) && head(&w) < until)
            listener_pump(&w.l, 1000);
        n++;
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    exec(&w, "INSERT INTO t VALUES (-3, 'last')");
    int64_t last = head(&w);
    char end[40];
    snprintf(end, sizeof end, "\"lsn\":%" PRId64 ",", last);
    for (int i = 0; i < n; i++) {
        heard *h = &w.l.subs[i];
        listener_until(&w.l, h->live && strstr(buf_cstr(&h->text) +
                                                   (h->text.len > 400 ? h->text.len - 400 : 0),
                                               end));
        assert_string_equal(h->table, "t");
        expect_like_log(&w, (uint64_t)i, i % 3 ? 1 : 3, since[i] < 0 ? h->lsn : since[i]);
    }
    assert_true(n >= 16);
    assert_int_equal(w.l.subs[1].stream, w.l.subs[5].stream); /* the same is shared */
    close_world(&w);
}

/* What starts after FEED_SUBSCRIBED is never missed, in a table made a moment ago too. */
static void a_new_table_is_heard_at_once(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 0);
    for (int i = 0; i < 60; i++) {
        char table[20], sql[80];
        snprintf(table, sizeof table, "t%d", i);
        snprintf(sql, sizeof sql, "CREATE TABLE %s (x)", table);
        exec(&w, sql);
        listener_subscribe(&w.l, (uint64_t)i, table, NULL, -1);
        listener_until(&w.l, w.l.subs[i].subscribed || w.l.subs[i].refused);
        assert_true(w.l.subs[i].subscribed);
        snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (%d)", table, i);
        exec(&w, sql);
    }
    for (int i = 0; i < 60; i++) {
        listener_until(&w.l, w.l.subs[i].events >= 1);
        assert_int_equal(w.l.subs[i].events, 1);
        assert_true(line_lsn(buf_cstr(&w.l.subs[i].text)) > w.l.subs[i].lsn);
    }
    close_world(&w);
}

/* ---- filters ----------------------------------------------------------------------------------
 */

static const char *ops_heard(heard *h, char *out)
{
    char *to = out;
    for (const char *at = buf_cstr(&h->text); (at = strstr(at, "\"op\":\"")); at++)
        *to++ = at[6];
    *to = '\0';
    return out;
}

static void ops_and_where_choose(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price REAL)");
    static const struct {
        op_set ops;
        const char *where, *want;
    } cases[] = {
        {0, NULL, "iiuuud"},
        {1U << OP_INSERT, NULL, "ii"},
        {1U << OP_UPDATE | 1U << OP_DELETE, NULL, "uuud"},
        {0, "price < 10", "iuud"},                                 /* in it, as the row is now */
        {0, "price < 10 OR old.price < 10", "iuuud"},              /* and when it leaves */
        {0, "(price < 10) <> coalesce(old.price < 10, 0)", "iuu"}, /* entering and leaving */
        {1U << OP_UPDATE, "new.price > old.price", "uu"},
        {0, "name = 'ANNA'", "iuuud"},
        {1U << OP_DELETE, "name = 'anna' AND new.id IS NULL", "d"},
        {1U << OP_DELETE, "name = 'bob'", ""},
    };
    const int n = (int)(sizeof cases / sizeof *cases);
    for (int i = 0; i < n; i++) {
        feed_request r = {.listener = w.l.id,
                          .sub = (uint64_t)i,
                          .tables = (const char *const[]){"t"},
                          .n_tables = 1,
                          .ops = cases[i].ops,
                          .where = cases[i].where};
        assert_true(feed_subscribe(w.l.f, &r));
        listener_until(&w.l, w.l.subs[i].live);
        assert_int_equal(strlen(w.l.subs[i].filter), i == 0 ? 0 : FEED_FILTER_ID);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(w.l.subs[i].filter, w.l.subs[k].filter);
    }
    exec(&w, "INSERT INTO t VALUES (1, 'Anna', 5.0)");
    exec(&w, "INSERT INTO t VALUES (2, 'Bob', 50)");
    exec(&w, "UPDATE t SET price = 15 WHERE id = 1"); /* leaves */
    exec(&w, "UPDATE t SET price = 7 WHERE id = 1");  /* enters */
    exec(&w, "UPDATE t SET price = 9 WHERE id = 1");
    exec(&w, "DELETE FROM t WHERE id = 1");
    exec(&w, "INSERT INTO t VALUES (9, 'end', NULL)"); /* the last in every stream's slice */
    listener_until(&w.l, w.l.subs[0].events == 7);
    listener_subscribe(&w.l, 60, "t", NULL, -1); /* answered behind all frames of that slice */
    listener_until(&w.l, w.l.subs[60].live);
    for (int i = 0; i < n; i++) {
        char got[64] = "";
        ops_heard(&w.l.subs[i], got);
        size_t len = strlen(cases[i].want);
        if (strncmp(got, cases[i].want, len) != 0 ||
            strcmp(got + len, i < 2 ? "i" : "") != 0) /* the end row is in these two only */
            fail_msg("%s: %s, not %s", cases[i].where ? cases[i].where : "all", got, cases[i].want);
    }
    close_world(&w);
}

/* Spaces and comments make no other filter; the answer says which it is. */
static void equal_filters_share_a_stream(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    exec(&w, "CREATE TABLE u (id INTEGER PRIMARY KEY)");
    listener_subscribe(&w.l, 1, "t", "id > 5", -1);
    listener_subscribe(&w.l, 2, "T", "  id   > 5 -- the same", -1);
    listener_subscribe(&w.l, 3, "t", "id > 6", -1);
    listener_subscribe(&w.l, 4, "u", "id > 5", -1);
    feed_request all = {.listener = w.l.id,
                        .sub = 5,
                        .tables = (const char *const[]){"t"},
                        .n_tables = 1,
                        .ops = 7};
    assert_true(feed_subscribe(w.l.f, &all));
    listener_subscribe(&w.l, 6, "t", NULL, -1);
    listener_until(&w.l, w.l.subs[6].live);
    assert_int_equal(w.l.subs[1].stream, w.l.subs[2].stream);
    assert_string_equal(w.l.subs[1].filter, w.l.subs[2].filter);
    assert_int_not_equal(w.l.subs[1].stream, w.l.subs[3].stream);
    assert_string_not_equal(w.l.subs[1].filter, w.l.subs[3].filter);
    assert_int_not_equal(w.l.subs[1].stream, w.l.subs[4].stream);
    assert_string_equal(w.l.subs[1].filter, w.l.subs[4].filter); /* of the filter alone */
    assert_int_equal(w.l.subs[5].stream, w.l.subs[6].stream);
    assert_string_equal(w.l.subs[5].filter, "");
    close_world(&w);
}

static void refusals(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY)");
    exec(&w, "CREATE VIEW v AS SELECT * FROM t");
    listener_subscribe(&w.l, 1, "nothing", NULL, -1);
    listener_subscribe(&w.l, 2, "v", NULL, -1);
    listener_subscribe(&w.l, 3, "_rustydb_log", NULL, -1);
    listener_subscribe(&w.l, 4, "sqlite_schema", NULL, -1);
    listener_subscribe(&w.l, 5, "t", "nothing = 1", -1);
    listener_subscribe(&w.l, 6, "t", NULL, 1000);
    feed_request r = {.listener = w.l.id,
                      .sub = 7,
                      .tables = (const char *const[]){"t"},
                      .n_tables = 1,
                      .ops = 1U << OP_DROP};
    assert_true(feed_subscribe(w.l.f, &r));
    static const error_code want[] = {0,
                                      ERR_TABLE_NOT_FOUND,
                                      ERR_TABLE_NOT_FOUND,
                                      ERR_TABLE_NOT_FOUND,
                                      ERR_TABLE_NOT_FOUND,
                                      ERR_INVALID_MESSAGE,
                                      ERR_INVALID_MESSAGE,
                                      ERR_INVALID_MESSAGE};
    for (int i = 1; i <= 7; i++) {
        listener_until(&w.l, w.l.subs[i].refused || w.l.subs[i].subscribed);
        assert_int_equal(w.l.subs[i].err.code, want[i]);
    }
    assert_int_equal(w.l.subs[5].err.position, 0);
    close_world(&w);
}

/* ---- windows, leaving, stopping ---------------------------------------------------------------
 */

static void fill(world *w, int rows)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
             "WHERE i < %d) SELECT NULL, printf('%%1000d', i) FROM n",
             rows);
    exec(w, sql);
}

static void a_replay_waits_for_its_reader(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)");
    fill(&w, 3000);
    w.l.no_acks = true;
    listener_subscribe(&w.l, 1, "t", NULL, 0);
    listener_subscribe(&w.l, 2, "t", NULL, -1);
    listener_until(&w.l, w.l.subs[2].live && w.l.subs[1].unacked >= FEED_REPLAY_WINDOW);
    size_t full = w.l.subs[1].unacked;
    assert_in_range(full, FEED_REPLAY_WINDOW, FEED_REPLAY_WINDOW + 2000); /* one frame over */
    for (int i = 1; i <= 20; i++) { /* live goes on, the replay waits */
        exec(&w, "INSERT INTO t VALUES (NULL, 'live')");
        listener_until(&w.l, w.l.subs[2].events == i);
    }
    assert_int_equal(w.l.subs[1].unacked, full);
    feed_ack(w.l.f, w.l.id, 1, 100000);
    listener_until(&w.l, w.l.subs[1].unacked >= FEED_REPLAY_WINDOW + 100000);
    assert_in_range(w.l.subs[1].unacked, full + 98000,
                    full + 102000); /* as much as was acknowledged */
    w.l.no_acks = false;
    feed_ack(w.l.f, w.l.id, 1, w.l.subs[1].unacked - 100000);
    listener_until(&w.l, w.l.subs[1].live);
    expect_like_log(&w, 1, 1, 0);
    close_world(&w);
}

static void an_unsubscribed_one_hears_nothing_more(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 10, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)");
    fill(&w, 1000);
    w.l.no_acks = true;
    for (uint64_t i = 1; i <= 30; i++) { /* live, in replay, and not yet admitted */
        listener_subscribe(&w.l, i, "t", i % 5 ? NULL : "id > 0", i % 3 ? 0 : -1);
        if (i % 2)
            listener_until(&w.l, w.l.subs[i].subscribed);
        feed_unsubscribe(w.l.f, w.l.id, i);
        feed_unsubscribe(w.l.f, w.l.id, i);
        feed_ack(w.l.f, w.l.id, i, 100);
    }
    listener_subscribe(&w.l, 40, "t", NULL, -1); /* answered behind all of these */
    listener_until(&w.l, w.l.subs[40].live);
    int before[LISTENER_SUBS];
    for (int i = 1; i <= 30; i++)
        before[i] = w.l.subs[i].events;
    exec(&w, "INSERT INTO t VALUES (NULL, 'x')");
    listener_until(&w.l, w.l.subs[40].events == 1);
    for (int i = 1; i <= 30; i++) {
        if (!w.l.subs[i].live) /* that was told before it left: a listener knows not to look */
            assert_int_equal(w.l.subs[i].events, before[i]);
    }
    close_world(&w);
}

static void it_stops_while_busy(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        static world w;
        open_world(&w, 10, 0);
        exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)");
        fill(&w, 500);
        for (uint64_t i = 0; i < 40; i++)
            listener_subscribe(&w.l, i, "t", i % 2 ? "pad LIKE '%9'" : NULL, i % 3 ? 0 : -1);
        fill(&w, 500);
        for (int i = 0; i < round; i++)
            listener_pump(&w.l, 1000);
        for (uint64_t i = 0; i < 40; i += 3)
            feed_unsubscribe(w.l.f, w.l.id, i);
        close_world(&w);
    }
}

/* ---- tables that change -----------------------------------------------------------------------
 */

static void a_table_is_altered_renamed_dropped(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 0);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, extra TEXT)");
    exec(&w, "CREATE TABLE u (id INTEGER PRIMARY KEY)");
    listener_subscribe(&w.l, 1, "t", NULL, -1);
    listener_subscribe(&w.l, 2, "t", "extra IS NULL", -1);
    listener_subscribe(&w.l, 3, "u", NULL, -1);
    listener_until(&w.l, w.l.subs[1].live && w.l.subs[2].live && w.l.subs[3].live);
    exec(&w, "INSERT INTO t VALUES (1, 'a', NULL)");
    exec(&w, "ALTER TABLE t ADD COLUMN n INTEGER DEFAULT 7");
    exec(&w, "INSERT INTO t (id, name) VALUES (2, 'b')");
    listener_until(&w.l, w.l.subs[1].events == 3 && w.l.subs[2].events == 3);
    assert_non_null(strstr(buf_cstr(&w.l.subs[1].text), "\"event\":\"table_altered\""));
    assert_non_null(strstr(buf_cstr(&w.l.subs[1].text), "\"n\":7"));
    exec(&w, "ALTER TABLE t DROP COLUMN extra");
    listener_until(&w.l, w.l.subs[2].ended);
    assert_int_equal(w.l.subs[2].err.code, ERR_INVALID_MESSAGE);
    assert_non_null(strstr(w.l.subs[2].err.message, "extra"));
    exec(&w, "ALTER TABLE t RENAME TO t2");
    listener_until(&w.l, w.l.subs[1].ended);
    assert_non_null(strstr(buf_cstr(&w.l.subs[1].text),
                           "\"renamed_to\":\"t2\",\"sql\":\"ALTER TABLE t RENAME TO t2\""));
    assert_int_equal(w.l.subs[1].err.code, ERR_TABLE_NOT_FOUND);
    exec(&w, "DROP TABLE u");
    listener_until(&w.l, w.l.subs[3].ended);
    assert_non_null(strstr(buf_cstr(&w.l.subs[3].text), "\"event\":\"table_dropped\""));
    listener_subscribe(&w.l, 4, "t2", NULL, -1);
    listener_until(&w.l, w.l.subs[4].live);
    exec(&w, "INSERT INTO t2 (id) VALUES (3)");
    listener_until(&w.l, w.l.subs[4].events == 1);
    close_world(&w);
}

static void what_retention_took_is_a_gap(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 50);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)");
    fill(&w, 1000);
    run *r = run_new(&w.x, JOB_CHECKPOINT);
    run_submit(r);
    run_wait(r);
    run_free(r);
    int64_t oldest, now = head(&w);
    engine_stats stats;
    engine_stats_get(w.x.g, &stats);
    oldest = stats.log_oldest;
    assert_true(oldest > 2);
    listener_subscribe(&w.l, 1, "t", NULL, 1);
    listener_subscribe(&w.l, 2, "t", NULL, oldest - 1);
    listener_subscribe(&w.l, 3, "t", NULL, 0);
    listener_until(&w.l, w.l.subs[1].refused && w.l.subs[2].live && w.l.subs[3].live);
    assert_int_equal(w.l.subs[1].err.code, ERR_GAP);
    assert_int_equal(w.l.subs[1].err.detail, oldest);
    assert_int_equal(w.l.subs[2].events, now - oldest + 1);
    assert_int_equal(w.l.subs[3].events, now - oldest + 1);
    feed_request other = {.listener = w.l.id,
                          .sub = 4,
                          .tables = (const char *const[]){"t"},
                          .n_tables = 1,
                          .has_since = true,
                          .since = now,
                          .log_id = "x"};
    assert_true(feed_subscribe(w.l.f, &other));
    other.sub = 5;
    other.log_id = w.l.subs[2].log_id;
    assert_true(feed_subscribe(w.l.f, &other));
    listener_until(&w.l, w.l.subs[4].refused && w.l.subs[5].live);
    assert_int_equal(w.l.subs[4].err.code, ERR_GAP);
    close_world(&w);
}

/* A replay that is overtaken by retention ends with what is missing; nothing is left out silently.
 */
static void retention_under_a_replay(void **state)
{
    (void)state;
    static world w;
    open_world(&w, 100, 3000);
    exec(&w, "CREATE TABLE t (id INTEGER PRIMARY KEY, pad TEXT)");
    fill(&w, 2000);
    w.l.no_acks = true;
    listener_subscribe(&w.l, 1, "t", NULL, 0);
    listener_until(&w.l, w.l.subs[1].unacked >= FEED_REPLAY_WINDOW);
    fill(&w, 6000);
    run *r = run_new(&w.x, JOB_CHECKPOINT);
    run_submit(r);
    run_wait(r);
    run_free(r);
    w.l.no_acks = false;
    feed_ack(w.l.f, w.l.id, 1, w.l.subs[1].unacked);
    listener_until(&w.l, w.l.subs[1].ended);
    assert_int_equal(w.l.subs[1].err.code, ERR_GAP);
    int64_t last = 1; /* 1 is the table's creation */
    for (const char *at = buf_cstr(&w.l.subs[1].text); *at; at = strchr(at, '\n') + 1)
        assert_int_equal(line_lsn(at), ++last);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_gap_and_no_repeat_under_write_load),
        cmocka_unit_test(a_new_table_is_heard_at_once),
        cmocka_unit_test(ops_and_where_choose),
        cmocka_unit_test(equal_filters_share_a_stream),
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_replay_waits_for_its_reader),
        cmocka_unit_test(an_unsubscribed_one_hears_nothing_more),
        cmocka_unit_test(it_stops_while_busy),
        cmocka_unit_test(a_table_is_altered_renamed_dropped),
        cmocka_unit_test(what_retention_took_is_a_gap),
        cmocka_unit_test(retention_under_a_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
