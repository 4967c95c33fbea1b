/* Live queries over an engine that does as it is told: runs that fail, wait or are cancelled, a log
 * that cannot be read, memory that runs out at every single allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/engine_ops.h"
#include "tests/unit/live_listener.h"
#include "tests/unit/sqlite_memory.h"

/* ---- a scripted engine ------------------------------------------------------------------------
 */

enum { MAX_ROWS = 64, MAX_HELD = 16 };

typedef struct held_job {
    job *job;
    int64_t lsn; /* of its snapshot */
    int n;
    value rows[MAX_ROWS][2];
} held_job;

/* One table "t" of rows (id, n); every statement gives all of it, with id as the key. */
static struct script {
    pthread_mutex_t lock; /* guards all of it */
    value rows[MAX_ROWS][2];
    int n;
    int64_t head, schema;
    int failing_looks;
    int failing_runs; /* so many runs fail with `why` */
    error_code why;
    bool hold; /* runs wait for release_one */
    held_job held[MAX_HELD];
    int n_held, runs, cancelled;
    unsigned long fail_nth; /* this allocation after the next look fails */
} script;

static void script_reset(void)
{
    memset(&script, 0, sizeof script);
    pthread_mutex_init(&script.lock, NULL);
}

static void fail_runs(int n, error_code why)
{
    pthread_mutex_lock(&script.lock);
    script.failing_runs = n;
    script.why = why;
    pthread_mutex_unlock(&script.lock);
}

static void give(held_job *h, error_code why)
{
    static const engine_column cols[] = {{"id", "INTEGER"}, {"n", "INTEGER"}};
    job *j = h->job;
    error e;
    j->origin.n_key = 1;
    j->origin.key[0] = 0;
    buf_clear(&j->origin.tables);
    buf_add(&j->origin.tables, "t", 2);
    bool ok = !j->origin.tables.failed && why == ERR_NONE;
    error_set(&e, why == ERR_NONE ? ERR_INTERNAL_ERROR : why, "as told");
    j->sink->ops->begin(j->sink, false);
    ok = ok && j->sink->ops->columns(j->sink, 0, cols, 2) == SINK_OK;
    for (int i = 0; ok && i < h->n; i++)
        ok = j->sink->ops->row(j->sink, h->rows[i], 2) == SINK_OK;
    const engine_summary sum = {.rows = h->n, .lsn = h->lsn};
    if (ok)
        j->sink->ops->end(j->sink, 0, &sum);
    j->sink->ops->done(j->sink, 0, ok ? NULL : &e);
}

static void script_submit(engine *g, job *j)
{
    (void)g;
    pthread_mutex_lock(&script.lock);
    held_job h = {.job = j, .lsn = script.head, .n = script.n};
    memcpy(h.rows, script.rows, sizeof h.rows);
    error_code why = script.failing_runs > 0 ? script.why : ERR_NONE;
    script.failing_runs -= why != ERR_NONE;
    script.runs++;
    bool hold = script.hold;
    if (hold) {
        assert_true(script.n_held < MAX_HELD);
        script.held[script.n_held++] = h;
    }
    pthread_mutex_unlock(&script.lock);
    if (!hold)
        give(&h, why);
}

static bool take_held(const job *j, held_job *h)
{
    bool found = false;
    for (int i = 0; i < script.n_held && !found; i++) {
        if (j && script.held[i].job != j)
            continue;
        *h = script.held[i];
        script.n_held--;
        memmove(script.held + i, script.held + i + 1,
                sizeof *script.held * (size_t)(script.n_held - i));
        found = true;
    }
    return found;
}

/* Lets the oldest run end. False when none waits. */
static bool release_one(void)
{
    held_job h;
    pthread_mutex_lock(&script.lock);
    bool found = take_held(NULL, &h);
    pthread_mutex_unlock(&script.lock);
    if (found)
        give(&h, ERR_NONE);
    return found;
}

static void script_cancel(engine *g, job *j, error_code why)
{
    held_job h;
    (void)g;
    pthread_mutex_lock(&script.lock);
    bool found = take_held(j, &h);
    script.cancelled++;
    pthread_mutex_unlock(&script.lock);
    if (found)
        give(&h, why);
}

static log_reader script_reader;

static log_reader *script_log_open(engine *g, error *e)
{
    (void)g;
    (void)e;
    return &script_reader;
}

static void script_log_close(log_reader *r)
{
    (void)r;
}

static bool script_log_bounds(log_reader *r, log_bounds *out, error *e)
{
    (void)r;
    (void)e;
    pthread_mutex_lock(&script.lock);
    strcpy(out->log_id, "log-1");
    out->oldest = 1;
    out->head = script.head;
    pthread_mutex_unlock(&script.lock);
    return true;
}

