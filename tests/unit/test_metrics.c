/* Metrics: names and choices, what is read from /proc, values over a period, topics, both forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "daemon/metrics.h"
#include "json/read.h"

/* Two moments, ten seconds apart. */
typedef struct moments {
    figure_set was, now;
} moments;

static int setup(void **state)
{
    moments *m = xalloc(sizeof *m);
    m->was.at_us = 5000000;
    m->now.at_us = 15000000;
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    moments *m = *state;
    figures_free(&m->was);
    figures_free(&m->now);
    mem_free(m);
    return 0;
}

static int count(const metric_set *s)
{
    int n = 0;
    for (int i = 0; i < N_METRICS; i++)
        n += metric_in(s, i);
    return n;
}

/* ---- names -------------------------------------------------------------------------------------
 */

static void a_name_a_group_and_all(void **state)
{
    (void)state;
    error e;
    metric_set s = {0};
    assert_true(metric_set_add(&s, "cpu.cores", &e));
    assert_int_equal(count(&s), 1);
    assert_true(metric_in(&s, METRIC_cpu_cores));
    assert_true(metric_set_add(&s, "memory.*", &e));
    assert_int_equal(count(&s), 6);
    assert_false(metric_in(&s, METRIC_disk_database_bytes));
    assert_true(metric_set_add(&s, "*", &e));
    metric_set all = metric_set_all();
    assert_true(metric_set_equal(&s, &all));
    assert_int_equal(count(&s), N_METRICS);
}

static void unknown_names_say_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hint;
    } cases[] = {
        {"cpu.procss_percent", "Did you mean cpu.process_percent?"},
        {"cpu", "Did you mean cpu.*?"},
        {"memory.resident-bytez", "Did you mean memory.resident_bytes?"},
        {"weather", "GET /api/v1/metrics/catalog lists them; GROUP.* is a whole group."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        metric_set s = {0};
        error e;
        error_clear(&e);
        assert_false(metric_set_add(&s, cases[i].name, &e));
        assert_int_equal(e.code, ERR_INVALID_MESSAGE);
        assert_string_equal(e.hint, cases[i].hint);
        assert_int_equal(count(&s), 0);
    }
    static const char *const bad[] = {"", "cpu.", "cpu*", "*.cpu", "cpu.**", "nothing.*", " cpu.*"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        metric_set s = {0};
        error e;
        assert_false(metric_set_add(&s, bad[i], &e));
    }
}

static void choices_from_json(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int count; /* 0: refused */
    } cases[] = {
        {"null", N_METRICS},
        {"[\"*\"]", N_METRICS},
        {"[\"cpu.cores\"]", 1},
        {"[\"cpu.cores\",\"cpu.cores\",\"feed.lag\"]", 2},
        {"[]", 0},
        {"[1]", 0},
        {"[\"cpu.cores\",7]", 0},
        {"[\"cpu.corez\"]", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        metric_set s;
        error e;
        json_t *j = json_read_text(cases[i].json, strlen(cases[i].json), &e);
        bool ok = metric_set_read(&s, j, "payload.metrics", &e);
        json_decref(j);
        assert_int_equal(ok, cases[i].count != 0);
        if (ok)
            assert_int_equal(count(&s), cases[i].count);
        else
            assert_int_equal(e.code, ERR_INVALID_MESSAGE);
    }
    metric_set s;
    error e;
    assert_true(metric_set_read(&s, NULL, "payload.metrics", &e));
    assert_int_equal(count(&s), N_METRICS);
}

static void choices_from_a_list(void **state)
{
    (void)state;
    metric_set s;
    error e;
    assert_true(metric_set_split(&s, "cpu.cores,feed.lag", &e));
    assert_int_equal(count(&s), 2);
    assert_int_equal(metric_set_from(&s), FROM_CPU | FROM_ENGINE);
    assert_true(metric_set_split(&s, "topics.*", &e));
    assert_int_equal(metric_set_from(&s), FROM_TOPICS);
    assert_false(metric_set_split(&s, "", &e));
    assert_false(metric_set_split(&s, "cpu.cores,", &e));
    assert_false(metric_set_split(&s, ",cpu.cores", &e));
}

/* ---- /proc -------------------------------------------------------------------------------------
 */

static void texts_of_proc(void **state)
{
    moments *m = *state;
    figures_parse_stat(&m->now, "cpu  100 5 50 800 20 3 2 1 7 0\ncpu0 100 5 50 800 20 3 2 1 7 0\n");
    assert_int_equal(m->now.all_ticks, 981);
    assert_int_equal(m->now.all_busy, 161);
    figures_parse_status(&m->now, "Name:\trustydb\nVmPeak:\t 9 kB\nVmSize:\t    2048 kB\n"
                                  "VmHWM:\t  300 kB\nVmRSS:\t     200 kB\nThreads:\t9\n");
    assert_int_equal(m->now.resident, 204800);
    assert_int_equal(m->now.peak, 307200);
    assert_int_equal(m->now.virtual_size, 2097152);
    assert_int_equal(m->now.threads, 9);
    figures_parse_meminfo(&m->now, "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\n");
    assert_int_equal(m->now.memory_total, 1024000);
    assert_int_equal(m->now.memory_available, 614400);
    figures_parse_io(&m->now, "rchar: 5\nwchar: 6\nread_bytes: 4096\nwrite_bytes: 8192\n"
                              "cancelled_write_bytes: 1\n");
    assert_int_equal(m->now.io_read, 4096);
    assert_int_equal(m->now.io_written, 8192);
}

