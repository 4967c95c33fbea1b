/* Replication over a log and an engine that misbehave as told: reads and writes that fail, records
 * that are gone, memory that runs out at every single allocation, a stop while a write is under
 * way. The log is a list in memory behind the engine's interface; test_replication.c runs over the
 * real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine_ops.h"
#include "tests/unit/replication_listener.h"

/* ---- a scripted engine ------------------------------------------------------------------------
 */

enum { MAX_RECORDS = 2000, MAX_SLOTS = 8 };

static struct script {
    pthread_mutex_t lock; /* guards all of it */
    log_record records[MAX_RECORDS];
    value rows[MAX_RECORDS][2];
    int n;
    int64_t oldest;
    bool gap_is_error;      /* a read that starts in what was pruned fails with GAP */
    int failing_reads;      /* so many reads fail */
    unsigned long fail_nth; /* this allocation after the next read's start fails */
    bool armed;
    log_slot slots[MAX_SLOTS];
    int n_slots;
    int failing_writes; /* so many writes of slots fail */
    bool holds_writes;  /* none is done before script_release */
    job *held[MAX_SLOTS];
    int n_held, writes;
} script;

static const char *const names[] = {"id", "name"};
static const char *const types[] = {"INTEGER", "TEXT"};
static const char *const collations[] = {"BINARY", "BINARY"};
static const int pk[] = {1, 0};
static const int no_pk[] = {0, 0};
static const table_shape shape_t = {1, "t", 2, names, types, collations, pk};
static const table_shape shape_u = {2, "u", 2, names, types, collations, no_pk};

static void script_reset(void)
{
    memset(&script, 0, sizeof script);
    pthread_mutex_init(&script.lock, NULL);
    script.oldest = 1;
}

static log_record *next_record(int64_t tx, log_op op, const table_shape *shape)
{
    assert_true(script.n < MAX_RECORDS);
    log_record *r = &script.records[script.n];
    *r = (log_record){.lsn = script.n + 1,
                      .tx = tx,
                      .committed_at = 1767323045678901,
                      .kind = op >= OP_CREATE ? LOG_DDL : LOG_ROW,
                      .op = op,
                      .shape = shape};
    return r;
}

static void add_row(int64_t tx, log_op op, const table_shape *shape, int64_t id)
{
    pthread_mutex_lock(&script.lock);
    log_record *r = next_record(tx, op, shape);
    value *row = script.rows[script.n];
    row[0] = (value){.type = VALUE_INT, .i = id};
    row[1] = (value){.type = VALUE_TEXT, .len = 2, .p = "a\""};
    r->row = op != OP_DELETE ? row : NULL;
    r->old_row = op != OP_INSERT ? row : NULL;
    script.n++;
    pthread_mutex_unlock(&script.lock);
}

static void add_ddl(int64_t tx, log_op op, const char *sql, const char *other)
{
    pthread_mutex_lock(&script.lock);
    log_record *r = next_record(tx, op, &shape_t);
    r->text = sql;
    r->other = other;
    script.n++;
    pthread_mutex_unlock(&script.lock);
}

static void script_set(int64_t oldest, int failing_reads, int failing_writes)
{
    pthread_mutex_lock(&script.lock);
    script.oldest = oldest;
    script.failing_reads = failing_reads;
    script.failing_writes = failing_writes;
    pthread_mutex_unlock(&script.lock);
}

#include "tests/unit/script_log.h"