static bool script_log_touched(log_reader *r, int64_t after,
                               void (*each)(void *arg, const char *table, int64_t lsn), void *arg,
                               int64_t *head, int64_t *schema, error *e)
{
    (void)r;
    pthread_mutex_lock(&script.lock);
    bool fails = script.failing_looks > 0;
    script.failing_looks -= fails;
    *head = script.head;
    *schema = script.schema;
    if (script.fail_nth)
        mem_fail_nth(script.fail_nth);
    script.fail_nth = 0;
    pthread_mutex_unlock(&script.lock);
    if (fails)
        return error_set(e, ERR_INTERNAL_ERROR, "disk I/O error");
    if (*head > after)
        each(arg, "t", *head);
    return true;
}

static const engine_ops script_ops = {
    .name = "script",
    .submit = script_submit,
    .cancel = script_cancel,
    .log_open = script_log_open,
    .log_close = script_log_close,
    .log_bounds = script_log_bounds,
    .log_touched = script_log_touched,
};
static engine script_engine = {.ops = &script_ops};
static log_reader script_reader = {.ops = &script_ops};

/* Sets the row `id` (n < 0: deletes it) and wakes. */
static void write_row(queries *q, int id, int n)
{
    pthread_mutex_lock(&script.lock);
    int i = 0;
    while (i < script.n && script.rows[i][0].i < id)
        i++;
    bool there = i < script.n && script.rows[i][0].i == id;
    if (n < 0 && there) {
        script.n--;
        memmove(script.rows + i, script.rows + i + 1, sizeof *script.rows * (size_t)(script.n - i));
    } else if (n >= 0 && !there) {
        assert_true(script.n < MAX_ROWS);
        memmove(script.rows + i + 1, script.rows + i, sizeof *script.rows * (size_t)(script.n - i));
        script.n++;
    }
    if (n >= 0) {
        script.rows[i][0] = (value){.type = VALUE_INT, .i = id};
        script.rows[i][1] = (value){.type = VALUE_INT, .i = n};
    }
    script.head++;
    pthread_mutex_unlock(&script.lock);
    queries_wake(q);
}

static const char *present(void)
{
    static char out[2000];
    out[0] = '\0';
    for (int i = 0; i < script.n; i++)
        sprintf(out + strlen(out), "%s[%lld,%lld]", i ? "\n" : "", (long long)script.rows[i][0].i,
                (long long)script.rows[i][1].i);
    return out;
}

/* ---- helpers ----------------------------------------------------------------------------------
 */

static queries *start(void)
{
    const queries_config config = {
        .parallel = 1,
        .forms = payload_forms,
        .n_forms = 2,
        .limits = {.max_queries = 10,
                   .max_rows = 100,
                   .max_result = 1 << 20,
                   .max_memory = 1 << 20,
                   .min_interval_us = 1000},
    };
    error e;
    queries *q = queries_start(&script_engine, &config, &e);
    assert_non_null(q);
    return q;
}

static void finish(watcher *w)
{
    queries_stop(w->q);
    watcher_end(w);
    queries_free(w->q);
    free(w);
}

static watcher *begin(void)
{
    watcher *w = malloc(sizeof *w);
    script_reset();
    watcher_start(w, start());
    return w;
}

static queries_stats stats_of(watcher *w)
{
    queries_stats s;
    queries_stats_get(w->q, &s);
    return s;
}

/* A number of the script while others use it. */
static int told(const int *what)
{
    pthread_mutex_lock(&script.lock);
    int n = *what;
    pthread_mutex_unlock(&script.lock);
    return n;
}