static void what_is_not_there_stays_unknown(void **state)
{
    moments *m = *state;
    m->now.all_ticks = m->now.resident = m->now.io_read = FIGURE_UNKNOWN;
    figures_parse_stat(&m->now, "");
    figures_parse_status(&m->now, "VmRSS\n");
    figures_parse_io(&m->now, "xread_bytes: 7\n");
    assert_int_equal(m->now.all_ticks, FIGURE_UNKNOWN);
    assert_int_equal(m->now.resident, FIGURE_UNKNOWN);
    assert_int_equal(m->now.io_read, FIGURE_UNKNOWN);
    assert_int_equal(metric_get(METRIC_memory_resident_bytes, &m->now, &m->was).type, METRIC_NONE);
    assert_int_equal(metric_get(METRIC_disk_read_bytes_per_second, &m->now, &m->was).type,
                     METRIC_NONE);
    assert_int_equal(metric_get(METRIC_cpu_total_percent, &m->now, &m->was).type, METRIC_NONE);
}

/* ---- values ------------------------------------------------------------------------------------
 */

static double real_of(int i, const moments *m)
{
    metric_value v = metric_get(i, &m->now, &m->was);
    assert_int_equal(v.type, METRIC_REAL);
    return v.r;
}

static void values_over_a_period(void **state)
{
    moments *m = *state;
    m->was.user_us = 1000000;
    m->now.user_us = 4000000;
    m->now.system_us = 2000000;
    assert_true(real_of(METRIC_cpu_process_percent, m) == 50.0);
    assert_true(real_of(METRIC_cpu_process_user_percent, m) == 30.0);
    assert_true(real_of(METRIC_cpu_user_seconds, m) == 4.0);
    m->was.net.bytes_out = 100;
    m->now.net.bytes_out = 600;
    assert_true(real_of(METRIC_network_bytes_sent_per_second, m) == 50.0);
    metric_value sent = metric_get(METRIC_network_bytes_sent, &m->now, &m->was);
    assert_int_equal(sent.type, METRIC_INT);
    assert_int_equal(sent.i, 600);
    assert_int_equal(metric_get(METRIC_queries_statements_per_commit, &m->now, &m->was).type,
                     METRIC_NONE);
    m->now.engine.commits = 4;
    m->now.engine.commit_statements = 10;
    assert_true(real_of(METRIC_queries_statements_per_commit, m) == 2.5);
}

static void latencies_are_those_of_the_period(void **state)
{
    moments *m = *state;
    latency *l = xalloc(sizeof *l);
    latency_add(l, 900000);
    latency_collect(&m->was.messages, l);
    latency_collect(&m->now.messages, l);
    assert_int_equal(metric_get(METRIC_latency_message_p50_ms, &m->now, &m->was).type, METRIC_NONE);
    latency_add(l, 1000);
    m->now.messages = (latency_sum){0};
    latency_collect(&m->now.messages, l);
    double ms = real_of(METRIC_latency_message_p99_ms, m);
    assert_true(ms >= 1.0 && ms < 1.07);
    assert_int_equal(metric_get(METRIC_latency_message_count, &m->now, &m->was).i, 2);
    mem_free(l);
}

/* ---- topics ------------------------------------------------------------------------------------
 */

static void topics_of_several_reactors_add_up(void **state)
{
    (void)state;
    topic_list sum = {0}, other = {0};
    topics_add(&sum, "table:b", 1, 10, 100);
    topics_add(&sum, "table:a", 2, 20, 200);
    topics_add(&other, "table:b", 3, 30, 300);
    topics_add(&other, "channel:c", 1, 1, 1);
    topics_merge(&sum, &other);
    assert_int_equal(other.n, 0);
    assert_int_equal(sum.n, 3);
    assert_string_equal(sum.items[0].name, "channel:c");
    assert_string_equal(sum.items[2].name, "table:b");
    assert_int_equal(sum.items[2].subscribers, 4);
    assert_int_equal(sum.items[2].messages, 40);
    assert_int_equal(sum.items[2].bytes, 400);
    topics_free(&sum);
}

