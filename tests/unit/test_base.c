/* The base library: buffers, lists, the hash table, mailboxes, tasks, errors. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/task.h"

static void test_buf(void **state)
{
    (void)state;
    buf b = BUF_INIT;
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "%d,", i);
    assert_int_equal(b.len, 3890);
    buf_consume(&b, 2);
    assert_memory_equal(b.data, "1,2,", 4);
    buf_addf(&b, "%0500d", 7); /* longer than the buffer of the short path */
    assert_int_equal(b.len, 3888 + 500);
    buf_free(&b);
    buf limited = {.limit = 4};
    buf_adds(&limited, "abcd");
    assert_false(limited.failed);
    assert_string_equal(buf_cstr(&limited), "abcd");
    buf_addc(&limited, 'e');
    assert_true(limited.failed);
    assert_int_equal(limited.len, 4);
    buf_free(&limited);
}

static void test_map(void **state)
{
    (void)state;
    map m = {0};
    char key[16];
    static int values[5000];
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        assert_true(map_put(&m, key, (size_t)n, &values[i], NULL));
    }
    for (int i = 0; i < 5000; i += 2) {
        int n = snprintf(key, sizeof key, "k%d", i);
        assert_ptr_equal(map_take(&m, key, (size_t)n), &values[i]);
    }
    for (int i = 0; i < 5000; i++) {
        int n = snprintf(key, sizeof key, "k%d", i);
        assert_ptr_equal(map_get(&m, key, (size_t)n), i % 2 ? &values[i] : NULL);
    }
    size_t at = 0, found = 0;
    while (map_next(&m, &at))
        found++;
    assert_int_equal(found, 2500);
    void *old;
    assert_true(map_put(&m, "k1", 2, &values[0], &old));
    assert_ptr_equal(old, &values[1]);
    map_free(&m);
    for (unsigned long n = 1; n < 6; n++) {
        mem_fail_nth(n);
        bool kept = map_put(&m, "x", 1, values, NULL);
        mem_fail_nth(0);
        assert_int_equal(map_get(&m, "x", 1) != NULL, kept);
    }
    map_free(&m);
}

static void test_arena(void **state)
{
    (void)state;
    arena a = ARENA_INIT;
    for (size_t n = 1; n < 20000; n = n * 3 / 2 + 1) {
        unsigned char *p = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, n);
    }
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    arena_free(&a);
}

typedef struct letter {
    list link;
    int from, number;
} letter;

static mailbox box;

static void *post_many(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        letter *l = xalloc(sizeof *l);
        l->from = *(int *)arg;
        l->number = i;
        mailbox_post(&box, &l->link);
    }
    return NULL;
}

