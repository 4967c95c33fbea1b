/* A subscription over several connections: where it stands, and when it ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/backoff.h"
#include "cli/event_text.h"
#include "cli/exec.h"
#include "cli/state_file.h"
#include "cli/subscription.h"

/* What a subscription did, as text: "e5 " for an event, "m5 " for a move to lsn 5, "s " ... */
typedef struct record {
    subscription s;
    buf log, sent;
    int64_t last_at, fail_at; /* lsn of the event to end with, or to fail */
} record;

static event_verdict on_event(subscription *s, scan_text payload)
{
    record *r = s->arg;
    scan_text v;
    int64_t lsn = 0;
    if (scan_member(payload, "lsn", &v))
        scan_int(v, &lsn);
    buf_addf(&r->log, "e%lld ", (long long)lsn);
    if (lsn && lsn == r->fail_at)
        return EVENT_FAILED;
    return lsn && lsn == r->last_at ? EVENT_LAST : EVENT_NEXT;
}

static bool on_moved(subscription *s)
{
    record *r = s->arg;
    buf_addf(&r->log, "m%lld ", (long long)s->lsn);
    return true;
}

static void on_subscribed(subscription *s)
{
    record *r = s->arg;
    buf_adds(&r->log, "s ");
}

static void on_notice(subscription *s, const char *text)
{
    record *r = s->arg;
    buf_addf(&r->log, "n(%s) ", text);
}

static const subscription_ops ops = {on_event, on_moved, on_subscribed, on_notice};

static void start(record *r, const char *topic)
{
    *r = (record){.s = {.ops = &ops, .topic = topic, .table = strncmp(topic, "table:", 6) == 0}};
    r->s.arg = r;
    subscription_connect(&r->s);
}

static bool say(record *r, const char *message)
{
    buf_clear(&r->sent);
    return subscription_message(&r->s, message, strlen(message), &r->sent);
}

static void expect(record *r, const char *log)
{
    assert_string_equal(buf_cstr(&r->log), log);
    buf_clear(&r->log);
}

static void finish(record *r)
{
    buf_free(&r->log);
    buf_free(&r->sent);
}

#define WELCOME "{\"type\":\"welcome\",\"payload\":{\"authenticated\":true}}"
#define SUBSCRIBED(lsn)                                                                            \
    "{\"id\":\"1\",\"type\":\"subscribed\",\"payload\":{\"log_id\":\"L\",\"lsn\":" #lsn "}}"
#define EVENT(lsn)                                                                                 \
    "{\"type\":\"event\",\"payload\":{\"topic\":\"table:t\",\"lsn\":" #lsn ",\"op\":\"insert\"}}"

static void it_resumes_behind_the_last_event(void **state)
{
    (void)state;
    record r;
    start(&r, "table:t");
    r.s.where = "x > \"1\"";
    r.s.kinds = "[\"insert\"]";
    assert_true(say(&r, WELCOME));
    assert_string_equal(buf_cstr(&r.sent),
                        "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{\"topic\":\"table:t\","
                        "\"ops\":[\"insert\"],\"where\":\"x > \\\"1\\\"\"}}");
    assert_true(say(&r, SUBSCRIBED(7)));
    expect(&r, "m7 s ");

    subscription_connect(&r.s); /* lost before any event: nothing after 7 may be missed */
    assert_true(say(&r, WELCOME));
    assert_non_null(strstr(buf_cstr(&r.sent), "\"since\":\"L:7\""));
    assert_true(say(&r, SUBSCRIBED(20)));
    assert_true(say(&r, EVENT(9)));
    assert_true(say(&r, EVENT(12)));
    expect(&r, "m7 s e9 m9 e12 m12 ");

    subscription_connect(&r.s);
    assert_true(say(&r, WELCOME));
    assert_non_null(strstr(buf_cstr(&r.sent), "\"since\":\"L:12\""));
    assert_true(say(&r, EVENT(12))); /* a repeat is dropped */
    expect(&r, "");
    r.last_at = 13;
    assert_false(say(&r, EVENT(13)));
    assert_true(r.s.finished);
    assert_int_equal(r.s.err.code, ERR_NONE);
    expect(&r, "e13 m13 ");
    finish(&r);
}

