/* Replication over the real engine: where transactions begin and end, slices and windows that cut
 * them, slots that outlive the engine. Its answers to faults are in test_replication_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/engine_fixture.h"
#include "tests/unit/replication_listener.h"

/* ---- an engine with replication ---------------------------------------------------------------
 */

typedef struct world {
    fx x;
    _Atomic(replication *) r;
    listener l;
    replication_config config;
} world;

static void on_commit(void *arg, int64_t head)
{
    (void)head;
    replication *r = atomic_load(&((world *)arg)->r);
    if (r)
        replication_wake(r);
}

static void start(world *w)
{
    error e;
    fx_open(&w->x);
    replication *r = replication_start(w->x.g, &w->config, &e);
    if (!r)
        fail_msg("%s", e.message);
    atomic_store(&w->r, r);
    listener_start(&w->l, r);
}

static void open_world(world *w, int slice)
{
    memset(w, 0, sizeof *w);
    fx_init(&w->x);
    w->x.cfg.on_commit = on_commit;
    w->x.cfg.on_commit_arg = w;
    w->x.cfg.synchronous_full = false; /* the disk is not what is tested */
    w->config = (replication_config){
        .slice = slice,
        .max_consumers = 8,
        .max_slots = 4,
        .render = render_line,
    };
    start(w);
}

static void stop(world *w)
{
    replication *r = w->l.r;
    replication_stop(r);
    listener_end(&w->l);
    fx_ok(&w->x, "CREATE TABLE IF NOT EXISTS z_last(x)"); /* a late wake, nothing comes of it */
    fx_close(&w->x);
    atomic_store(&w->r, NULL);
    replication_free(r);
}