static void test_mailbox_keeps_order(void **state)
{
    (void)state;
    pthread_t threads[3];
    int ids[3] = {0, 1, 2}, next[3] = {0}, total = 0;
    mailbox_init(&box, NULL, NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, post_many, &ids[i]);
    while (total < 6000) {
        list mail;
        list_init(&mail);
        assert_true(mailbox_wait(&box, &mail, 10000000));
        for (list *it; (it = list_pop(&mail)) != NULL;) {
            letter *l = list_entry(it, letter, link);
            assert_int_equal(l->number, next[l->from]++);
            mem_free(l);
            total++;
        }
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    list mail;
    list_init(&mail);
    assert_true(mailbox_wait(&box, &mail, 1000)); /* nothing came, but it is open */
    assert_true(list_empty(&mail));
    mailbox_close(&box);
    assert_false(mailbox_wait(&box, &mail, -1));
    mailbox_destroy(&box);
}

typedef struct counter {
    task t;
    atomic_int wakes, seen, inside;
} counter;

static task_result count(task *t)
{
    counter *c = list_entry(t, counter, t);
    assert_int_equal(atomic_fetch_add(&c->inside, 1), 0); /* never on two threads */
    int wakes = atomic_load(&c->wakes);
    atomic_store(&c->seen, wakes);
    atomic_fetch_sub(&c->inside, 1);
    return wakes == 10000 ? TASK_DONE : TASK_WAIT;
}

static void test_no_wake_is_lost(void **state)
{
    (void)state;
    task_pool pool;
    counter c = {0};
    assert_true(task_pool_start(&pool, 3, "test"));
    task_init(&c.t, count);
    for (int i = 0; i < 10000; i++) {
        atomic_fetch_add(&c.wakes, 1);
        task_wake(&pool, &c.t);
    }
    task_pool_stop(&pool);
    assert_int_equal(atomic_load(&c.seen), 10000);
}

static task_result once_more(task *t)
{
    counter *c = list_entry(t, counter, t);
    return atomic_fetch_add(&c->seen, 1) + 1 < 300 ? TASK_AGAIN : TASK_DONE;
}

static void test_resizing_loses_no_task(void **state)
{
    (void)state;
    task_pool pool;
    task_pool_stats s;
    counter c[50] = {0};
    assert_true(task_pool_start(&pool, 2, "test"));
    for (int i = 0; i < 50; i++) {
        task_init(&c[i].t, once_more);
        task_wake(&pool, &c[i].t);
        assert_true(task_pool_resize(&pool, 1 + i * 7 % 5));
    }
    assert_true(task_pool_resize(&pool, 3));
    task_pool_look(&pool, &s);
    assert_int_equal(s.wanted, 3);
    assert_true(s.threads >= 3);
    task_pool_stop(&pool);
    for (int i = 0; i < 50; i++)
        assert_int_equal(atomic_load(&c[i].seen), 300);
}

static void test_errors(void **state)
{
    (void)state;
    error e;
    char longer[600];
    assert_false(error_set(&e, ERR_GAP, "%d is gone", 5));
    assert_int_equal(e.position, -1);
    assert_string_equal(error_describe(e.code)->name, "GAP");
    assert_int_equal(error_by_name("GAP"), ERR_GAP);
    assert_int_equal(error_by_name("gap"), ERR_NONE);
    for (int i = 1; i < ERR_COUNT; i++) {
        const error_info *info = error_describe((error_code)i);
        assert_true(info->http_status >= 400 && info->http_status < 600);
        assert_true(info->rpc_code < 0);
        assert_true(info->exit_code > 0);
        for (int k = 1; k < i; k++)
            assert_int_not_equal(info->rpc_code, error_describe((error_code)k)->rpc_code);
    }
    /* A message is never cut inside a character. */
    for (int shift = 0; shift < 4; shift++) {
        memset(longer, 'x', sizeof longer);
        for (size_t i = (size_t)shift; i + 4 < sizeof longer; i += 4)
            memcpy(longer + i, "\xF0\x9F\x98\x80", 4);
        longer[sizeof longer - 1] = '\0';
        error_set(&e, ERR_CONFLICT, "%s", longer);
        size_t n = strlen(e.message);
        assert_true(n > 470);
        assert_memory_equal(e.message, longer, n);
        assert_true(n % 4 == (size_t)shift);
    }
}

static void test_clock(void **state)
{
    (void)state;
    char text[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(1767323045678901, text);
    assert_string_equal(text, "2026-01-02T03:04:05.678901Z");
    clock_rfc3339(1767323045000007, text);
    assert_string_equal(text, "2026-01-02T03:04:05.000007Z");
    assert_true(clock_mono_us() <= clock_mono_us());
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"2026-01-02T03:04:05.678901Z", 1767323045678901},
                {"2026-01-02T03:04:05Z", 1767323045000000},
                {"2026-01-02t05:04:05.5+02:00", 1767323045500000},
                {"2026-01-01 22:34:05.0000009-04:30", 1767323045000000},
                {"1969-12-31T23:59:59Z", -1000000}};
    static const char *const bad[] = {"",
                                      "2026-01-02",
                                      "2026-01-02T03:04:05",
                                      "2026-02-30T03:04:05Z",
                                      "2026-13-01T03:04:05Z",
                                      "2026-01-02T24:04:05Z",
                                      "2026-01-02T03:60:05Z",
                                      "2026-01-02T03:04:05Zx",
                                      "2026-01-02T03:04:05+2:00",
                                      "2026-01-02T03:04:05+24:00"};
    int64_t us;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(clock_parse_rfc3339(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(clock_parse_rfc3339(bad[i], &us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_mailbox_keeps_order),
        cmocka_unit_test(test_no_wake_is_lost),
        cmocka_unit_test(test_resizing_loses_no_task),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
