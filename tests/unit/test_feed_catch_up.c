/* Subscriptions of several tables, in several forms and from several positions that catch up at the
 * same time, over a log that misbehaves as told (feed_script.h): each hears every event behind its
 * position once, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "feed/event.h"
#include "tests/unit/feed_script.h"

/* A subscription and what it is to hear. */
typedef struct wish {
    int n_tables;
    const char *tables[2];
    int64_t read_to[2]; /* 0: nothing was read */
    int64_t since;
    int form;
    const char *where; /* NULL, or `id % 2 = 0` */
} wish;

static void ask(listener *l, uint64_t number, const wish *w)
{
    feed_request r = {.listener = l->id,
                      .sub = number,
                      .form = w->form,
                      .n_tables = w->n_tables,
                      .tables = w->tables,
                      .read_to = w->read_to[0] || w->read_to[1] ? w->read_to : NULL,
                      .where = w->where,
                      .has_since = w->since >= 0,
                      .since = w->since >= 0 ? w->since : 0};
    assert_true(feed_subscribe(l->f, &r));
}

static bool is_wanted(const wish *w, const log_record *rec)
{
    bool named = !w->n_tables;
    for (int i = 0; i < w->n_tables; i++) {
        if (strcmp(w->tables[i], rec->shape->table) == 0) {
            named = true;
            if (rec->lsn <= w->read_to[i])
                return false;
        }
    }
    if (rec->kind == LOG_DDL)
        return named && rec->lsn > w->since && event_is_told(rec);
    return named && rec->lsn > w->since && (!w->where || rec->row[0].i % 2 == 0);
}

static void expect_wish(heard *h, const wish *w)
{
    int64_t lsns[MAX_RECORDS];
    int n = 0;
    for (int i = 0; i < script.n; i++) {
        if (is_wanted(w, &script.records[i]))
            lsns[n++] = script.records[i].lsn;
    }
    expect_lsns(h, lsns, n);
    const char *mark = strchr(buf_cstr(&h->text), '*');
    assert_true(w->form ? mark != NULL : mark == NULL);
}

static bool has_heard(heard *h, int64_t lsn)
{
    char text[40];
    snprintf(text, sizeof text, "\"lsn\":%" PRId64 ",", lsn);
    return strstr(buf_cstr(&h->text), text) != NULL;
}

/* Rows of both tables in turns. */
static void append_both(int n, const char *name)
{
    for (int i = 0; i < n; i++)
        append_row(script.n % 3 ? &shape_t : &shape_other, OP_INSERT, script.n / 2, NULL, name);
}

static void end(feed *f, listener *l)
{
    feed_stop(f);
    feed_free(f);
    listener_end(l);
}

/* ---- what was read before ---------------------------------------------------------------------
 */

/* One table was read at an event that the feed has yet to come to, the other before: only by itself
 * can such a subscription come to the stream. */
static void what_was_read_does_not_come_again(void **state)
{
    (void)state;
    static const wish w = {2, {"t", "other"}, {10, 20}, 10, 0, NULL};
    script_reset();
    append_both(10, "x");
    feed *f = start(4);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, -1);
    listener_until(&l, l.subs[1].live);
    append_both(10, "x"); /* nobody has woken the feed for these */
    ask(&l, 2, &w);
    listener_until(&l, l.subs[2].live);
    append_both(6, "x");
    feed_wake(f);
    listener_until(&l, has_heard(&l.subs[2], script.n));
    expect_wish(&l.subs[2], &w);
    end(f, &l);
}

/* ---- many at once -----------------------------------------------------------------------------
 */

static const wish many[] = {
    {1, {"t"}, {0}, 0, 0, NULL},
    {1, {"t"}, {0}, 0, 0, NULL},
    {1, {"t"}, {0}, 3, 1, NULL},
    {1, {"t"}, {0}, 7, 0, NULL},
    {1, {"t"}, {0}, 22, 1, NULL},
    {1, {"t"}, {0}, 30, 0, "id % 2 = 0"},
    {1, {"t"}, {0}, 1, 0, "id % 2 = 0"},
    {2, {"t", "other"}, {12, 28}, 12, 0, NULL},
    {2, {"t", "other"}, {0}, 5, 0, NULL},
    {2, {"other", "t"}, {0}, 18, 0, NULL},
    {2, {"t", "other"}, {31, 40}, 31, 0, NULL},
    {0, {NULL}, {0}, 0, 0, NULL},
    {0, {NULL}, {0}, 26, 1, NULL},
    {0, {NULL}, {0}, 9, 1, NULL},
};

enum { MANY = (int)(sizeof many / sizeof *many) };

/* They are in the feed's mailbox together: it waits for the log meanwhile. */
static void ask_all(listener *l, unsigned long fail_nth)
{
    pthread_mutex_lock(&script.lock);
    listener_subscribe(l, MANY, "t", NULL, -1);
    for (uint64_t i = 0; i < MANY; i++)
        ask(l, i, &many[i]);
    script.fail_nth = fail_nth;
    pthread_mutex_unlock(&script.lock);
}

static bool all_live(const listener *l)
{
    for (int i = 0; i < MANY; i++) {
        if (!l->subs[i].live && !l->subs[i].refused)
            return false;
    }
    return true;
}