static void since_is_passed_on(void **state)
{
    (void)state;
    const char *bad[] = {"", "x", "-1", "1.5", ":5", "L:", "L:x", "99999999999999999999"};
    record r;
    start(&r, "table:t");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(subscription_since(&r.s, bad[i]));
    assert_true(subscription_since(&r.s, "0"));
    say(&r, WELCOME);
    assert_non_null(strstr(buf_cstr(&r.sent), "\"since\":0}"));
    say(&r, SUBSCRIBED(40));
    expect(&r, "m0 s "); /* the head is not the position: 1 to 40 are still to come */
    assert_true(subscription_since(&r.s, "a:b:17"));
    buf b = BUF_INIT;
    subscription_position(&r.s, &b);
    assert_string_equal(buf_cstr(&b), "a:b:17");
    buf_free(&b);
    finish(&r);
}

static void a_failed_event_is_not_counted(void **state)
{
    (void)state;
    record r;
    start(&r, "table:t");
    say(&r, SUBSCRIBED(1));
    r.fail_at = 3;
    assert_true(say(&r, EVENT(2)));
    assert_false(say(&r, EVENT(3)));
    expect(&r, "m1 s e2 m2 e3 ");
    assert_int_equal(r.s.lsn, 2);
    finish(&r);
}

static void errors_end_it(void **state)
{
    (void)state;
    record r;
    start(&r, "table:t");
    subscription_since(&r.s, "L:12");
    assert_false(say(&r,
                     "{\"id\":\"1\",\"type\":\"error\",\"payload\":{\"code\":\"GAP\",\"message\":"
                     "\"gone\",\"oldest\":100}}"));
    assert_int_equal(r.s.err.code, ERR_GAP);
    assert_non_null(strstr(r.s.err.hint, "13 to 99"));
    assert_true(subscription_is_permanent(&r.s.err));

    subscription_connect(&r.s);
    assert_false(say(&r, "{\"type\":\"error\",\"payload\":{\"code\":\"BUSY\",\"message\":\"x\"}}"));
    assert_false(subscription_is_permanent(&r.s.err));

    subscription_connect(&r.s);
    assert_false(say(&r, "{\"type\":\"welcome\",\"payload\":{\"authenticated\":false}}"));
    assert_int_equal(error_describe(r.s.err.code)->exit_code, 4);

    subscription_connect(&r.s);
    assert_true(say(&r, "{\"type\":\"system\",\"payload\":{\"event\":\"closing\",\"code\":1012,"
                        "\"reason\":\"restart\"}}"));
    assert_int_equal(r.s.err.code, ERR_SHUTTING_DOWN);
    assert_non_null(strstr(r.s.err.message, "restart (1012)"));
    assert_false(subscription_is_permanent(&r.s.err));
    assert_int_equal(r.s.retry_after_ms, 0);

    subscription_connect(&r.s);
    assert_true(say(&r, "{\"type\":\"system\",\"payload\":{\"event\":\"closing\",\"code\":1012,"
                        "\"reason\":\"restart\",\"retry_after_ms\":1500}}"));
    assert_int_equal(r.s.retry_after_ms, 1500);
    subscription_connect(&r.s);
    assert_int_equal(r.s.retry_after_ms, 0);
    assert_true(say(&r, "{\"type\":\"system\",\"payload\":{\"event\":\"closing\",\"code\":1012,"
                        "\"reason\":\"restart\",\"retry_after_ms\":99999999999}}"));
    assert_int_equal(r.s.retry_after_ms, 600000);
    finish(&r);
}

