/* Streaming reads: back-pressure, more readers than threads, cancelling, deadlines. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static const char *const endless =
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
/* Gives no row for ever: only the progress handler can end it. */
static const char *const silent =
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) "
    "SELECT count(*) FROM n";

static void full_sinks_pause_the_query(void **state)
{
    fx *f = *state;
    run *r = run_sql(f, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < "
                        "100) SELECT i FROM n");
    r->full_every = 7;
    run_submit(r);
    for (int i = 1; i <= 14; i++) {
        run_wait_parked(r, i);
        pthread_mutex_lock(&r->lock);
        assert_int_equal(r->n_rows, 7 * i);
        assert_false(r->done);
        pthread_mutex_unlock(&r->lock);
        engine_resume(f->g, &r->job);
    }
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    assert_int_equal(r->sum[0].rows, 100);
    assert_int_equal(r->begins, 1);
    assert_int_equal(r->ends, 1);
    run_free(r);
}

static int64_t active_jobs(fx *f)
{
    engine_stats st;
    engine_stats_get(f->g, &st);
    return st.active;
}

/* Paused queries hold connections but no threads; when all connections are taken, others wait. */
static void more_queries_than_threads(void **state)
{
    fx *f = *state;
    run *parked[4];
    for (int i = 0; i < 4; i++) {
        parked[i] = run_sql(f, endless);
        parked[i]->full_every = 5;
        run_submit(parked[i]);
    }
    for (int i = 0; i < 4; i++)
        run_wait_parked(parked[i], 1);
    run *late[3];
    for (int i = 0; i < 3; i++) {
        late[i] = run_sql(f, "SELECT 'late'");
        run_submit(late[i]);
    }
    engine_stats st;
    engine_stats_get(f->g, &st);
    assert_int_equal(st.active, 7);
    engine_cancel(f->g, &late[1]->job, ERR_CANCELLED); /* while it waits for a connection */
    run_wait(late[1]);
    assert_int_equal(late[1]->err.code, ERR_CANCELLED);
    assert_false(late[0]->done);
    engine_cancel(f->g, &parked[2]->job, ERR_CANCELLED); /* while it is paused */
    run_wait(parked[2]);
    assert_int_equal(parked[2]->err.code, ERR_CANCELLED);
    run_wait(late[0]);
    run_wait(late[2]);
    assert_string_equal(buf_cstr(&late[2]->rows), "[\"late\"]\n");
    for (int i = 0; i < 4; i++) {
        engine_cancel(f->g, &parked[i]->job, ERR_CANCELLED);
        run_wait(parked[i]);
        assert_int_equal(parked[i]->dones, 1);
        run_free(parked[i]);
    }
    for (int i = 0; i < 3; i++)
        run_free(late[i]);
    assert_string_equal(fx_sql(f, "SELECT 1"), "[1]");
    fx_until(active_jobs(f) == 0);
    engine_stats_get(f->g, &st);
    assert_int_equal(st.queued_reads, 0);
}

static void long_queries_share_threads(void **state)
{
    fx *f = *state;
    run *slow[3];
    for (int i = 0; i < 3; i++) { /* more than threads, each busy giving rows */
        slow[i] = run_sql(f, endless);
        slow[i]->job.timeout_us = 20000000;
        run_submit(slow[i]);
    }
    assert_string_equal(fx_sql(f, "SELECT 'me too'"), "[\"me too\"]");
    for (int i = 0; i < 3; i++) {
        engine_cancel(f->g, &slow[i]->job, ERR_CANCELLED);
        run_wait(slow[i]);
        assert_int_equal(slow[i]->err.code, ERR_CANCELLED);
        run_free(slow[i]);
    }
}

static void time_limits_hold(void **state)
{
    fx *f = *state;
    static const char *const writing =
        "INSERT INTO t WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT "
        "count(*) FROM n";
    fx_ok(f, "CREATE TABLE t(a)");
    const char *const all[] = {silent, endless, writing};
    for (int i = 0; i < 3; i++) {
        run *r = run_sql(f, all[i]);
        r->job.timeout_us = 100000;
        if (i == 1)
            r->full_every = 3; /* paused when its time is up */
        int64_t began = clock_mono_us();
        run_submit(r);
        run_wait(r);
        assert_int_equal(r->err.code, ERR_TIMEOUT);
        assert_in_range(clock_mono_us() - began, 100000, 5000000);
        run_free(r);
    }
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[0]");
    assert_string_equal(fx_events(f), "create t\n");
}

