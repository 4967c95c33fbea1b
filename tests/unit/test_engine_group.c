/* Group commit: many submitters share commits; one that takes the transaction down takes nobody
 * with it; slow ones leave the group; queues have limits. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%s\" does not start with \"%s\"", text, start);
}

/* Holds the writer in an interactive transaction, so that what is submitted waits together. */
static void submit_together(fx *f, run **runs, int n)
{
    const char *tx = fx_begin(f);
    for (int i = 0; i < n; i++)
        run_submit(runs[i]);
    fx_end_tx(f, tx, JOB_TX_ROLLBACK);
    for (int i = 0; i < n; i++)
        run_wait(runs[i]);
}

static void many_share_a_commit(void **state)
{
    fx *f = *state;
    enum { N = 200 };
    run *runs[N];
    char sql[N][64];
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY)");
    for (int i = 0; i < N; i++) {
        snprintf(sql[i], sizeof sql[i], "INSERT INTO t VALUES(%d)", i);
        runs[i] = run_sql(f, sql[i]);
    }
    engine_stats before, after;
    engine_stats_get(f->g, &before);
    submit_together(f, runs, N);
    engine_stats_get(f->g, &after);
    assert_int_equal(after.commit_statements - before.commit_statements, N);
    assert_in_range(after.commits - before.commits, 1, fx_slow() ? N / 2 : N / 16);
    for (int i = 0; i < N; i++) {
        assert_int_equal(runs[i]->err.code, ERR_NONE);
        assert_int_equal(runs[i]->sum[0].lsn, i + 2); /* first come, first served */
        assert_true(runs[i]->held);
        run_free(runs[i]);
    }
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[200]");
}

/* What each does to the group's transaction; the rest must not notice. */
static void culprits_go_alone(void **state)
{
    fx *f = *state;
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b UNIQUE)");
    fx_ok(f, "CREATE TABLE r(a)");
    fx_ok(f, "CREATE TRIGGER tr BEFORE INSERT ON r BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END");
    fx_ok(f, "INSERT INTO t VALUES(0, 0)");
    fx_events(f);
    run *runs[] = {
        run_sql(f, "INSERT INTO t VALUES(1, 1) RETURNING a"),
        run_sql(f, "INSERT INTO t VALUES(0, 5)"),
        run_sql(f, "INSERT OR ROLLBACK INTO t VALUES(2, 0)"),
        run_sql(f, "INSERT INTO t VALUES(3, 3) RETURNING a"),
        run_sql(f, "INSERT INTO r VALUES(1)"),
        run_new(f, JOB_ATOMIC),
        run_new(f, JOB_BATCH),
        run_sql(f, "INSERT INTO t VALUES(6, 6)"),
    };
    run_add(runs[5], "INSERT INTO t VALUES(4, 4)", 0, NULL);
    run_add(runs[5], "INSERT INTO r VALUES(2)", 0, NULL);
    run_add(runs[6], "INSERT INTO t VALUES(5, 5) RETURNING a", 0, NULL);
    run_add(runs[6], "UPDATE OR ROLLBACK t SET b = 0 WHERE a = 5", 0, NULL);
    run_add(runs[6], "INSERT INTO t VALUES(50, 50)", 0, NULL);
    submit_together(f, runs, 8);
    assert_string_equal(buf_cstr(&runs[0]->rows), "[1]\n");
    assert_true(runs[0]->restarts > 0 || fx_slow());
    assert_int_equal(runs[0]->ends, 1);
    assert_int_equal(runs[1]->err.code, ERR_CONFLICT);
    assert_int_equal(runs[2]->err.code, ERR_CONFLICT);
    assert_string_equal(buf_cstr(&runs[3]->rows), "[3]\n");
    starts_with(runs[4]->err.message, "all of it");
    starts_with(runs[5]->err.message, "all of it");
    assert_int_equal(runs[5]->index, 1);
    assert_int_equal(runs[6]->err.code, ERR_NONE);
    assert_int_equal(runs[6]->failed[1].code, ERR_CONFLICT);
    assert_int_equal(runs[6]->ends, 2);
    assert_int_equal(runs[6]->failures, 1);
    assert_string_equal(buf_cstr(&runs[6]->rows), "[5]\n");
    assert_int_equal(runs[7]->err.code, ERR_NONE);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(runs[i]->begins, 1);
        assert_int_equal(runs[i]->dones, 1);
        run_free(runs[i]);
    }
    assert_string_equal(fx_sql(f, "SELECT group_concat(a, ' ') FROM (SELECT a FROM t ORDER BY a)"),
                        "[\"0 1 3 5 6 50\"]");
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM r"), "[0]");
    /* Every row that is there has its event, and no other. */
    const char *events = fx_events(f);
    int n = 0;
    for (const char *at = events; *at; at = strchr(at, '\n') + 1)
        n++;
    assert_int_equal(n, 5);
    assert_non_null(strstr(events, "insert t [50,50]\n"));
}