static void changes_of_the_table_are_told(void **state)
{
    (void)state;
    record r;
    start(&r, "table:t");
    say(&r, SUBSCRIBED(1));
    assert_true(say(&r, "{\"type\":\"system\",\"payload\":{\"event\":\"table_altered\",\"topic\":"
                        "\"table:t\",\"lsn\":2,\"sql\":\"ALTER TABLE t ADD x\"}}"));
    assert_true(
        say(&r, "{\"type\":\"event\",\"payload\":{\"topic\":\"broadcast\",\"message\":\"hi\"}}"));
    expect(&r, "m1 s m2 n(ALTER TABLE t ADD x) n(broadcast: \"hi\") ");
    assert_false(say(&r, "{\"type\":\"system\",\"payload\":{\"event\":\"table_dropped\",\"topic\":"
                         "\"table:t\",\"lsn\":3,\"sql\":\"DROP TABLE t\"}}"));
    assert_int_equal(r.s.err.code, ERR_TABLE_NOT_FOUND);
    assert_true(subscription_is_permanent(&r.s.err));
    finish(&r);
}

static void a_channel_has_no_position(void **state)
{
    (void)state;
    record r;
    start(&r, "channel:news");
    say(&r, WELCOME);
    assert_string_equal(buf_cstr(&r.sent), "{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{"
                                           "\"topic\":\"channel:news\"}}");
    say(&r, "{\"type\":\"subscribed\",\"payload\":{\"subscription_id\":\"1\"}}");
    say(&r, "{\"type\":\"event\",\"payload\":{\"topic\":\"channel:news\",\"message\":1}}");
    say(&r, "{\"type\":\"event\",\"payload\":{\"topic\":\"broadcast\",\"message\":2}}");
    expect(&r, "s e0 e0 ");
    subscription_connect(&r.s);
    say(&r, WELCOME);
    assert_null(strstr(buf_cstr(&r.sent), "since"));
    assert_false(say(&r, "no json"));
    finish(&r);
}

static void a_table_is_known_in_any_case(void **state)
{
    (void)state;
    record r;
    start(&r, "table:MY\"table");
    say(&r, WELCOME);
    say(&r, "{\"type\":\"subscribed\",\"payload\":{\"subscription_id\":\"s1\",\"log_id\":\"a\","
            "\"lsn\":4}}");
    say(&r, "{\"type\":\"event\",\"payload\":{\"topic\":\"table:my\\\"Table\",\"lsn\":5}}");
    expect(&r, "m4 s e5 m5 ");
    finish(&r);
    start(&r, "channel:News");
    say(&r, WELCOME);
    say(&r, "{\"type\":\"subscribed\",\"payload\":{\"subscription_id\":\"s1\"}}");
    say(&r,
        "{\"type\":\"system\",\"payload\":{\"event\":\"table_dropped\",\"topic\":\"table:u\"}}");
    expect(&r, "s ");
    finish(&r);
}

static void what_others_subscribe_it_to_does_not_end_it(void **state)
{
    (void)state;
    record r;
    start(&r, "table:t");
    say(&r, WELCOME);
    say(&r, "{\"type\":\"subscribed\",\"payload\":{\"subscription_id\":\"s1\",\"log_id\":\"a\","
            "\"lsn\":4}}");
    assert_true(say(&r, "{\"type\":\"subscribed\",\"payload\":{\"subscription_id\":\"s2\","
                        "\"topic\":\"table:u\",\"log_id\":\"a\",\"lsn\":9}}"));
    assert_true(say(&r, "{\"type\":\"event\",\"payload\":{\"topic\":\"table:u\",\"lsn\":10}}"));
    assert_true(say(&r, "{\"type\":\"system\",\"payload\":{\"event\":\"table_dropped\","
                        "\"topic\":\"table:u\",\"lsn\":11}}"));
    assert_true(say(&r, "{\"type\":\"error\",\"payload\":{\"code\":\"TABLE_NOT_FOUND\","
                        "\"message\":\"gone\",\"subscription_id\":\"s2\"}}"));
    assert_true(say(&r, "{\"type\":\"event\",\"payload\":{\"topic\":\"table:t\",\"lsn\":6}}"));
    expect(&r, "m4 s n(gone) e6 m6 ");
    assert_false(say(&r, "{\"type\":\"error\",\"payload\":{\"code\":\"CANCELLED\","
                         "\"message\":\"enough\",\"subscription_id\":\"s1\"}}"));
    assert_true(subscription_is_permanent(&r.s.err));
    finish(&r);
}