static void close_world(world *w)
{
    stop(w);
    fx_end(&w->x);
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

static void prune(world *w)
{
    run *r = run_new(&w->x, JOB_CHECKPOINT);
    run_submit(r);
    run_wait(r);
    run_free(r);
}

/* Waits until the consumer has everything, and its last transaction is over. */
static void caught_up(world *w, heard *h)
{
    int64_t at = head(w);
    listener_until(&w->l, h->last >= at && h->tx == 0);
}

static void expect_text(heard *h, const char *text)
{
    assert_string_equal(buf_cstr(&h->text), text);
}

#define FROM_START                                                                                 \
    (replication_request)                                                                          \
    {                                                                                              \
        .has_since = true, .ddl = true                                                             \
    }

/* ---- transactions -----------------------------------------------------------------------------
 */

static void write_story(world *w)
{
    fx *x = &w->x;
    exec(w, "CREATE TABLE p(id INTEGER PRIMARY KEY, x)");                                /* 1 */
    exec(w, "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE)"); /* 2 */
    exec(w, "CREATE TABLE log(what)");                                                   /* 3 */
    exec(w, "CREATE TRIGGER note AFTER INSERT ON p BEGIN INSERT INTO log VALUES(new.id); END");
    exec(w, "INSERT INTO p VALUES(1, 'a'), (2, 'b')"); /* 4..7 */
    fx_atomic(x, "INSERT INTO c VALUES(1, 1)", "INSERT INTO c VALUES(2, 1)",
              "UPDATE p SET x = 'c' WHERE id = 2"); /* 8..10 */
    exec(w, "DELETE FROM p WHERE id = 1");          /* 11..13 */
    const char *tx = fx_begin(x);
    fx_tx(x, tx, "INSERT INTO log VALUES('t')"); /* 14 */
    fx_tx(x, tx, "SAVEPOINT s");
    fx_tx(x, tx, "INSERT INTO log VALUES('gone')");
    fx_tx(x, tx, "ROLLBACK TO s");
    fx_tx(x, tx, "UPDATE log SET what = 'u' WHERE what = 't'"); /* 15 */
    assert_string_equal(fx_end_tx(x, tx, JOB_TX_COMMIT), "");
    tx = fx_begin(x);
    fx_tx(x, tx, "INSERT INTO log VALUES('rolled back')");
    assert_string_equal(fx_end_tx(x, tx, JOB_TX_ROLLBACK), "");
    exec(w, "ALTER TABLE log ADD COLUMN more");      /* 16 */
    exec(w, "CREATE TABLE copy AS SELECT * FROM p"); /* 17, 18 */
    exec(w, "DROP TABLE copy");                      /* 19.. */
}

static const char *const story = "B1\n1 ddl table_created p\nC1\n"
                                 "B2\n2 ddl table_created c\nC2\n"
                                 "B3\n3 ddl table_created log\nC3\n"
                                 "B4\n4 insert p\n5 insert log\n6 insert p\n7 insert log\nC7\n"
                                 "B8\n8 insert c\n9 insert c\n10 update p\nC10\n"
                                 "B11\n11 delete p\n12 delete c\n13 delete c\nC13\n"
                                 "B14\n14 insert log\n15 update log\nC15\n"
                                 "B16\n16 ddl table_altered log\nC16\n"
                                 "B17\n17 ddl table_created copy\n18 insert copy\nC18\n"
                                 "B19\n19 ddl table_dropped copy\nC19\n";

static void transactions_as_they_were(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    heard *live = listener_subscribe(&w.l, 1, (replication_request){.ddl = true});
    write_story(&w);
    caught_up(&w, live);
    expect_text(live, story);
    heard *late = listener_subscribe(&w.l, 2, FROM_START);
    caught_up(&w, late);
    expect_text(late, story);
    assert_int_equal(late->lsn, 0);
    close_world(&w);
}

/* A slice may end anywhere in a transaction, or with its last record. */
static void slices_cut_transactions(void **state)
{
    (void)state;
    for (int slice = 1; slice <= 8; slice++) {
        world w;
        open_world(&w, slice);
        heard *live = listener_subscribe(&w.l, 1, (replication_request){.ddl = true});
        write_story(&w);
        heard *late = listener_subscribe(&w.l, 2, FROM_START);
        caught_up(&w, live);
        caught_up(&w, late);
        expect_text(live, story);
        expect_text(late, story);
        close_world(&w);
    }
}

/* Neither transactions nor tables that hold nothing for the consumer are mentioned. */
static void some_tables(void **state)
{
    (void)state;
    static const char *const tables[] = {"LOG", "copy"};
    world w;
    open_world(&w, 3);
    write_story(&w);
    exec(&w, "ALTER TABLE log RENAME TO logbook"); /* 20 */
    heard *rows = listener_subscribe(
        &w.l, 1, (replication_request){.has_since = true, .tables = tables, .n_tables = 2});
    heard *all = listener_subscribe(
        &w.l, 2,
        (replication_request){
            .has_since = true, .tables = tables, .n_tables = 2, .ddl = true, .form = 1});
    listener_until(&w.l, all->last == 20 && all->tx == 0 && rows->last == 18 && rows->tx == 0);
    expect_text(rows, "B4\n5 insert log\n7 insert log\nC7\n"
                      "B14\n14 insert log\n15 update log\nC15\n"
                      "B17\n18 insert copy\nC18\n");
    expect_text(all, "B3\n3 ddl table_created log\nC3\n"
                     "B4\n5 insert log\n7 insert log\nC7\n"
                     "B14\n14 insert log\n15 update log\nC15\n"
                     "B16\n16 ddl table_altered log\nC16\n"
                     "B17\n17 ddl table_created copy\n18 insert copy\nC18\n"
                     "B19\n19 ddl table_dropped copy\nC19\n"
                     "B20\n20 ddl table_renamed log\nC20\n");
    assert_true(strncmp(rows->json.data, "0{", 2) == 0); /* each in its own form */
    assert_true(strncmp(all->json.data, "1{", 2) == 0);
    close_world(&w);
}

/* A position inside a transaction: the rest of it comes, and says so. */
static void continued_transactions(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    write_story(&w);
    heard *h = listener_subscribe(
        &w.l, 1, (replication_request){.has_since = true, .since = 8, .ddl = true});
    caught_up(&w, h);
    assert_true(strncmp(buf_cstr(&h->text), "B9+\n9 insert c\n10 update p\nC10\nB11\n", 33) == 0);
    heard *whole = listener_subscribe(
        &w.l, 2, (replication_request){.has_since = true, .since = 10, .ddl = true});
    caught_up(&w, whole);
    assert_true(strncmp(buf_cstr(&whole->text), "B11\n11 delete p\n", 15) == 0);
    close_world(&w);
}

/* Where the record before is gone, nobody knows. */
static void perhaps_continued(void **state)
{
    (void)state;
    world w;
    memset(&w, 0, sizeof w);
    open_world(&w, 500);
    stop(&w);
    w.x.cfg.log_max_events = 2;
    start(&w);
    exec(&w, "CREATE TABLE t(x)");
    for (int i = 0; i < 5; i++)
        exec(&w, "INSERT INTO t VALUES(1)");
    prune(&w);
    int64_t at = head(&w);
    heard *h = listener_subscribe(&w.l, 1, FROM_START);
    caught_up(&w, h);
    char want[100];
    snprintf(want, sizeof want, "B%d+\n%d insert t\nC%d\nB%d\n%d insert t\nC%d\n", (int)at - 1,
             (int)at - 1, (int)at - 1, (int)at, (int)at, (int)at);
    expect_text(h, want);
    close_world(&w);
}

/* ---- windows ----------------------------------------------------------------------------------
 */

static void a_window_bounds_what_is_under_way(void **state)
{
    (void)state;
    world w;
    open_world(&w, 10);
    exec(&w, "CREATE TABLE t(x)");
    exec(&w, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
             " INSERT INTO t SELECT printf('%.*c', 5000, 'x') FROM n");
    w.l.no_acks = true;
    heard *slow = listener_subscribe(&w.l, 1, FROM_START);
    listener_until(&w.l, slow->unacked >= FEED_REPLAY_WINDOW);
    assert_true(slow->unacked < FEED_REPLAY_WINDOW + 6000);
    int before = slow->frames;
    listener_pump(&w.l, 50000);
    assert_int_equal(slow->frames, before);
    json_t *found = ask_op(&w.l, REPLICATION_CONSUMERS, NULL);
    json_t *one = json_array_get(json_object_get(found, "consumers"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "state")), "waiting");
    assert_int_equal(json_integer_value(json_object_get(one, "unread_bytes")), slow->unacked);
    assert_int_equal(json_integer_value(json_object_get(one, "sent_lsn")), slow->last);
    assert_int_equal(json_integer_value(json_object_get(one, "lag_events")), 401 - slow->last);
    json_decref(found);

    /* another one is not held up */
    heard *quick = listener_subscribe(&w.l, 2, FROM_START);
    while (quick->last < 401 || quick->tx != 0) {
        listener_pump(&w.l, 10000);
        replication_ack(w.l.r, w.l.id, 2, quick->unacked);
        quick->unacked = 0;
    }
    assert_int_equal(slow->frames, before);

    w.l.no_acks = false;
    replication_ack(w.l.r, w.l.id, 1, slow->unacked);
    caught_up(&w, slow);
    assert_string_equal(buf_cstr(&slow->text), buf_cstr(&quick->text));
    assert_int_equal(slow->frames, 401 + 4);
    close_world(&w);
}

