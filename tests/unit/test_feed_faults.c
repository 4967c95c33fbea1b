/* The feed over a log that misbehaves as told (feed_script.h): reads that fail, records that are
 * gone, memory that runs out at every single allocation. test_feed.c runs over the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/feed_script.h"

/* ---- texts ------------------------------------------------------------------------------------
 */

static void a_frame_says_all_there_is(void **state)
{
    (void)state;
    script_reset();
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, -1);
    listener_subscribe(&l, 2, "t", "name = 'b'", -1);
    listener_until(&l, l.subs[1].live && l.subs[2].live);
    append_row(&shape_t, OP_INSERT, 5, NULL, "a\"");
    append_row(&shape_other, OP_INSERT, 5, NULL, "b");
    append_row(&shape_t, OP_UPDATE, 5, "a", "B");
    append_row(&shape_t, OP_DELETE, 5, "B", NULL);
    append_ddl(&shape_t, OP_RENAME, "ALTER TABLE t RENAME TO u", "u");
    feed_wake(f);
    listener_until(&l, l.subs[1].ended && l.subs[2].ended);
    assert_string_equal(
        buf_cstr(&l.subs[1].text),
        "{\"type\":\"event\",\"payload\":{\"topic\":\"table:t\",\"lsn\":1,\"tx\":7,"
        "\"committed_at\":\"2026-01-02T03:04:05.678901Z\",\"op\":\"insert\",\"row\":{\"id\":5,"
        "\"name\":\"a\\\"\"},\"old_row\":null,\"changed_columns\":null}}\n"
        "{\"type\":\"event\",\"payload\":{\"topic\":\"table:t\",\"lsn\":3,\"tx\":7,"
        "\"committed_at\":\"2026-01-02T03:04:05.678901Z\",\"op\":\"update\",\"row\":{\"id\":5,"
        "\"name\":\"B\"},\"old_row\":{\"id\":5,\"name\":\"a\"},\"changed_columns\":[\"name\"]}}\n"
        "{\"type\":\"event\",\"payload\":{\"topic\":\"table:t\",\"lsn\":4,\"tx\":7,"
        "\"committed_at\":\"2026-01-02T03:04:05.678901Z\",\"op\":\"delete\",\"row\":null,"
        "\"old_row\":{\"id\":5,\"name\":\"B\"},\"changed_columns\":null}}\n"
        "{\"type\":\"system\",\"payload\":{\"event\":\"table_renamed\",\"topic\":\"table:t\","
        "\"lsn\":5,\"renamed_to\":\"u\",\"sql\":\"ALTER TABLE t RENAME TO u\"}}\n");
    expect_lsns(&l.subs[2], (const int64_t[]){3, 4, 5}, 3);
    char want[80];
    assert_int_equal(strlen(l.subs[2].filter), FEED_FILTER_ID);
    snprintf(want, sizeof want, "\"topic\":\"table:t\",\"filter\":\"%s\",\"lsn\":3",
             l.subs[2].filter);
    assert_non_null(strstr(buf_cstr(&l.subs[2].text), want));
    assert_int_equal(l.subs[1].err.code, ERR_TABLE_NOT_FOUND);
    assert_non_null(strstr(l.subs[1].err.message, "renamed to \"u\""));
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

static void a_topic_is_quoted(void **state)
{
    (void)state;
    static const table_shape odd = {9, "a\"b", 1, names, types, collations, pk};
    script_reset();
    script.present = &odd;
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, -1);
    listener_until(&l, l.subs[1].live);
    assert_string_equal(l.subs[1].table, "a\"b");
    append_row(&odd, OP_INSERT, 5, NULL, "x");
    feed_wake(f);
    listener_until(&l, l.subs[1].events == 1);
    assert_non_null(strstr(buf_cstr(&l.subs[1].text), "\"topic\":\"table:a\\\"b\",\"lsn\":1,"));
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

/* ---- positions --------------------------------------------------------------------------------
 */