static void slow_statements_leave_the_group(void **state)
{
    fx *f = *state;
    int n = fx_slow() ? 30000 : 3000000;
    char slow[256], expect[128];
    snprintf(slow, sizeof slow,
             "INSERT INTO t WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE "
             "i < %d) SELECT count(*) FROM n",
             n);
    fx_ok(f, "CREATE TABLE t(a)");
    run *runs[] = {run_sql(f, "INSERT INTO t VALUES('quick')"), run_sql(f, slow)};
    const char *tx = fx_begin(f);
    run_submit(runs[0]);
    run_submit(runs[1]);
    fx_end_tx(f, tx, JOB_TX_ROLLBACK);
    run_wait(runs[0]);
    bool first = !runs[1]->done; /* not held up by the slow one, unless that was quick today */
    run_wait(runs[1]);
    assert_int_equal(runs[0]->err.code, ERR_NONE);
    assert_int_equal(runs[1]->err.code, ERR_NONE);
    assert_true(first || runs[1]->sum[0].elapsed_us < 100000 || fx_slow());
    snprintf(expect, sizeof expect, "1 create t\n2 insert t [\"quick\"]\n3 insert t [%d]\n", n);
    assert_string_equal(fx_log(f), expect);
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), "[2]");
    run_free(runs[0]);
    run_free(runs[1]);
}

static void the_queue_has_an_end(void **state)
{
    (void)state;
    fx f;
    fx_init(&f);
    f.cfg.max_queue = 3;
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a)");
    const char *tx = fx_begin(&f);
    run *runs[4];
    for (int i = 0; i < 4; i++) {
        runs[i] = run_sql(&f, "INSERT INTO t VALUES(1)");
        run_submit(runs[i]);
    }
    run_wait(runs[3]);
    assert_int_equal(runs[3]->err.code, ERR_BUSY);
    run *passed_on = run_sql(&f, "WITH x(a) AS (VALUES(1)) INSERT INTO t SELECT a FROM x");
    run_submit(passed_on);
    run_wait(passed_on);
    assert_int_equal(passed_on->err.code, ERR_BUSY);
    engine_stats st;
    engine_stats_get(f.g, &st);
    assert_int_equal(st.queued_writes, 3);
    assert_int_equal(st.open_transactions, 1);
    engine_cancel(f.g, &runs[1]->job, ERR_CANCELLED);
    run_wait(runs[1]);
    assert_int_equal(runs[1]->err.code, ERR_CANCELLED);
    assert_string_equal(fx_end_tx(&f, tx, JOB_TX_ROLLBACK), "");
    run_wait(runs[0]);
    run_wait(runs[2]);
    assert_string_equal(fx_sql(&f, "SELECT count(*) FROM t"), "[2]");
    for (int i = 0; i < 4; i++)
        run_free(runs[i]);
    run_free(passed_on);
    fx_end(&f);
}

/* ---- many threads, all kinds of work ----------------------------------------------------------
 */

enum { CLIENTS = 8, ROUNDS = 60 };

typedef struct client {
    fx *f;
    pthread_t thread;
    int n, acknowledged;
} client;

static void *work(void *arg)
{
    client *c = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char sql[160];
        run *r = run_new(c->f, JOB_QUERY);
        int id = c->n * ROUNDS + i;
        switch (i % 6) {
        case 0:
            snprintf(sql, sizeof sql, "INSERT OR ROLLBACK INTO t VALUES(%d, %d)", id, c->n);
            break;
        case 1: /* taken already */
            snprintf(sql, sizeof sql, "INSERT OR ROLLBACK INTO t VALUES(%d, %d)", id - 1, c->n);
            break;
        case 2:
            snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE b = %d", c->n);
            break;
        default:
            snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%d, %d)", id, c->n);
        }
        run_add(r, sql, 0, NULL);
        run_submit(r);
        if (i % 7 == 3)
            engine_cancel(c->f->g, &r->job, ERR_CANCELLED);
        run_wait(r);
        if (r->err.code == ERR_NONE && i % 6 != 2)
            c->acknowledged++;
        else if (r->err.code == ERR_NONE && atoi(r->rows.data + 1) != c->acknowledged)
            c->acknowledged = -1000000; /* a client reads what it wrote */
        run_free(r);
    }
    return NULL;
}

static void rows_and_events_agree(void **state)
{
    fx *f = *state;
    client clients[CLIENTS];
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    int total = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (client){.f = f, .n = i};
        pthread_create(&clients[i].thread, NULL, work, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        total += clients[i].acknowledged;
    }
    char expect[64];
    snprintf(expect, sizeof expect, "[%d]", total);
    assert_string_equal(fx_sql(f, "SELECT count(*) FROM t"), expect);
    const char *events = fx_events(f);
    int n = -1; /* the table's own */
    for (const char *at = events; *at; at = strchr(at, '\n') + 1)
        n++;
    assert_int_equal(n, total);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        T(many_share_a_commit),
        T(culprits_go_alone),
        T(slow_statements_leave_the_group),
        cmocka_unit_test(the_queue_has_an_end),
        T(rows_and_events_agree),
    };
    return cmocka_run_group_tests_name("engine group commit", tests, NULL, NULL);
}