/* Many consumers under many writers, in slices of odd sizes, get one and the same. */
static void all_get_the_same(void **state)
{
    (void)state;
    enum { WRITES = 300, CONSUMERS = 7 };
    world w;
    open_world(&w, 7);
    exec(&w, "CREATE TABLE t(x)");
    run *runs[WRITES];
    for (int i = 0; i < WRITES; i++) {
        runs[i] = run_sql(&w.x, i % 3 ? "INSERT INTO t VALUES(1)"
                                      : "INSERT INTO t VALUES(1), (2), (3), (4), (5)");
        run_submit(runs[i]);
        if (i % 40 == 0 && i / 40 < CONSUMERS)
            listener_ask(&w.l, (uint64_t)(i / 40 + 1), FROM_START);
        if (i % 10 == 0)
            listener_pump(&w.l, 0);
    }
    for (int i = 0; i < WRITES; i++) {
        run_wait(runs[i]);
        run_free(runs[i]);
    }
    listener_ask(&w.l, CONSUMERS + 1, FROM_START);
    for (int i = 1; i <= CONSUMERS + 1; i++)
        caught_up(&w, &w.l.subs[i]);
    for (int i = 2; i <= CONSUMERS + 1; i++)
        assert_string_equal(buf_cstr(&w.l.subs[i].json), buf_cstr(&w.l.subs[1].json));
    assert_int_equal(w.l.subs[1].frames, 1 + 100 * 5 + 200 + 2 * (WRITES + 1));
    close_world(&w);
}