static void running_statements_are_cancelled(void **state)
{
    fx *f = *state;
    run *r = run_sql(f, silent);
    snprintf(r->job.id, sizeof r->job.id, "q");
    run_submit(r);
    assert_true(engine_cancel_id(f->g, "q", ERR_CANCELLED));
    run_wait(r);
    assert_int_equal(r->err.code, ERR_CANCELLED);
    run_free(r);
    r = run_sql(f, "SELECT 1");
    engine_cancel(f->g, &r->job, ERR_CANCELLED); /* not submitted: nothing happens */
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_NONE);
    engine_cancel(f->g, &r->job, ERR_CANCELLED); /* done already */
    engine_resume(f->g, &r->job);
    run_free(r);
}

static void listeners_may_go_away(void **state)
{
    fx *f = *state;
    run *r = run_sql(f, endless);
    r->gone_at = 10;
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_CANCELLED);
    run_free(r);
    fx_ok(f, "CREATE TABLE t(a)");
    r = run_sql(f, "INSERT INTO t VALUES(1), (2), (3) RETURNING a");
    r->big_at = 2;
    run_submit(r);
    run_wait(r);
    assert_int_equal(r->err.code, ERR_MESSAGE_TOO_BIG);
    run_free(r);
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[0]");
}

/* A read sees what was committed when it began, and says up to which lsn that is. */
static void reads_are_snapshots(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a)");
    fx_ok(f, "INSERT INTO t VALUES(1), (2), (3)");
    run *r = run_sql(f, "SELECT a FROM t");
    r->full_every = 1;
    run_submit(r);
    run_wait_parked(r, 1);
    fx_ok(f, "DELETE FROM t");
    r->full_every = 0;
    engine_resume(f->g, &r->job);
    run_wait(r);
    assert_string_equal(buf_cstr(&r->rows), "[1]\n[2]\n[3]\n");
    assert_int_equal(r->sum[0].lsn, 4);
    run_free(r);
    r = run_new(f, JOB_ATOMIC);
    r->job.readonly = true;
    run_add(r, "SELECT count(*) FROM t", 0, NULL);
    run_add(r, "VALUES(1), (2)", 0, NULL);
    run_add(r, "SELECT count(*) FROM t", 0, NULL);
    r->full_every = 2;
    run_submit(r);
    run_wait_parked(r, 1);
    fx_ok(f, "INSERT INTO t VALUES(1)");
    r->full_every = 0;
    engine_resume(f->g, &r->job);
    run_wait(r);
    assert_string_equal(buf_cstr(&r->rows), "[0]\n[1]\n[2]\n[0]\n");
    assert_int_equal(r->sum[2].lsn, 7);
    run_free(r);
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[1]");
}

static void closing_ends_everything(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    fx_open(&f);
    run *paused = run_sql(&f, endless);
    paused->full_every = 2;
    run_submit(paused);
    run_wait_parked(paused, 1);
    run *busy = run_sql(&f, silent);
    run_submit(busy);
    fx_begin(&f);
    run *waiting = run_sql(&f, "CREATE TABLE t(a)");
    run_submit(waiting);
    engine_close(f.g, 50000);
    f.g = NULL;
    assert_true(paused->done && busy->done && waiting->done);
    assert_int_equal(paused->err.code, ERR_SHUTTING_DOWN);
    assert_int_equal(busy->err.code, ERR_SHUTTING_DOWN);
    assert_int_equal(waiting->err.code, ERR_NONE); /* the transaction made way for it */
    run_free(paused);
    run_free(busy);
    run_free(waiting);
    fx_open(&f);
    assert_string_equal(fx_sql(&f, "SELECT name FROM pragma_table_list('t')"), "[\"t\"]");
    char path[128];
    fx_close(&f);
    snprintf(path, sizeof path, "%s/rustydb.db-wal", f.dir);
    assert_int_not_equal(access(path, F_OK), 0);
    fx_end(&f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(full_sinks_pause_the_query),
        T(more_queries_than_threads),
        T(long_queries_share_threads),
        T(time_limits_hold),
        T(running_statements_are_cancelled),
        T(listeners_may_go_away),
        T(reads_are_snapshots),
        cmocka_unit_test(closing_ends_everything),
    };
    return cmocka_run_group_tests_name("engine streaming", tests, NULL, NULL);
}