static bool all_have_heard(listener *l, int64_t lsn)
{
    for (int i = 0; i < MANY; i++) {
        if (!l->subs[i].refused && !has_heard(&l->subs[i], lsn))
            return false;
    }
    return true;
}

static void together(unsigned long fail_nth)
{
    script_reset();
    append_both(19, "x");
    append_ddl(&shape_t, OP_DROP, "DROP TABLE t", NULL); /* history, which stops each alone */
    append_ddl(&shape_t, OP_CREATE, "CREATE TABLE t(id, name)", NULL);
    append_both(19, "x");
    feed *f = start(8);
    listener l;
    listener_start(&l, f);
    ask_all(&l, fail_nth);
    listener_until(&l, all_live(&l));
    append_both(5, "x");
    append_row(&shape_t, OP_INSERT, 100, NULL, "last");
    feed_wake(f);
    listener_until(&l, all_have_heard(&l, script.n));
    for (int i = 0; i < MANY; i++) {
        if (l.subs[i].refused)
            assert_int_equal(l.subs[i].err.code, ERR_INTERNAL_ERROR);
        else
            expect_wish(&l.subs[i], &many[i]);
    }
    end(f, &l);
}

static void many_catch_up_together(void **state)
{
    (void)state;
    together(0);
}

static void memory_that_runs_out_on_the_way_loses_nothing(void **state)
{
    (void)state;
    unsigned long step = getenv("RUSTYDB_VALGRIND") ? 13 : 1; /* the same, with fewer samples */
    for (unsigned long nth = 1; nth <= 400; nth += step)
        together(nth);
}

/* Some read, some do not: those wait with a full window, and go on where they were. */
static void a_slow_reader_among_them_waits(void **state)
{
    (void)state;
    static char large[20001];
    memset(large, 'x', sizeof large - 1);
    script_reset();
    append_both(90, large);
    feed *f = start(100);
    listener quick, slow;
    listener_start(&quick, f);
    listener_start(&slow, f);
    slow.no_acks = true;
    static const wish all[] = {
        {1, {"t"}, {0}, 0, 0, NULL},  {1, {"t"}, {0}, 11, 0, NULL}, {1, {"t"}, {0}, 40, 0, NULL},
        {1, {"t"}, {0}, 41, 0, NULL}, {1, {"t"}, {0}, 80, 0, NULL},
    };
    for (int i = 0; i < 5; i++) {
        ask(&quick, (uint64_t)i, &all[i]);
        ask(&slow, (uint64_t)i, &all[i]);
    }
    for (int i = 0; i < 5; i++)
        listener_until(&quick, quick.subs[i].live);
    for (int i = 0; i < 4; i++) {
        listener_until(&slow, slow.subs[i].unacked >= FEED_REPLAY_WINDOW);
        assert_true(slow.subs[i].unacked < 2 * FEED_REPLAY_WINDOW + 21000);
        assert_false(slow.subs[i].live);
    }
    slow.no_acks = false;
    for (uint64_t i = 0; i < 5; i++) {
        feed_ack(f, slow.id, i, slow.subs[i].unacked);
        listener_until(&slow, slow.subs[i].live);
    }
    for (int i = 0; i < 5; i++) {
        expect_wish(&quick.subs[i], &all[i]);
        expect_wish(&slow.subs[i], &all[i]);
    }
    feed_stop(f);
    feed_free(f);
    listener_end(&quick);
    listener_end(&slow);
}

/* Pruned on the way: the hindmost are told so, the others go on. */
static void a_gap_is_for_those_behind_it(void **state)
{
    (void)state;
    static char large[20001];
    memset(large, 'x', sizeof large - 1);
    script_reset();
    for (int i = 0; i < 60; i++)
        append_row(&shape_t, OP_INSERT, i, NULL, large);
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    l.no_acks = true;
    for (uint64_t i = 0; i < 4; i++)
        listener_subscribe(&l, i, "t", NULL, i < 2 ? (int64_t)i : 39 + (int64_t)i);
    for (int i = 0; i < 4; i++)
        listener_until(&l, l.subs[i].unacked >= FEED_REPLAY_WINDOW);
    script_prune(41);
    l.no_acks = false;
    for (uint64_t i = 0; i < 4; i++)
        feed_ack(f, l.id, i, l.subs[i].unacked);
    for (int i = 0; i < 4; i++)
        listener_until(&l, l.subs[i].live || l.subs[i].ended);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(l.subs[i].err.code, ERR_GAP);
        expect_range(&l.subs[i], i + 1, i + l.subs[i].events); /* what came before is whole */
    }
    for (int i = 2; i < 4; i++)
        expect_range(&l.subs[i], 40 + i, 60);
    append_many(1);
    feed_wake(f);
    listener_until(&l, l.subs[2].events == 20 && l.subs[3].events == 19);
    end(f, &l);
}

int main(void)
{
    sqlite_memory_is_ours();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_does_not_come_again),
        cmocka_unit_test(many_catch_up_together),
        cmocka_unit_test(memory_that_runs_out_on_the_way_loses_nothing),
        cmocka_unit_test(a_slow_reader_among_them_waits),
        cmocka_unit_test(a_gap_is_for_those_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