/* Waits for something that no message tells. */
#define until(what)                                                                                \
    do {                                                                                           \
        int64_t limit = clock_mono_us() + VIEW_WAIT_US;                                            \
        while (!(what)) {                                                                          \
            usleep(500);                                                                           \
            if (clock_mono_us() > limit)                                                           \
                fail_msg("waited in vain for %s", #what);                                          \
        }                                                                                          \
    } while (0)

/* ---- runs -------------------------------------------------------------------------------------
 */

static void failures_that_pass_are_waited_for(void **state)
{
    (void)state;
    watcher *w = begin();
    fail_runs(3, ERR_BUSY);
    watcher_subscribe(w, 1, "SELECT 1");
    watcher_until(w, w->views[1].live);
    assert_int_equal(told(&script.runs), 4);
    fail_runs(2, ERR_INTERNAL_ERROR);
    write_row(w->q, 1, 1);
    watcher_until(w, view_is(&w->views[1], "[1,1]"));
    fail_runs(1000, ERR_INTERNAL_ERROR);
    write_row(w->q, 1, 2);
    watcher_until(w, w->views[1].ended);
    assert_int_equal(w->views[1].err.code, ERR_INTERNAL_ERROR);
    finish(w);
}

static void other_failures_end_it(void **state)
{
    (void)state;
    watcher *w = begin();
    for (int i = 1; i < 4; i++)
        watcher_ask(w, (uint64_t)i, &(engine_stmt){.sql = "SELECT 1"}, i % 2, i * 1000000);
    for (int i = 1; i < 4; i++)
        watcher_until(w, w->views[i].live);
    fail_runs(1, ERR_TIMEOUT);
    write_row(w->q, 1, 1);
    watcher_subscribe(w, 4, "SELECT 1"); /* asks for a run, which fails for all of them */
    watcher_until(w, w->views[4].refused);
    for (int i = 1; i < 4; i++) {
        watcher_until(w, w->views[i].ended);
        assert_int_equal(w->views[i].err.code, ERR_TIMEOUT);
    }
    watcher_subscribe(w, 5, "SELECT 1");
    watcher_until(w, w->views[5].live && view_is(&w->views[5], "[1,1]"));
    finish(w);
}

/* Whoever asks after a write gets a result with it, even where a run is under way that is older. */
static void a_result_is_as_new_as_the_question(void **state)
{
    (void)state;
    watcher *w = begin();
    script.hold = true;
    watcher_subscribe(w, 1, "SELECT 1");
    until(told(&script.n_held) == 1);
    write_row(w->q, 1, 1);
    watcher_subscribe(w, 2, "SELECT 1");
    until(stats_of(w).subscriptions == 2);
    release_one();
    watcher_until(w, w->views[1].live);
    assert_true(view_is(&w->views[1], ""));
    assert_false(w->views[2].subscribed);
    until(told(&script.n_held) == 1);
    write_row(w->q, 2, 2); /* too late for this run */
    release_one();
    watcher_until(w, w->views[2].subscribed);
    watcher_until(w, view_is(&w->views[1], "[1,1]") && view_is(&w->views[2], "[1,1]"));
    until(told(&script.n_held) == 1);
    release_one();
    watcher_until(w,
                  view_is(&w->views[1], "[1,1]\n[2,2]") && view_is(&w->views[2], "[1,1]\n[2,2]"));
    assert_int_equal(told(&script.runs), 3);
    finish(w);
}

static void leaving_while_it_runs(void **state)
{
    (void)state;
    watcher *w = begin();
    script.hold = true;
    watcher_subscribe(w, 1, "SELECT 1");
    until(told(&script.n_held) == 1);
    queries_unsubscribe(w->q, w->id, 1);
    until(told(&script.cancelled) == 1);
    until(stats_of(w).queries == 0);
    watcher_subscribe(w, 2, "SELECT 1");
    until(told(&script.n_held) == 1);
    release_one();
    watcher_until(w, w->views[2].live);
    queries_unsubscribe(w->q, w->id, 2);
    until(stats_of(w).queries == 0 && stats_of(w).memory == 0);
    assert_false(w->views[1].subscribed || w->views[1].refused);
    /* Both before the thread sees either. */
    for (uint64_t i = 10; i < 60; i++) {
        watcher_subscribe(w, i, "SELECT 1");
        queries_unsubscribe(w->q, w->id, i);
    }
    until(stats_of(w).subscriptions == 0 && stats_of(w).queries == 0);
    finish(w);
}

static void stopping_while_it_runs(void **state)
{
    (void)state;
    watcher *w = begin();
    script.hold = true;
    watcher_subscribe(w, 1, "SELECT 1");
    watcher_subscribe(w, 2, "SELECT 2"); /* waits in line */
    until(told(&script.n_held) == 1 && stats_of(w).queries == 2);
    finish(w);
    assert_int_equal(script.cancelled, 1);
}

static void a_run_that_is_cancelled_ends_its_query(void **state)
{
    (void)state;
    watcher *w = begin();
    script.hold = true;
    watcher_subscribe(w, 1, "SELECT 1");
    until(told(&script.n_held) == 1);
    pthread_mutex_lock(&script.lock);
    job *running = script.held[0].job;
    pthread_mutex_unlock(&script.lock);
    engine_cancel(&script_engine, running, ERR_CANCELLED);
    watcher_until(w, w->views[1].refused);
    assert_int_equal(w->views[1].err.code, ERR_CANCELLED);
    finish(w);
}

static void a_log_that_cannot_be_read_is_read_later(void **state)
{
    (void)state;
    watcher *w = begin();
    script.failing_looks = 2;
    watcher_subscribe(w, 1, "SELECT 1");
    watcher_until(w, w->views[1].live);
    pthread_mutex_lock(&script.lock);
    script.failing_looks = 4;
    pthread_mutex_unlock(&script.lock);
    write_row(w->q, 3, 3);
    watcher_until(w, view_is(&w->views[1], "[3,3]"));
    assert_int_equal(told(&script.failing_looks), 0);
    finish(w);
}

static void a_schema_that_changes_runs_all(void **state)
{
    (void)state;
    watcher *w = begin();
    watcher_subscribe(w, 1, "SELECT 1");
    watcher_until(w, w->views[1].live);
    pthread_mutex_lock(&script.lock);
    script.schema++;
    pthread_mutex_unlock(&script.lock);
    queries_wake(w->q);
    until(stats_of(w).unchanged == 1);
    finish(w);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

static bool settled(watcher *w, int number)
{
    return w->views[number].live || w->views[number].refused;
}

static void expect_refused_for_memory(const view *v)
{
    if (v->refused)
        assert_int_equal(v->err.code, ERR_INTERNAL_ERROR);
}

/* Everything that happens, one allocation of the thread failing on the way. What is read must be
 * the same each time; only who comes just then may be turned away. */
static void story(unsigned long nth)
{
    watcher *w = begin();
    write_row(w->q, 1, 1);
    watcher_ask(w, 1, &(engine_stmt){.sql = "SELECT 1"}, 0, 1000);
    watcher_ask(w, 2, &(engine_stmt){.sql = "SELECT 1"}, 1, 30000);
    watcher_until(w, w->views[1].live && w->views[2].live);
    pthread_mutex_lock(&script.lock);
    script.fail_nth = nth;
    pthread_mutex_unlock(&script.lock);
    write_row(w->q, 2, 2);
    watcher_until(w, view_is(&w->views[1], "[1,1]\n[2,2]"));
    watcher_ask(w, 3, &(engine_stmt){.sql = "SELECT 1"}, 0, 30000); /* beside */
    watcher_ask(w, 4, &(engine_stmt){.sql = "SELECT 2"}, 0, 0);
    watcher_until(w, w->views[3].subscribed || w->views[3].refused);
    write_row(w->q, 3, 3);
    write_row(w->q, 1, -1);
    watcher_until(w, settled(w, 4));
    for (int i = 1; i <= 4; i++) {
        if (!w->views[i].refused)
            watcher_until(w, view_is(&w->views[i], present())); /* nobody writes */
    }
    queries_unsubscribe(w->q, w->id, 2);
    fail_runs(2, ERR_QUERY_ERROR);
    write_row(w->q, 9, 9);
    for (int i = 1; i <= 4; i++) {
        expect_refused_for_memory(&w->views[i]);
        if (i == 2 || w->views[i].refused)
            continue;
        watcher_until(w, w->views[i].ended);
        if (w->views[i].err.code != ERR_QUERY_ERROR)
            fail_msg("ended with %s", w->views[i].err.message);
    }
    finish(w);
}

static void memory_that_runs_out_loses_and_repeats_nothing(void **state)
{
    (void)state;
    unsigned long step = getenv("RUSTYDB_VALGRIND") ? 11 : 1; /* the same, with fewer samples */
    for (unsigned long nth = 1; nth <= 130; nth += step)
        story(nth);
}

static void subscribing_without_memory_is_refused(void **state)
{
    (void)state;
    watcher *w = begin();
    value one = {.type = VALUE_INT, .i = 1};
    engine_stmt stmt = {.sql = "SELECT ?", .n_params = 1, .params = &one};
    const viewer root = {.user = "root"};
    query_request r = {.listener = w->id, .sub = 1, .stmt = &stmt, .as = &root};
    unsigned long nth = 1;
    assert_true(queries_hash(&stmt, &root, w->views[1].hash));
    for (bool taken = false; !taken; nth++) {
        mem_fail_nth(nth);
        taken = queries_subscribe(w->q, &r);
        mem_fail_nth(0);
    }
    assert_true(nth > 6);
    watcher_until(w, w->views[1].live);
    finish(w);
}

static void starting_without_memory_is_told(void **state)
{
    (void)state;
    error e;
    const queries_config config = {.parallel = 1, .forms = payload_forms, .n_forms = 2};
    script_reset();
    mem_fail_nth(1);
    assert_null(queries_start(&script_engine, &config, &e));
    mem_fail_nth(0);
    assert_int_equal(e.code, ERR_INTERNAL_ERROR);
}

int main(void)
{
    sqlite_memory_is_ours();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_that_pass_are_waited_for),
        cmocka_unit_test(other_failures_end_it),
        cmocka_unit_test(a_result_is_as_new_as_the_question),
        cmocka_unit_test(leaving_while_it_runs),
        cmocka_unit_test(stopping_while_it_runs),
        cmocka_unit_test(a_run_that_is_cancelled_ends_its_query),
        cmocka_unit_test(a_log_that_cannot_be_read_is_read_later),
        cmocka_unit_test(a_schema_that_changes_runs_all),
        cmocka_unit_test(memory_that_runs_out_loses_and_repeats_nothing),
        cmocka_unit_test(subscribing_without_memory_is_refused),
        cmocka_unit_test(starting_without_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