static void lines_for_people(void **state)
{
    (void)state;
    const char *const cases[][2] = {
        {"{\"topic\":\"table:c\",\"lsn\":12,\"tx\":3,\"committed_at\":\"2026-01-02T03:04:05Z\","
         "\"op\":"
         "\"update\",\"row\":{\"a\":\"x y\",\"b\":2},\"old_row\":{\"a\":\"x y\",\"b\":null},"
         "\"changed_columns\":[\"b\"]}",
         "12 2026-01-02T03:04:05Z update c a=\"x y\" b=null->2"},
        {"{\"topic\":\"table:c\",\"lsn\":13,\"committed_at\":\"T\",\"op\":\"delete\",\"row\":null,"
         "\"old_row\":{\"a\":1.5},\"changed_columns\":null}",
         "13 T delete c a=1.5"},
        {"{\"topic\":\"channel:n\",\"event\":\"ev\",\"message\":\"a\\nb\",\"sent_at\":\"T\"}",
         "T channel:n [ev] a\\nb"},
        {"{\"topic\":\"broadcast\",\"message\":{\"x\":[1]}}", "broadcast {\"x\":[1]}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf b = BUF_INIT;
        event_text(&b, scan_value(cases[i][0], strlen(cases[i][0])), false);
        assert_string_equal(buf_cstr(&b), cases[i][1]);
        buf_free(&b);
    }
}

static void waits_grow_to_a_limit(void **state)
{
    (void)state;
    backoff b = {0};
    int step = BACKOFF_FIRST_MS;
    for (int i = 0; i < 1000; i++) {
        int ms = backoff_next(&b);
        assert_in_range(ms, step / 2, step);
        step = step * 2 < BACKOFF_LONGEST_MS ? step * 2 : BACKOFF_LONGEST_MS;
    }
    backoff_reset(&b);
    assert_in_range(backoff_next(&b), 1, BACKOFF_FIRST_MS);
}

static void a_position_is_kept_in_a_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/test_cli_state.XXXXXX", path[80];
    state_file f, second;
    error e;
    buf b = BUF_INIT;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/lsn", dir);
    assert_true(state_file_open(&f, path, &b, &e));
    assert_int_equal(b.len, 0);
    assert_true(state_file_save(&f, "LOG:17", &e));
    assert_true(state_file_save(&f, "L:5", &e)); /* a shorter line leaves nothing of the longer */
    assert_false(state_file_open(&second, path, &b, &e));
    assert_non_null(strstr(e.message, "another process"));
    state_file_close(&f);
    assert_true(state_file_open(&f, path, &b, &e));
    assert_string_equal(buf_cstr(&b), "L:5");
    state_file_close(&f);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0); /* nothing else was left */
    assert_false(state_file_open(&f, path, &b, &e));
    assert_non_null(strstr(e.message, "No such file"));
    buf_free(&b);
}

static void commands_get_the_event(void **state)
{
    (void)state;
    static char big[1 << 20];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(exec_with_input("read x && [ \"$x\" = hello ]", "hello\n", 6), 0);
    assert_int_equal(exec_with_input("exit 3", "hello\n", 6), 3);
    assert_int_equal(exec_with_input("kill -TERM $$", "", 0), 128 + 15);
    memset(big, 'x', sizeof big);
    assert_int_equal(exec_with_input(":", big, sizeof big), 0); /* never reads */
    assert_int_equal(exec_with_input("[ $(wc -c) = 1048576 ]", big, sizeof big), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_resumes_behind_the_last_event),
        cmocka_unit_test(since_is_passed_on),
        cmocka_unit_test(a_failed_event_is_not_counted),
        cmocka_unit_test(errors_end_it),
        cmocka_unit_test(changes_of_the_table_are_told),
        cmocka_unit_test(a_channel_has_no_position),
        cmocka_unit_test(a_table_is_known_in_any_case),
        cmocka_unit_test(what_others_subscribe_it_to_does_not_end_it),
        cmocka_unit_test(lines_for_people),
        cmocka_unit_test(waits_grow_to_a_limit),
        cmocka_unit_test(a_position_is_kept_in_a_file),
        cmocka_unit_test(commands_get_the_event),
    };
    return cmocka_run_group_tests_name("cli_subscription", tests, NULL, NULL);
}