/* The feed may not have come to the log's head when a subscription begins there. */
static void a_subscription_begins_at_the_head(void **state)
{
    (void)state;
    script_reset();
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, -1);
    listener_until(&l, l.subs[1].live);
    append_many(3);
    append_ddl(&shape_t, OP_DROP, "DROP TABLE t", NULL);
    append_ddl(&shape_t, OP_CREATE, "CREATE TABLE t(id, name)", NULL);
    append_many(1);
    listener_subscribe(&l, 2, "t", NULL, -1); /* nobody has woken the feed for these */
    listener_until(&l, l.subs[2].live && l.subs[1].ended);
    assert_int_equal(l.subs[2].lsn, 6);
    expect_lsns(&l.subs[1], (const int64_t[]){1, 2, 3, 4}, 4);
    append_many(1);
    feed_wake(f);
    listener_until(&l, l.subs[2].events == 1);
    expect_lsns(&l.subs[2], (const int64_t[]){7}, 1);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

static void positions_that_cannot_be_served(void **state)
{
    (void)state;
    script_reset();
    append_many(10);
    script_prune(5);
    feed *f = start(3);
    listener l;
    listener_start(&l, f);
    static const struct {
        int64_t since;
        const char *log_id;
        error_code code;
    } cases[] = {
        {3, NULL, ERR_GAP},
        {4, NULL, ERR_NONE},
        {0, NULL, ERR_NONE},
        {10, NULL, ERR_NONE},
        {11, NULL, ERR_INVALID_MESSAGE},
        {-5, NULL, ERR_INVALID_MESSAGE},
        {6, "log-1", ERR_NONE},
        {6, "log-0", ERR_GAP},
        {99, "log-0", ERR_GAP},
    };
    const int n = (int)(sizeof cases / sizeof *cases);
    for (int i = 0; i < n; i++) {
        feed_request r = {.listener = l.id,
                          .sub = (uint64_t)i,
                          .tables = (const char *const[]){"t"},
                          .n_tables = 1,
                          .has_since = true,
                          .since = cases[i].since,
                          .log_id = cases[i].log_id};
        assert_true(feed_subscribe(f, &r));
    }
    for (int i = 0; i < n; i++) {
        heard *h = &l.subs[i];
        listener_until(&l, h->live || h->refused);
        assert_int_equal(h->refused ? h->err.code : ERR_NONE, cases[i].code);
        if (h->err.code == ERR_GAP)
            assert_int_equal(h->err.detail, 5);
        if (h->live)
            expect_range(h, cases[i].since ? cases[i].since + 1 : 5, 10);
    }
    assert_non_null(strstr(l.subs[0].err.message, "4 to 4"));
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

static void pruned_under_a_reader(bool gap_is_error)
{
    script_reset();
    script.gap_is_error = gap_is_error;
    append_many(1000);
    feed *f = start(3);
    listener slow, quick;
    listener_start(&slow, f);
    listener_start(&quick, f);
    slow.no_acks = true;
    listener_subscribe(&slow, 1, "t", NULL, 0);
    /* A window holds many of these small frames: shrink the log before it is filled. */
    listener_until(&slow, slow.subs[1].subscribed);
    listener_subscribe(&quick, 2, "t", NULL, -1);
    listener_until(&quick, quick.subs[2].live);
    append_many(500);
    script_prune(1400); /* the live one has not been woken for these */
    feed_wake(f);
    listener_until(&quick, quick.subs[2].ended);
    assert_int_equal(quick.subs[2].err.code, ERR_GAP);
    assert_int_equal(quick.subs[2].err.detail, 1400);
    assert_int_equal(quick.subs[2].events, 0);
    listener_until(&slow, slow.subs[1].ended || slow.subs[1].live || slow.subs[1].unacked > 200000);
    if (!slow.subs[1].ended) {
        feed_ack(f, slow.id, 1, slow.subs[1].unacked);
        listener_until(&slow, slow.subs[1].ended);
    }
    assert_int_equal(slow.subs[1].err.code, ERR_GAP);
    assert_int_equal(slow.subs[1].err.detail, 1400);
    expect_range(&slow.subs[1], 1, slow.subs[1].events); /* what came before is whole */
    feed_stop(f);
    feed_free(f);
    listener_end(&slow);
    listener_end(&quick);
}

static void what_was_pruned_under_a_reader_is_told(void **state)
{
    (void)state;
    pruned_under_a_reader(false);
    pruned_under_a_reader(true);
}

static void all_pruned_is_a_gap_too(void **state)
{
    (void)state;
    script_reset();
    append_many(10);
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, -1);
    listener_until(&l, l.subs[1].live);
    append_many(10);
    script_prune(21);
    feed_wake(f);
    listener_until(&l, l.subs[1].ended);
    assert_int_equal(l.subs[1].err.code, ERR_GAP);
    assert_int_equal(l.subs[1].err.detail, 21);
    listener_subscribe(&l, 2, "t", NULL, 20); /* the head itself is fine */
    listener_until(&l, l.subs[2].live);
    append_many(1);
    feed_wake(f);
    listener_until(&l, l.subs[2].events == 1);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

static void a_log_that_cannot_be_read_is_read_later(void **state)
{
    (void)state;
    script_reset();
    append_many(20);
    feed *f = start(3);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, -1);
    listener_subscribe(&l, 2, "t", NULL, 0);
    listener_until(&l, l.subs[1].live && l.subs[2].subscribed);
    pthread_mutex_lock(&script.lock);
    script.failing_reads = 5;
    pthread_mutex_unlock(&script.lock);
    append_many(20);
    feed_wake(f);
    listener_until(&l, l.subs[1].events == 20 && l.subs[2].events == 40);
    expect_range(&l.subs[1], 21, 40);
    expect_range(&l.subs[2], 1, 40);
    assert_int_equal(script.failing_reads, 0);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

/* ---- changes to the table ---------------------------------------------------------------------
 */

static void an_altered_table(void **state)
{
    (void)state;
    script_reset();
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", "name = 'x'", -1);
    listener_subscribe(&l, 2, "t", "id >= 0", -1);
    listener_until(&l, l.subs[1].live && l.subs[2].live);
    append_many(1);
    append_ddl(&shape_t2, OP_ALTER, "ALTER TABLE t DROP COLUMN name", NULL);
    append_row(&shape_t2, OP_INSERT, 3, NULL, "x");
    feed_wake(f);
    listener_until(&l, l.subs[1].ended && l.subs[2].events == 3);
    expect_lsns(&l.subs[1], (const int64_t[]){1, 2}, 2); /* it hears why, then it ends */
    assert_non_null(strstr(l.subs[1].err.message, "no such column"));
    expect_lsns(&l.subs[2], (const int64_t[]){1, 2, 3}, 3);
    assert_non_null(strstr(buf_cstr(&l.subs[2].text), "\"event\":\"table_altered\""));

    script.present = &shape_t2; /* the past: a shape that the filter does not fit */
    listener_subscribe(&l, 3, "t", "id = 3 AND more IS NULL", 0);
    listener_subscribe(&l, 4, "t", "id = 3", 0);
    listener_until(&l, l.subs[3].refused && l.subs[4].live);
    assert_int_equal(l.subs[3].err.code, ERR_INVALID_MESSAGE);
    expect_lsns(&l.subs[4], (const int64_t[]){2, 3}, 2);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

static void a_table_that_goes_and_comes_back(void **state)
{
    (void)state;
    script_reset();
    append_many(2);
    append_ddl(&shape_t, OP_DROP, "DROP TABLE t", NULL);
    append_ddl(&shape_t, OP_CREATE, "CREATE TABLE t(id, name)", NULL);
    append_many(2);
    feed *f = start(2);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", NULL, 0); /* history does not end it */
    listener_until(&l, l.subs[1].live);
    expect_lsns(&l.subs[1], (const int64_t[]){1, 2, 3, 5, 6}, 5);
    append_ddl(&shape_t, OP_DROP, "DROP TABLE t", NULL);
    append_many(1);
    feed_wake(f);
    listener_until(&l, l.subs[1].ended); /* the present does */
    expect_lsns(&l.subs[1], (const int64_t[]){1, 2, 3, 5, 6, 7}, 6);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

static void a_filter_that_fails_ends_its_subscriptions_only(void **state)
{
    (void)state;
    script_reset();
    append_row(&shape_t, OP_INSERT, 1, NULL, "{\"a\":1}");
    append_row(&shape_t, OP_INSERT, 2, NULL, "no json");
    feed *f = start(100);
    listener l;
    listener_start(&l, f);
    listener_subscribe(&l, 1, "t", "json_extract(name, '$.a') = 1", -1);
    listener_subscribe(&l, 2, "t", "json_valid(name) AND json_extract(name, '$.a') = 1", -1);
    listener_subscribe(&l, 3, "t", "json_extract(name, '$.a') = 1", 0);
    listener_until(&l, l.subs[1].live && l.subs[2].live && l.subs[3].ended);
    append_row(&shape_t, OP_INSERT, 3, NULL, "{\"a\":1}");
    append_row(&shape_t, OP_INSERT, 4, NULL, "no json");
    append_row(&shape_t, OP_INSERT, 5, NULL, "{\"a\":1}");
    feed_wake(f);
    listener_until(&l, l.subs[1].ended && l.subs[2].events == 2);
    expect_lsns(&l.subs[1], (const int64_t[]){3}, 1);
    expect_lsns(&l.subs[2], (const int64_t[]){3, 5}, 2);
    expect_lsns(&l.subs[3], (const int64_t[]){1}, 1);
    assert_int_equal(l.subs[1].err.code, ERR_QUERY_ERROR);
    assert_non_null(strstr(l.subs[1].err.message, "event 4: "));
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

/* A story with everything in it, one allocation of the feed's thread failing on the way. What is
 * read must be the same each time. */
static bool story(unsigned long nth)
{
    script_reset();
    append_many(3);
    feed *f = start(4);
    listener a, b;
    listener_start(&a, f);
    listener_start(&b, f);
    listener_subscribe(&a, 1, "t", NULL, -1);
    listener_subscribe(&b, 2, "t", NULL, -1);
    listener_subscribe(&b, 3, "t", "name = 'x'", -1);
    listener_until(&a, a.subs[1].live);
    listener_until(&b, b.subs[2].live && b.subs[3].live);

    pthread_mutex_lock(&script.lock);
    script.fail_nth = nth;
    pthread_mutex_unlock(&script.lock);
    append_many(3);
    append_row(&shape_t, OP_UPDATE, 1, "x", "y");
    append_row(&shape_t, OP_UPDATE, 1, "y", "x");
    listener_subscribe(&a, 4, "t", "id < 2 AND name LIKE 'x%'", 0);
    listener_until(&a, a.subs[4].live || a.subs[4].refused);
    append_ddl(&shape_t2, OP_ALTER, "ALTER TABLE t DROP COLUMN name", NULL);
    append_row(&shape_t2, OP_DELETE, 1, NULL, NULL);
    append_ddl(&shape_t2, OP_DROP, "DROP TABLE t", NULL);
    feed_wake(f);
    listener_until(&a, a.subs[1].ended && (a.subs[4].ended || a.subs[4].refused));
    listener_until(&b, b.subs[2].ended && b.subs[3].ended);
    expect_range(&a.subs[1], 4, 11);
    expect_range(&b.subs[2], 4, 11);
    expect_lsns(&b.subs[3], (const int64_t[]){4, 5, 6, 8, 9}, 5);
    if (a.subs[4].refused)
        assert_int_equal(a.subs[4].err.code, ERR_INTERNAL_ERROR);
    else
        expect_lsns(&a.subs[4], (const int64_t[]){1, 2, 4, 5, 8, 9}, 6);
    feed_stop(f);
    feed_free(f);
    listener_end(&a);
    listener_end(&b);
    return true;
}

static void memory_that_runs_out_loses_and_repeats_nothing(void **state)
{
    (void)state;
    const char *under_valgrind = getenv("RUSTYDB_VALGRIND");
    unsigned long step = under_valgrind ? 7 : 1; /* the same, with fewer samples */
    for (unsigned long nth = 1; nth <= 700; nth += step)
        story(nth);
}

/* Memory runs out at a record that ends a stream, and the record is pruned before it comes again:
 * nothing of it is left for those who join the stream later. */
static void pruned_half_way(unsigned long nth, const char *large)
{
    static const char *const where = "json_extract(name, '$.a') = 1";
    script_reset();
    append_row(&shape_t, OP_INSERT, 1, NULL, large);
    append_row(&shape_t, OP_INSERT, 1, NULL, "{}");
    feed *f = start(4);
    listener l, slow;
    listener_start(&l, f);
    listener_start(&slow, f);
    slow.no_acks = true; /* its window is full: the stream stays */
    listener_subscribe(&slow, 1, "t", where, 0);
    listener_until(&slow, slow.subs[1].unacked > FEED_REPLAY_WINDOW);
    listener_subscribe(&l, 1, "t", where, -1);
    listener_subscribe(&l, 2, "t", NULL, -1);
    listener_until(&l, l.subs[1].live && l.subs[2].live);
    append_row(&shape_t, OP_INSERT, 2, NULL, "{\"a\":1}");
    append_row(&shape_t, OP_INSERT, 3, NULL, "no json");
    pthread_mutex_lock(&script.lock);
    script.fail_nth = nth;
    pthread_mutex_unlock(&script.lock);
    feed_wake(f);
    for (bool armed = false; !armed;) {
        listener_pump(&l, 200);
        pthread_mutex_lock(&script.lock);
        armed = script.armed;
        pthread_mutex_unlock(&script.lock);
    }
    script_prune(5);
    listener_until(&l, l.subs[1].ended && (l.subs[2].ended || l.subs[2].events == 2));
    listener_subscribe(&l, 3, "t", where, -1);
    listener_until(&l, l.subs[3].live || l.subs[3].refused); /* where it ran out here */
    append_row(&shape_t, OP_INSERT, 4, NULL, "{\"a\":1}");
    feed_wake(f);
    listener_until(&l, l.subs[3].events == 1 || l.subs[3].ended || l.subs[3].refused);
    assert_false(l.subs[3].ended);
    expect_lsns(&l.subs[3], (const int64_t[]){5}, l.subs[3].live);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
    listener_end(&slow);
}

static void a_record_pruned_half_way_leaves_nothing_behind(void **state)
{
    (void)state;
    static char large[300001];
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "{\"a\":1}", 7);
    unsigned long step = getenv("RUSTYDB_VALGRIND") ? 5 : 1;
    for (unsigned long nth = 1; nth <= 45; nth += step)
        pruned_half_way(nth, large);
}

static void subscribing_without_memory_is_refused(void **state)
{
    (void)state;
    script_reset();
    feed *f = start(4);
    listener l;
    listener_start(&l, f);
    feed_request r = {.listener = l.id,
                      .sub = 1,
                      .tables = (const char *const[]){"t"},
                      .n_tables = 1,
                      .where = "id",
                      .log_id = "log-1"};
    unsigned long nth = 1;
    for (bool taken = false; !taken; nth++) {
        mem_fail_nth(nth);
        taken = feed_subscribe(f, &r);
        mem_fail_nth(0);
    }
    assert_true(nth > 5);
    listener_until(&l, l.subs[1].live);
    feed_stop(f);
    feed_free(f);
    listener_end(&l);
}

int main(void)
{
    sqlite_memory_is_ours();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_says_all_there_is),
        cmocka_unit_test(a_topic_is_quoted),
        cmocka_unit_test(a_subscription_begins_at_the_head),
        cmocka_unit_test(positions_that_cannot_be_served),
        cmocka_unit_test(what_was_pruned_under_a_reader_is_told),
        cmocka_unit_test(all_pruned_is_a_gap_too),
        cmocka_unit_test(a_log_that_cannot_be_read_is_read_later),
        cmocka_unit_test(an_altered_table),
        cmocka_unit_test(a_table_that_goes_and_comes_back),
        cmocka_unit_test(a_filter_that_fails_ends_its_subscriptions_only),
        cmocka_unit_test(memory_that_runs_out_loses_and_repeats_nothing),
        cmocka_unit_test(a_record_pruned_half_way_leaves_nothing_behind),
        cmocka_unit_test(subscribing_without_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