static void the_busiest_topics_come_first(void **state)
{
    (void)state;
    topic_list now = {0}, was = {0}, none = {0};
    topic_rate top[TOPICS_TOP];
    char name[16];
    for (int i = 0; i < 3 * TOPICS_TOP; i++) {
        snprintf(name, sizeof name, "t%03d", i);
        topics_add(&was, name, 1, 1000 - i, 0);
        topics_add(&now, name, 1, 1000 - i + 2 * (i % 30), 0);
    }
    topics_add(&was, "zero", 1, 50, 0);
    topics_add(&now, "zero", 1, 44, 0); /* made anew: 44 since */
    topics_add(&now, "new", 1, 100, 7);
    topics_merge(&now, &none);
    topics_merge(&was, &none);
    assert_int_equal(topics_rank(&now, &was, 2000000, top), TOPICS_TOP);
    assert_string_equal(top[0].of->name, "new");
    assert_true(top[0].messages == 50.0 && top[0].bytes == 3.5);
    assert_string_equal(top[1].of->name, "t029");
    assert_true(top[1].messages == 29.0);
    int zero = 0;
    while (strcmp(top[zero].of->name, "zero") != 0)
        zero++;
    assert_true(top[zero].messages == 22.0);
    for (int i = 1; i < TOPICS_TOP; i++)
        assert_true(top[i].messages <= top[i - 1].messages);
    assert_int_equal(topics_rank(&none, &was, 2000000, top), 0);
    topics_free(&now);
    topics_free(&was);
}

static bool fill_topics(topic_list *a)
{
    topic_list b = {0}, copy;
    char name[16];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "t%d", i);
        topics_add(i % 2 ? a : &b, name, 1, i, i);
    }
    topics_merge(a, &b);
    bool copied = topics_copy(&copy, a);
    topics_free(&copy);
    return copied && !a->failed;
}

static void topics_without_memory_say_so(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        topic_list a = {0};
        mem_fail_nth(n);
        bool whole = fill_topics(&a);
        bool hit = mem_fail_nth(0) >= n;
        topics_free(&a);
        assert_int_equal(whole, !hit);
        if (!hit)
            break;
    }
}

/* ---- forms -------------------------------------------------------------------------------------
 */

static void as_json(void **state)
{
    moments *m = *state;
    metric_set s;
    error e;
    buf out = BUF_INIT;
    json_writer w;
    m->now.user_us = 1000000;
    m->now.resident = FIGURE_UNKNOWN;
    m->now.cores = 2;
    topics_add(&m->now.topics, "table:t", 3, 10, 400);
    assert_true(
        metric_set_split(&s, "cpu.cores,cpu.process_percent,memory.resident_bytes,topics.top", &e));
    jw_init(&w, &out);
    metrics_write_json(&w, &s, &m->now, &m->was);
    assert_string_equal(buf_cstr(&out),
                        "{\"cpu.process_percent\":10.0,\"cpu.cores\":2,"
                        "\"memory.resident_bytes\":null,\"topics.top\":[{\"topic\":\"table:t\","
                        "\"subscribers\":3,\"messages\":10,\"bytes\":400,"
                        "\"messages_per_second\":1.0,\"bytes_per_second\":40.0}]}");
    buf_clear(&out);
    jw_init(&w, &out);
    metrics_write_catalog(&w);
    json_t *all = json_read_text(out.data, out.len, &e);
    assert_int_equal(json_array_size(all), N_METRICS);
    json_decref(all);
    buf_free(&out);
}

static void as_prometheus_text(void **state)
{
    moments *m = *state;
    metric_set s;
    error e;
    buf out = BUF_INIT;
    m->now.resident = FIGURE_UNKNOWN;
    m->now.messages.total_us = 1500000;
    m->now.net.bytes_out = 7;
    topics_add(&m->now.topics, "channel:a\"b\\c\nd", 1, 5, 50);
    assert_true(metric_set_split(
        &s, "latency.message_sum_ms,memory.resident_bytes,network.bytes_sent,topics.top", &e));
    metrics_write_prometheus(&out, &s, &m->now, &m->was);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "# TYPE rustydb_network_bytes_sent_total counter\n"
                                 "rustydb_network_bytes_sent_total 7\n"));
    assert_non_null(strstr(text, "\nrustydb_latency_message_sum_seconds_total 1.5\n"));
    assert_non_null(
        strstr(text, "\nrustydb_topic_messages_total{topic=\"channel:a\\\"b\\\\c\\nd\"} 5\n"));
    assert_null(strstr(text, "resident"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_a_group_and_all),
        cmocka_unit_test(unknown_names_say_what_was_meant),
        cmocka_unit_test(choices_from_json),
        cmocka_unit_test(choices_from_a_list),
        cmocka_unit_test_setup_teardown(texts_of_proc, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_stays_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(values_over_a_period, setup, teardown),
        cmocka_unit_test_setup_teardown(latencies_are_those_of_the_period, setup, teardown),
        cmocka_unit_test(topics_of_several_reactors_add_up),
        cmocka_unit_test(the_busiest_topics_come_first),
        cmocka_unit_test(topics_without_memory_say_so),
        cmocka_unit_test_setup_teardown(as_json, setup, teardown),
        cmocka_unit_test_setup_teardown(as_prometheus_text, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