static bool script_slots_read(engine *g, bool (*each)(void *arg, const log_slot *s), void *arg,
                              error *e)
{
    (void)g;
    for (int i = 0; i < script.n_slots; i++) {
        if (!each(arg, &script.slots[i]))
            return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    return true;
}

/* Under the lock. */
static void apply(const slot_change *c)
{
    int at = 0;
    while (at < script.n_slots && strcmp(script.slots[at].name, c->slot.name) != 0)
        at++;
    if (!c->drop) {
        assert_true(at < MAX_SLOTS);
        script.slots[at] = c->slot;
        script.n_slots += at == script.n_slots;
    } else if (at < script.n_slots) {
        script.slots[at] = script.slots[--script.n_slots];
    }
}

static void write_slots(job *j)
{
    error e;
    error_set(&e, ERR_DISK_FULL, "the disk is full");
    pthread_mutex_lock(&script.lock);
    bool fails = script.failing_writes > 0;
    script.failing_writes -= fails;
    for (int i = 0; i < j->n_slots && !fails; i++)
        apply(&j->slots[i]);
    script.writes++;
    pthread_mutex_unlock(&script.lock);
    j->sink->ops->begin(j->sink, true);
    j->sink->ops->done(j->sink, 0, fails ? &e : NULL);
}

static void script_submit(engine *g, job *j)
{
    (void)g;
    assert_int_equal(j->kind, JOB_SLOTS);
    pthread_mutex_lock(&script.lock);
    bool hold = script.holds_writes;
    if (hold)
        script.held[script.n_held++] = j;
    pthread_mutex_unlock(&script.lock);
    if (!hold)
        write_slots(j);
}

static void script_hold(void)
{
    pthread_mutex_lock(&script.lock);
    script.holds_writes = true;
    pthread_mutex_unlock(&script.lock);
}

static int script_held(void)
{
    pthread_mutex_lock(&script.lock);
    int n = script.n_held;
    pthread_mutex_unlock(&script.lock);
    return n;
}

static int64_t script_slot(const char *name)
{
    int64_t lsn = -1;
    pthread_mutex_lock(&script.lock);
    for (int i = 0; i < script.n_slots; i++) {
        if (strcmp(script.slots[i].name, name) == 0)
            lsn = script.slots[i].lsn;
    }
    pthread_mutex_unlock(&script.lock);
    return lsn;
}

static const engine_ops script_ops = {
    .name = "script",
    .submit = script_submit,
    .log_open = script_log_open,
    .log_close = script_log_close,
    .log_bounds = script_log_bounds,
    .log_read = script_log_read,
    .slots_read = script_slots_read,
};
static engine script_engine = {.ops = &script_ops};
static log_reader script_reader = {.ops = &script_ops};

static replication *start(int slice)
{
    const replication_config config = {
        .slice = slice, .max_consumers = 8, .max_slots = 4, .render = render_line};
    error e;
    replication *r = replication_start(&script_engine, &config, &e);
    if (!r)
        fail_msg("%s", e.message);
    return r;
}

static void stop(listener *l)
{
    replication_stop(l->r);
    replication_free(l->r);
    listener_end(l);
}

#define SLOT(n)                                                                                    \
    (replication_request)                                                                          \
    {                                                                                              \
        .slot = (n), .create = true                                                                \
    }

/* ---- texts ------------------------------------------------------------------------------------
 */

static void frames_say_all_there_is(void **state)
{
    (void)state;
    script_reset();
    listener l;
    listener_start(&l, start(100));
    add_ddl(4, OP_CREATE, "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT)", NULL);
    add_row(5, OP_INSERT, &shape_t, 7);
    add_row(5, OP_UPDATE, &shape_t, 7);
    add_row(5, OP_DELETE, &shape_u, 8);
    add_ddl(6, OP_RENAME, "ALTER TABLE t RENAME TO \"v\"", "v");
    heard *h = listener_subscribe(&l, 1, (replication_request){.has_since = true, .ddl = true});
    listener_until(&l, h->last == 5 && h->tx == 0);
    assert_string_equal(
        buf_cstr(&h->json),
        "0{\"topic\":\"replication\",\"kind\":\"begin\",\"lsn\":1,\"tx\":4}\n"
        "0{\"topic\":\"replication\",\"kind\":\"ddl\",\"lsn\":1,\"tx\":4,\"event\":"
        "\"table_created\",\"table\":\"t\",\"sql\":\"CREATE TABLE t(id INTEGER PRIMARY KEY, name "
        "TEXT)\",\"columns\":[{\"name\":\"id\",\"type\":\"INTEGER\",\"primary_key\":1},"
        "{\"name\":\"name\",\"type\":\"TEXT\",\"primary_key\":0}]}\n"
        "0{\"topic\":\"replication\",\"kind\":\"commit\",\"lsn\":1,\"tx\":4,"
        "\"committed_at\":\"2026-01-02T03:04:05.678901Z\"}\n"
        "0{\"topic\":\"replication\",\"kind\":\"begin\",\"lsn\":2,\"tx\":5}\n"
        "0{\"topic\":\"replication\",\"kind\":\"change\",\"lsn\":2,\"tx\":5,\"table\":\"t\","
        "\"op\":\"insert\",\"key\":{\"id\":7},\"row\":{\"id\":7,\"name\":\"a\\\"\"},"
        "\"old_row\":null}\n"
        "0{\"topic\":\"replication\",\"kind\":\"change\",\"lsn\":3,\"tx\":5,\"table\":\"t\","
        "\"op\":\"update\",\"key\":{\"id\":7},\"row\":{\"id\":7,\"name\":\"a\\\"\"},"
        "\"old_row\":{\"id\":7,\"name\":\"a\\\"\"}}\n"
        "0{\"topic\":\"replication\",\"kind\":\"change\",\"lsn\":4,\"tx\":5,\"table\":\"u\","
        "\"op\":\"delete\",\"key\":null,\"row\":null,\"old_row\":{\"id\":8,\"name\":\"a\\\"\"}}\n"
        "0{\"topic\":\"replication\",\"kind\":\"commit\",\"lsn\":4,\"tx\":5,"
        "\"committed_at\":\"2026-01-02T03:04:05.678901Z\"}\n"
        "0{\"topic\":\"replication\",\"kind\":\"begin\",\"lsn\":5,\"tx\":6}\n"
        "0{\"topic\":\"replication\",\"kind\":\"ddl\",\"lsn\":5,\"tx\":6,\"event\":"
        "\"table_renamed\",\"table\":\"t\",\"renamed_to\":\"v\",\"sql\":\"ALTER TABLE t RENAME TO "
        "\\\"v\\\"\"}\n"
        "0{\"topic\":\"replication\",\"kind\":\"commit\",\"lsn\":5,\"tx\":6,"
        "\"committed_at\":\"2026-01-02T03:04:05.678901Z\"}\n");
    stop(&l);
}

/* ---- the log ----------------------------------------------------------------------------------
 */

static void a_log_that_cannot_be_read_is_read_later(void **state)
{
    (void)state;
    script_reset();
    listener l;
    listener_start(&l, start(3));
    heard *h = listener_subscribe(&l, 1, (replication_request){0});
    for (int i = 0; i < 8; i++)
        add_row(1 + i / 4, OP_INSERT, &shape_t, i);
    script_set(1, 4, 0);
    replication_wake(l.r);
    listener_until(&l, h->last == 8 && h->tx == 0);
    assert_int_equal(h->frames, 8 + 4);

    /* one who comes while it cannot be read is told */
    script_set(1, 1, 0);
    h = listener_subscribe(&l, 2, (replication_request){0});
    assert_int_equal(h->err.code, ERR_INTERNAL_ERROR);
    h = listener_subscribe(&l, 3, SLOT("a"));
    assert_true(h->subscribed);
    replication_unsubscribe(l.r, l.id, 3);
    listener_until(&l, slot_is(&l, "a", "idle", 8));
    script_set(1, 2, 0);
    assert_int_equal(ask_refused(&l, REPLICATION_SLOTS, NULL), ERR_INTERNAL_ERROR);
    assert_int_equal(ask_refused(&l, REPLICATION_CREATE, "b"), ERR_INTERNAL_ERROR);
    stop(&l);
}

/* What was pruned under a consumer ends it; the others go on. */
static void what_was_pruned_is_told(void **state)
{
    (void)state;
    for (int as_error = 0; as_error < 2; as_error++) {
        script_reset();
        script.gap_is_error = as_error;
        listener l;
        listener_start(&l, start(3));
        heard *h = listener_subscribe(&l, 1, (replication_request){0});
        heard *with_slot = listener_subscribe(&l, 2, SLOT("a"));
        add_row(1, OP_INSERT, &shape_t, 0);
        replication_wake(l.r); /* with the commit they are at the head, and do not read */
        listener_until(&l, h->last == 1 && h->tx == 0 && with_slot->last == 1 && !with_slot->tx);
        for (int i = 1; i < 9; i++)
            add_row(2, OP_INSERT, &shape_t, i);
        script_set(5, 0, 0);
        replication_wake(l.r);
        listener_until(&l, h->ended && with_slot->ended);
        assert_int_equal(h->err.code, ERR_GAP);
        assert_int_equal(h->err.detail, 5);
        assert_int_equal(h->frames, 3);
        assert_true(slot_is(&l, "a", "lost", 0));
        heard *again = listener_subscribe(&l, 3, (replication_request){.has_since = true});
        listener_until(&l, again->last == 9 && again->tx == 0);
        assert_true(strncmp(buf_cstr(&again->text), "B5+\n5 ", 6) == 0);
        stop(&l);
    }
}

/* ---- slots ------------------------------------------------------------------------------------
 */

static void writes_that_fail(void **state)
{
    (void)state;
    script_reset();
    listener l;
    listener_start(&l, start(100));
    script_set(1, 0, 1);
    heard *h = listener_subscribe(&l, 1, SLOT("a"));
    assert_int_equal(h->err.code, ERR_DISK_FULL);
    script_set(1, 0, 1);
    assert_int_equal(ask_refused(&l, REPLICATION_CREATE, "a"), ERR_DISK_FULL);
    assert_int_equal(ask_refused(&l, REPLICATION_SLOT, "a"), ERR_NOT_FOUND);

    l.confirms = true;
    h = listener_subscribe(&l, 2, SLOT("a"));
    assert_true(h->subscribed);
    add_row(1, OP_INSERT, &shape_t, 1);
    script_set(1, 0, 2);
    replication_wake(l.r);
    listener_until(&l, script_slot("a") == 1); /* by and by */
    replication_unsubscribe(l.r, l.id, 2);
    listener_until(&l, slot_is(&l, "a", "idle", 1));
    listener_until(&l, script_slot("a") == 1);

    script_set(1, 0, 1);
    while (ask_refused(&l, REPLICATION_DROP, "a") != ERR_DISK_FULL)
        script_set(1, 0, 1); /* the write of the leaving took it */
    assert_true(slot_is(&l, "a", "idle", 1));
    json_decref(ask_op(&l, REPLICATION_DROP, "a"));
    assert_int_equal(script_slot("a"), -1);
    stop(&l);
}

/* Confirmations are gathered: many of them are few writes, and none gets lost. */
static void confirmations_are_gathered(void **state)
{
    (void)state;
    script_reset();
    listener l;
    listener_start(&l, start(100));
    l.confirms = true;
    heard *h = listener_subscribe(&l, 1, SLOT("a"));
    int64_t began = clock_mono_us();
    for (int i = 1; i <= 500; i++) {
        add_row(i, OP_INSERT, &shape_t, i);
        replication_wake(l.r);
        listener_until(&l, h->last == i && h->tx == 0);
    }
    int64_t seconds = (clock_mono_us() - began) / 1000000 + 1;
    listener_until(&l, script_slot("a") == 500);
    assert_true(script.writes <= seconds + 3);
    stop(&l);
}

/* A stop while a write is under way: who waits is told, and the last position comes behind it. */
static void stopped_while_writing(void **state)
{
    (void)state;
    script_reset();
    listener l;
    error e;
    asked making, status;
    listener_start(&l, start(100));
    heard *h = listener_subscribe(&l, 1, SLOT("a"));
    script_hold();
    add_row(1, OP_INSERT, &shape_t, 1);
    replication_wake(l.r);
    listener_until(&l, h->last == 1 && h->tx == 0);
    assert_true(replication_confirm(l.r, l.id, 1, 1, &e));
    listener_until(&l, script_held() == 1);
    add_row(2, OP_INSERT, &shape_t, 2);
    replication_wake(l.r);
    listener_until(&l, h->last == 2 && h->tx == 0);
    ask_start(l.r, &making, (replication_call){.op = REPLICATION_CREATE, .name = "b"});
    listener_until(&l, slot_is(&l, "b", "making", 2));
    assert_true(replication_confirm(l.r, l.id, 1, 2, &e));
    ask_start(l.r, &status, (replication_call){.op = REPLICATION_STATUS});
    replication_stop(l.r);
    assert_true(atomic_load(&making.done));
    assert_int_equal(making.call.err.code, ERR_SHUTTING_DOWN);
    assert_true(atomic_load(&status.done));
    buf_free(&status.call.json);
    assert_int_equal(script_held(), 2);
    for (int i = 0; i < 2; i++)
        write_slots(script.held[i]); /* as the engine does before it closes */
    assert_int_equal(script_slot("a"), 2);
    replication_free(l.r);
    listener_end(&l);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static const char *const story_all = "B1\n1 insert t\n2 insert u\n3 insert t\nC3\n"
                                     "B4\n4 ddl table_altered t\nC4\n"
                                     "B5\n5 insert t\nC5\n"
                                     "B6\n6 insert u\n7 insert u\n8 insert u\nC8\n";
static const char *const story_t = "B1\n1 insert t\n3 insert t\nC3\nB5\n5 insert t\nC5\n";

/* One failure at the nth allocation of the replication's thread from its first read on. */
static void story(unsigned long nth)
{
    static const char *const tables[] = {"t"};
    script_reset();
    listener l;
    listener_start(&l, start(2));
    l.confirms = true;
    heard *all = listener_subscribe(&l, 1, (replication_request){.ddl = true});
    heard *some = listener_subscribe(
        &l, 2, (replication_request){.slot = "a", .create = true, .tables = tables, .n_tables = 1});
    pthread_mutex_lock(&script.lock);
    script.fail_nth = nth;
    pthread_mutex_unlock(&script.lock);
    add_row(1, OP_INSERT, &shape_t, 1);
    add_row(1, OP_INSERT, &shape_u, 1);
    add_row(1, OP_INSERT, &shape_t, 2);
    replication_wake(l.r);
    add_ddl(2, OP_ALTER, "ALTER TABLE t ADD COLUMN x", NULL);
    add_row(3, OP_INSERT, &shape_t, 3);
    for (int i = 0; i < 3; i++)
        add_row(4, OP_INSERT, &shape_u, i);
    replication_wake(l.r);
    heard *late = listener_subscribe(&l, 3, SLOT("b"));
    listener_until(&l, all->last == 8 && all->tx == 0 && some->last == 5 && some->tx == 0);
    assert_string_equal(buf_cstr(&some->text), story_t);
    if (late->refused)
        assert_int_equal(late->err.code, ERR_INTERNAL_ERROR);
    listener_until(&l, script_slot("a") == 8);
    if (strcmp(buf_cstr(&all->text), story_all) != 0)
        fail_msg("%lu: %s", nth, buf_cstr(&all->text));
    stop(&l);
}

static void memory_that_runs_out_loses_and_repeats_nothing(void **state)
{
    (void)state;
    unsigned long step = getenv("RUSTYDB_VALGRIND") ? 7 : 1; /* the same, with fewer samples */
    for (unsigned long nth = 1; nth <= 60; nth += step)
        story(nth);
}

static void subscribing_without_memory_is_refused(void **state)
{
    (void)state;
    static const char *const tables[] = {"t", "u"};
    script_reset();
    listener l;
    listener_start(&l, start(4));
    replication_request q = {.listener = l.id,
                             .sub = 1,
                             .slot = "a",
                             .create = true,
                             .log_id = "log-1",
                             .tables = tables,
                             .n_tables = 2};
    unsigned long nth = 1;
    for (bool taken = false; !taken; nth++) {
        mem_fail_nth(nth);
        taken = replication_subscribe(l.r, &q);
        mem_fail_nth(0);
    }
    assert_true(nth > 7);
    listener_until(&l, l.subs[1].subscribed);
    stop(&l);
}

static void starting_without_memory_fails(void **state)
{
    (void)state;
    const replication_config config = {
        .slice = 4, .max_consumers = 8, .max_slots = 1, .render = render_line};
    script_reset();
    for (int i = 0; i < 5; i++) { /* more than the setting allows now */
        snprintf(script.slots[i].name, sizeof script.slots[i].name, "slot%d", i);
        strcpy(script.slots[i].log_id, "log-1");
    }
    script.n_slots = 5;
    error e;
    replication *r = NULL;
    unsigned long nth = 1;
    for (; !r; nth++) {
        mem_fail_nth(nth);
        r = replication_start(&script_engine, &config, &e);
        mem_fail_nth(0);
        if (!r)
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    }
    assert_true(nth > 10);
    listener l;
    listener_start(&l, r);
    json_t *found = ask_op(&l, REPLICATION_SLOTS, NULL);
    assert_int_equal(json_integer_value(json_object_get(found, "total")), 5);
    json_decref(found);
    assert_int_equal(ask_refused(&l, REPLICATION_CREATE, "another"), ERR_CONFLICT);
    stop(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_say_all_there_is),
        cmocka_unit_test(a_log_that_cannot_be_read_is_read_later),
        cmocka_unit_test(what_was_pruned_is_told),
        cmocka_unit_test(writes_that_fail),
        cmocka_unit_test(confirmations_are_gathered),
        cmocka_unit_test(stopped_while_writing),
        cmocka_unit_test(memory_that_runs_out_loses_and_repeats_nothing),
        cmocka_unit_test(subscribing_without_memory_is_refused),
        cmocka_unit_test(starting_without_memory_fails),
    };
    return cmocka_run_group_tests_name("replication faults", tests, NULL, NULL);
}