/* ---- slots ------------------------------------------------------------------------------------
 */

#define SLOT(n)                                                                                    \
    (replication_request)                                                                          \
    {                                                                                              \
        .slot = (n)                                                                                \
    }
#define MAKE(n)                                                                                    \
    (replication_request)                                                                          \
    {                                                                                              \
        .slot = (n), .create = true                                                                \
    }

static void confirm(world *w, uint64_t number, int64_t lsn)
{
    error e;
    if (!replication_confirm(w->l.r, w->l.id, number, lsn, &e))
        fail_msg("%s", e.message);
}

static void a_slot_keeps_its_position(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    assert_int_equal(listener_subscribe(&w.l, 1, SLOT("a"))->err.code, ERR_NOT_FOUND);
    heard *h = listener_subscribe(&w.l, 2, MAKE("a"));
    assert_int_equal(h->lsn, 1);
    exec(&w, "INSERT INTO t VALUES(1), (2)");
    exec(&w, "INSERT INTO t VALUES(3)");
    caught_up(&w, h);
    assert_true(slot_is(&w.l, "a", "active", 1));
    confirm(&w, 2, 3);
    listener_until(&w.l, slot_is(&w.l, "a", "active", 3));
    confirm(&w, 2, 2); /* never back */
    assert_true(slot_is(&w.l, "a", "active", 3));
    replication_unsubscribe(w.l.r, w.l.id, 2);
    listener_until(&w.l, slot_is(&w.l, "a", "idle", 3));
    stop(&w);
    start(&w);
    assert_true(slot_is(&w.l, "a", "idle", 3));
    h = listener_subscribe(&w.l, 1, SLOT("a"));
    assert_int_equal(h->lsn, 3);
    listener_until(&w.l, h->last == 4 && h->tx == 0);
    expect_text(h, "B4\n4 insert t\nC4\n");
    close_world(&w);
}

/* The last position is written when everything stops, at once. */
static void stopping_writes_what_is_confirmed(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    heard *h = listener_subscribe(&w.l, 1, MAKE("a"));
    for (int i = 0; i < 20; i++) {
        exec(&w, "INSERT INTO t VALUES(1)");
        caught_up(&w, h);
        confirm(&w, 1, h->last);
    }
    stop(&w);
    start(&w);
    assert_true(slot_is(&w.l, "a", "idle", 21));
    close_world(&w);
}

/* What was not for the consumer moves its slot too, once it has confirmed what was. */
static void a_slot_passes_what_is_not_for_it(void **state)
{
    (void)state;
    static const char *const tables[] = {"t"};
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    exec(&w, "CREATE TABLE u(x)");
    heard *h = listener_subscribe(
        &w.l, 1,
        (replication_request){.slot = "a", .create = true, .tables = tables, .n_tables = 1});
    exec(&w, "INSERT INTO u VALUES(1)");
    exec(&w, "INSERT INTO u VALUES(1)");
    listener_until(&w.l, slot_is(&w.l, "a", "active", 4));
    exec(&w, "INSERT INTO t VALUES(1)");
    listener_until(&w.l, h->last == 5 && h->tx == 0);
    exec(&w, "INSERT INTO u VALUES(1)");
    heard *other = listener_subscribe(&w.l, 2, FROM_START);
    caught_up(&w, other);
    assert_true(slot_is(&w.l, "a", "active", 4)); /* 5 is not confirmed */
    confirm(&w, 1, 5);
    listener_until(&w.l, slot_is(&w.l, "a", "active", 6));
    close_world(&w);
}

static void since_and_slot(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    for (int i = 0; i < 9; i++)
        exec(&w, "INSERT INTO t VALUES(1)");
    heard *h = listener_subscribe(
        &w.l, 1, (replication_request){.slot = "a", .create = true, .has_since = true, .since = 4});
    assert_int_equal(h->lsn, 4); /* a new one begins there */
    replication_unsubscribe(w.l.r, w.l.id, 1);
    h = listener_subscribe(
        &w.l, 2, (replication_request){.slot = "a", .create = true, .has_since = true, .since = 7});
    assert_int_equal(h->lsn, 7); /* an old one moves on, */
    replication_unsubscribe(w.l.r, w.l.id, 2);
    h = listener_subscribe(&w.l, 3,
                           (replication_request){.slot = "a", .has_since = true, .since = 2});
    assert_int_equal(h->lsn, 7); /* and never back */
    close_world(&w);
}

static void one_consumer_per_slot(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    listener_subscribe(&w.l, 1, MAKE("a"));
    heard *second = listener_subscribe(&w.l, 2, MAKE("a"));
    assert_int_equal(second->err.code, ERR_CONFLICT);
    assert_non_null(strstr(second->err.message, "c1"));
    assert_int_equal(ask_refused(&w.l, REPLICATION_DROP, "a"), ERR_CONFLICT);
    assert_int_equal(ask_refused(&w.l, REPLICATION_CREATE, "a"), ERR_CONFLICT);
    replication_unsubscribe(w.l.r, w.l.id, 1);
    assert_true(listener_subscribe(&w.l, 3, SLOT("a"))->subscribed);
    close_world(&w);
}

/* Two ask for a new slot at once: one makes it, the other is told. */
static void made_for_one_of_two(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    const char *tx = fx_begin(&w.x); /* holds the writer, so that nothing is made yet */
    listener_ask(&w.l, 1, MAKE("a"));
    heard *second = listener_subscribe(&w.l, 2, MAKE("a"));
    assert_int_equal(second->err.code, ERR_CONFLICT);
    assert_true(slot_is(&w.l, "a", "making", 1));
    listener_ask(&w.l, 3, MAKE("b"));
    listener_until(&w.l, slot_is(&w.l, "b", "making", 1));
    replication_unsubscribe(w.l.r, w.l.id, 3); /* gone before its slot is made */
    assert_false(w.l.subs[1].subscribed);
    fx_end_tx(&w.x, tx, JOB_TX_ROLLBACK);
    listener_until(&w.l, w.l.subs[1].subscribed);
    listener_until(&w.l, slot_is(&w.l, "b", "idle", 1));
    assert_false(w.l.subs[3].subscribed);
    close_world(&w);
}

static void managed(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    json_t *made = ask_op(&w.l, REPLICATION_CREATE, "b");
    assert_int_equal(json_integer_value(json_object_get(made, "confirmed_lsn")), 1);
    assert_string_equal(json_string_value(json_object_get(made, "state")), "idle");
    json_decref(made);
    asked a;
    ask_start(w.l.r, &a,
              (replication_call){.op = REPLICATION_CREATE, .name = "a", .has_since = true});
    json_decref(ask_end(&w.l, &a));
    assert_true(slot_is(&w.l, "a", "idle", 0));
    assert_int_equal(ask_refused(&w.l, REPLICATION_CREATE, "a b"), ERR_INVALID_MESSAGE);
    assert_int_equal(ask_refused(&w.l, REPLICATION_CREATE, ""), ERR_INVALID_MESSAGE);
    ask_start(w.l.r, &a,
              (replication_call){
                  .op = REPLICATION_CREATE, .name = "far", .has_since = true, .since = 99});
    assert_null(ask_end(&w.l, &a));
    assert_int_equal(a.call.err.code, ERR_INVALID_MESSAGE);
    json_decref(ask_op(&w.l, REPLICATION_CREATE, "c"));
    json_decref(ask_op(&w.l, REPLICATION_CREATE, "d"));
    assert_int_equal(ask_refused(&w.l, REPLICATION_CREATE, "e"), ERR_CONFLICT);
    assert_int_equal(listener_subscribe(&w.l, 1, MAKE("e"))->err.code, ERR_CONFLICT);

    asked page;
    ask_start(w.l.r, &page, (replication_call){.op = REPLICATION_SLOTS, .offset = 1, .limit = 2});
    json_t *found = ask_end(&w.l, &page);
    json_t *slots = json_object_get(found, "slots");
    assert_int_equal(json_integer_value(json_object_get(found, "total")), 4);
    assert_int_equal(json_array_size(slots), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(slots, 0), "name")), "b");
    json_decref(found);

    json_decref(ask_op(&w.l, REPLICATION_DROP, "b"));
    assert_int_equal(ask_refused(&w.l, REPLICATION_SLOT, "b"), ERR_NOT_FOUND);
    assert_int_equal(ask_refused(&w.l, REPLICATION_DROP, "b"), ERR_NOT_FOUND);
    stop(&w);
    start(&w);
    json_t *status = ask_op(&w.l, REPLICATION_STATUS, NULL);
    assert_string_equal(json_string_value(json_object_get(status, "role")), "primary");
    assert_int_equal(json_integer_value(json_object_get(status, "slots")), 3);
    assert_int_equal(json_integer_value(json_object_get(status, "lsn")), head(&w));
    json_decref(status);
    close_world(&w);
}

static void a_pruned_slot_is_lost(void **state)
{
    (void)state;
    world w;
    open_world(&w, 500);
    stop(&w);
    w.x.cfg.log_max_events = 3;
    start(&w);
    exec(&w, "CREATE TABLE t(x)");
    int64_t made = head(&w);
    json_decref(ask_op(&w.l, REPLICATION_CREATE, "a"));
    for (int i = 0; i < 8; i++)
        exec(&w, "INSERT INTO t VALUES(1)");
    prune(&w);
    assert_true(slot_is(&w.l, "a", "lost", made));
    heard *h = listener_subscribe(&w.l, 1, SLOT("a"));
    assert_int_equal(h->err.code, ERR_GAP);
    assert_int_equal(h->err.detail, head(&w) - 2);
    /* also when the client asks for the oldest: nothing is passed over in silence */
    h = listener_subscribe(&w.l, 2,
                           (replication_request){.slot = "a", .create = true, .has_since = true});
    assert_int_equal(h->err.code, ERR_GAP);
    json_decref(ask_op(&w.l, REPLICATION_DROP, "a"));
    h = listener_subscribe(&w.l, 3, MAKE("a"));
    assert_int_equal(h->lsn, head(&w));
    close_world(&w);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void positions_and_limits(void **state)
{
    (void)state;
    world w;
    error e;
    open_world(&w, 500);
    exec(&w, "CREATE TABLE t(x)");
    heard *h = listener_subscribe(&w.l, 1, (replication_request){.has_since = true, .since = 2});
    assert_int_equal(h->err.code, ERR_INVALID_MESSAGE);
    h = listener_subscribe(&w.l, 2, (replication_request){.log_id = "another"});
    assert_int_equal(h->err.code, ERR_GAP);
    h = listener_subscribe(&w.l, 3, SLOT("no such name!"));
    assert_int_equal(h->err.code, ERR_INVALID_MESSAGE);
    for (uint64_t i = 10; i < 18; i++)
        assert_true(listener_subscribe(&w.l, i, (replication_request){0})->subscribed);
    h = listener_subscribe(&w.l, 20, (replication_request){0});
    assert_int_equal(h->err.code, ERR_SUBSCRIPTION_LIMIT);
    replication_unsubscribe(w.l.r, w.l.id, 10);
    assert_true(listener_subscribe(&w.l, 21, (replication_request){0})->subscribed);

    assert_false(replication_confirm(w.l.r, w.l.id, 21, 2, &e));
    assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    exec(&w, "INSERT INTO t VALUES(1)");
    caught_up(&w, &w.l.subs[21]);
    assert_true(replication_confirm(w.l.r, w.l.id, 21, 2, &e));
    assert_false(replication_confirm(w.l.r, w.l.id, 21, 3, &e));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_as_they_were),
        cmocka_unit_test(slices_cut_transactions),
        cmocka_unit_test(some_tables),
        cmocka_unit_test(continued_transactions),
        cmocka_unit_test(perhaps_continued),
        cmocka_unit_test(a_window_bounds_what_is_under_way),
        cmocka_unit_test(all_get_the_same),
        cmocka_unit_test(a_slot_keeps_its_position),
        cmocka_unit_test(stopping_writes_what_is_confirmed),
        cmocka_unit_test(a_slot_passes_what_is_not_for_it),
        cmocka_unit_test(since_and_slot),
        cmocka_unit_test(one_consumer_per_slot),
        cmocka_unit_test(made_for_one_of_two),
        cmocka_unit_test(managed),
        cmocka_unit_test(a_pruned_slot_is_lost),
        cmocka_unit_test(positions_and_limits),
    };
    return cmocka_run_group_tests_name("replication", tests, NULL, NULL);
}
