/* No memory, failing disks, lost power: each allocation and each write in turn goes wrong, and what
 * was acknowledged is there, with its events, and nothing half done is. */
#include <malloc.h>
#include <stdatomic.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine_fixture.h"
#include "vfs_shim.h"

/* ---- allocations of SQLite that fail ----------------------------------------------------------
 */

static atomic_long sql_calls, sql_fail_n;
static atomic_int sql_failed;

static bool sql_must_fail(void)
{
    long n = atomic_fetch_add(&sql_calls, 1) + 1;
    if (n != atomic_load(&sql_fail_n))
        return false;
    atomic_store(&sql_failed, 1);
    return true;
}

static void *sql_malloc(int n)
{
    return sql_must_fail() ? NULL : malloc((size_t)n);
}

static void *sql_realloc(void *p, int n)
{
    return sql_must_fail() ? NULL : realloc(p, (size_t)n);
}

static int sql_size(void *p)
{
    return p ? (int)malloc_usable_size(p) : 0;
}

static int sql_roundup(int n)
{
    return (n + 7) & ~7;
}

static int sql_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void sql_shutdown(void *arg)
{
    (void)arg;
}

static void sql_fail_at(long n)
{
    atomic_store(&sql_calls, 0);
    atomic_store(&sql_failed, 0);
    atomic_store(&sql_fail_n, n);
}

/* ---- one round of work ------------------------------------------------------------------------
 */

enum { OPS = 14 };

/* What each piece of work makes true when it is acknowledged, and leaves untrue when it fails. */
static const struct {
    job_kind kind;
    const char *sql[3];
    const char *proof; /* gives 1 when it was done */
} ops[OPS] = {
    {JOB_QUERY,
     {"CREATE TABLE t(a INTEGER PRIMARY KEY, b, c REAL)"},
     "SELECT count(*) FROM sqlite_schema WHERE name = 't'"},
    {JOB_QUERY,
     {"CREATE INDEX ti ON t(b)"},
     "SELECT count(*) FROM sqlite_schema WHERE name = 'ti'"},
    {JOB_QUERY,
     {"INSERT INTO t VALUES(1, 'one', 1), (2, 'two', 2)"},
     "SELECT count(*) = 2 FROM t WHERE a IN (1, 2)"},
    {JOB_QUERY,
     {"INSERT INTO t VALUES(3, 'three', 3) RETURNING a"},
     "SELECT count(*) FROM t WHERE a = 3"},
    {JOB_ATOMIC,
     {"INSERT INTO t VALUES(4, 'four', 4)", "SAVEPOINT s", "INSERT INTO t VALUES(5, 'five', 5)"},
     "SELECT count(*) = 2 FROM t WHERE a IN (4, 5)"},
    {JOB_QUERY,
     {"UPDATE t SET c = c + 100 WHERE a = 3"},
     "SELECT count(*) FROM t WHERE a = 3 AND c = 103"},
    {JOB_QUERY, {"DELETE FROM t WHERE a = 2"}, "SELECT count(*) = 0 FROM t WHERE a = 2"},
    {JOB_QUERY, {"SELECT b, count(*) FROM t GROUP BY b ORDER BY 2 DESC"}, NULL},
    {JOB_QUERY, {"REPLACE INTO t VALUES(1, 'uno', 1)"}, "SELECT b = 'uno' FROM t WHERE a = 1"},
    {JOB_QUERY,
     {"CREATE TABLE u AS SELECT a, b FROM t"},
     "SELECT count(*) FROM sqlite_schema WHERE name = 'u'"},
    {JOB_QUERY,
     {"ALTER TABLE t ADD COLUMN d DEFAULT 'dd'"},
     "SELECT count(*) FROM pragma_table_info('t') WHERE name = 'd'"},
    {JOB_BATCH,
     {"INSERT INTO t(a, b) VALUES(20, 'x')", "INSERT INTO t(a, b) VALUES(21, 'y')"},
     NULL},
    {JOB_QUERY,
     {"ALTER TABLE t RENAME TO t2"},
     "SELECT count(*) FROM sqlite_schema WHERE name = 't2'"},
    {JOB_QUERY,
     {"INSERT INTO t2(a, b) VALUES(30, hex(zeroblob(9000)))"},
     "SELECT count(*) FROM t2 WHERE a = 30"},
};

static bool fault_code(error_code c)
{
    return c == ERR_INTERNAL_ERROR || c == ERR_DISK_FULL;
}

static run *start(fx *f, int i)
{
    run *r = run_new(f, ops[i].kind);
    for (int k = 0; k < 3 && ops[i].sql[k]; k++)
        run_add(r, ops[i].sql[k], 0, NULL);
    run_submit(r);
    run_wait(r);
    return r;
}

/* Runs everything; done[i] says which pieces were acknowledged. A failure must be one of the
 * fault's own, or follow from an earlier one. */
static void work(fx *f, bool *done)
{
    bool clean = true;
    for (int i = 0; i < OPS; i++) {
        run *r = start(f, i);
        done[i] = r->err.code == ERR_NONE && r->failures == 0;
        assert_int_equal(r->dones, 1);
        if (!done[i] && clean && r->err.code != ERR_NONE && !fault_code(r->err.code))
            fail_msg("%s: %s", ops[i].sql[0], r->err.message);
        clean &= done[i];
        run_free(r);
    }
}

/* Replays the log into a database of its own, by hand. */
typedef struct model {
    sqlite3 *db;
    int64_t last;
} model;

static void model_exec(model *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *sql = sqlite3_vmprintf(fmt, ap);
    va_end(ap);
    char *why = NULL;
    if (sqlite3_exec(m->db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_free(sql);
}

static void model_row(model *m, const char *table, const value *row, int n, bool add)
{
    buf b = BUF_INIT;
    json_writer w;
    jw_init(&w, &b);
    jw_begin_array(&w);
    for (int i = 0; i < n; i++)
        value_write_json(&w, &row[i]);
    jw_end_array(&w);
    if (add) {
        model_exec(m, "INSERT INTO rows VALUES(%Q, %Q)", table, buf_cstr(&b));
    } else {
        model_exec(m, "DELETE FROM rows WHERE tbl = %Q AND row = %Q", table, buf_cstr(&b));
        assert_int_equal(sqlite3_changes(m->db), 1);
    }
    buf_free(&b);
}

static bool model_apply(void *arg, const log_record *rec)
{
    model *m = arg;
    assert_int_equal(rec->lsn, m->last + 1);
    m->last = rec->lsn;
    const char *table = rec->shape->table;
    if (rec->op == OP_RENAME)
        model_exec(m, "UPDATE rows SET tbl = %Q WHERE tbl = %Q", rec->other, table);
    if (rec->op == OP_DROP)
        model_exec(m, "DELETE FROM rows WHERE tbl = %Q", table);
    if (rec->op == OP_ALTER) /* a column with a default came: see ops */
        model_exec(m,
                   "UPDATE rows SET row = substr(row, 1, length(row) - 1) || ',\"dd\"]'"
                   " WHERE tbl = %Q",
                   table);
    if (rec->old_row)
        model_row(m, table, rec->old_row, rec->shape->n_columns, false);
    if (rec->row)
        model_row(m, table, rec->row, rec->shape->n_columns, true);
    return true;
}

static const char *rows_by_log(fx *f)
{
    model m = {0};
    error e;
    sqlite3_stmt *q;
    buf out = BUF_INIT;
    sqlite3_open(":memory:", &m.db);
    model_exec(&m, "CREATE TABLE rows(tbl, row)");
    log_reader *r = engine_log_open(f->g, &e);
    assert_non_null(r);
    int n;
    while ((n = engine_log_read(r, m.last, 100, model_apply, &m, &e)) > 0)
        ;
    if (n < 0)
        fail_msg("%s", e.message);
    engine_log_close(r);
    sqlite3_prepare_v2(m.db, "SELECT tbl || row FROM rows ORDER BY tbl, row", -1, &q, NULL);
    while (sqlite3_step(q) == SQLITE_ROW)
        buf_addf(&out, "%s\n", (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    sqlite3_close(m.db);
    char *text = strdup(buf_cstr(&out));
    buf_free(&out);
    return fx_keep(f, text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *rows_by_tables(fx *f)
{
    char *lines[200];
    int n = 0;
    buf out = BUF_INIT;
    static const char *const tables[] = {"t", "t2", "u"};
    for (int i = 0; i < 3; i++) {
        if (!*fx_sqlf(f, "SELECT 1 FROM sqlite_schema WHERE name = '%s'", tables[i]))
            continue;
        run *r = run_new(f, JOB_QUERY);
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT * FROM %s", tables[i]);
        run_add(r, sql, 0, NULL);
        run_submit(r);
        run_wait(r);
        assert_int_equal(r->err.code, ERR_NONE);
        const char *at = buf_cstr(&r->rows);
        for (const char *end; (end = strchr(at, '\n')); at = end + 1) {
            size_t len = strlen(tables[i]) + (size_t)(end - at) + 1;
            assert_true(n < 200);
            lines[n] = malloc(len);
            snprintf(lines[n++], len, "%s%s", tables[i], at);
        }
        run_free(r);
    }
    qsort(lines, (size_t)n, sizeof *lines, by_text);
    for (int i = 0; i < n; i++) {
        buf_addf(&out, "%s\n", lines[i]);
        free(lines[i]);
    }
    char *text = strdup(buf_cstr(&out));
    buf_free(&out);
    return fx_keep(f, text);
}

/* What must hold after whatever happened. */
static void check_all(fx *f, const bool *done)
{
    for (int i = 0; i < OPS; i++) {
        /* Later work may have changed or renamed what this one made. */
        if (!ops[i].proof || done[10] || done[12] || (i == 2 && done[6]) || (i == 5 && !done[3]))
            continue;
        const char *is = fx_sql(f, ops[i].proof);
        if (done[i] && strcmp(is, "[1]") != 0)
            fail_msg("acknowledged, but not there (%s): %s", is, ops[i].sql[0]);
        if (!done[i] && i != 6 && strcmp(is, "[1]") == 0)
            fail_msg("failed, but there: %s", ops[i].sql[0]);
    }
    const char *table = fx_sql(f, "SELECT name FROM sqlite_schema WHERE name IN ('t', 't2')");
    if (done[12])
        assert_string_equal(table, "[\"t2\"]");
    assert_string_equal(fx_sql(f, "PRAGMA integrity_check"), "[\"ok\"]");
    const char *tables = rows_by_tables(f);
    assert_string_equal(rows_by_log(f), tables);
}

static long stride(long n)
{
    return fx_slow() ? 1 + n / 4 : 1 + n / 40;
}

/* ---- the loops --------------------------------------------------------------------------------
 */

static void shim_setup(fx *f)
{
    shim_reset();
    fx_init(f);
    f->cfg.vfs = "shim";
}

/* The loops over allocations use the shim too: its syncs cost nothing. */
static void no_memory_in_sqlite(void **state)
{
    (void)state;
    bool done[OPS];
    long n = 1;
    for (bool hit = true; hit; n += stride(n)) {
        fx f;
        shim_setup(&f);
        fx_open(&f);
        sql_fail_at(n);
        work(&f, done);
        hit = atomic_load(&sql_failed);
        sql_fail_at(0);
        check_all(&f, done);
        fx_close(&f);
        fx_open(&f); /* and what a new start finds is the same */
        check_all(&f, done);
        fx_end(&f);
    }
    assert_true(n > 500);
}

static void no_memory_while_opening(void **state)
{
    (void)state;
    for (long n = 1;; n += stride(n)) {
        fx f;
        error e;
        error_clear(&e);
        shim_setup(&f);
        sql_fail_at(n);
        f.g = engine_open(&f.cfg, &e);
        bool hit = atomic_load(&sql_failed);
        sql_fail_at(0);
        if (!f.g) {
            assert_true(hit);
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
            fx_open(&f);
        }
        fx_ok(&f, "CREATE TABLE t(a)");
        assert_string_equal(fx_log(&f), "1 create t\n");
        fx_end(&f);
        if (!hit)
            break;
    }
    for (unsigned long n = 1;; n++) {
        fx f;
        error e;
        error_clear(&e);
        shim_setup(&f);
        mem_fail_nth(n);
        f.g = engine_open(&f.cfg, &e);
        bool hit = mem_fail_nth(0) >= n;
        if (!f.g) {
            assert_true(hit);
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
            fx_open(&f);
        }
        fx_end(&f);
        if (!hit)
            break;
    }
}

/* Our own allocations on the engine's threads: armed from the sink's begin. */
static _Thread_local bool armed;
static atomic_ulong own_fail_n;
static atomic_int own_hit;
static job_sink_ops arming;
static const job_sink_ops *plain;

static void arm_begin(job_sink *s, bool held)
{
    plain->begin(s, held);
    mem_fail_nth(atomic_load(&own_fail_n));
    armed = true;
}

static void arm_done(job_sink *s, int index, const error *e)
{
    unsigned long n = atomic_load(&own_fail_n);
    if (armed && n && mem_fail_nth(0) >= n)
        atomic_store(&own_hit, 1);
    armed = false;
    plain->done(s, index, e);
}

static void no_memory_of_our_own(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "INSERT INTO t VALUES(1, 'a'), (2, 'b'), (3, zeroblob(5000)) RETURNING *",
        "UPDATE t SET b = b || 'x' WHERE a < 3",
        "ALTER TABLE t ADD COLUMN c DEFAULT 5",
        "CREATE TABLE v AS SELECT * FROM t",
        "SELECT * FROM t JOIN (SELECT 1 AS q, 2, 3, 4, 5, 6, 7, 8, 9, 10)",
        "DELETE FROM t",
        "DROP TABLE v",
    };
    for (unsigned long n = 1;; n++) {
        fx f;
        shim_setup(&f);
        fx_open(&f);
        fx_ok(&f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
        atomic_store(&own_fail_n, n);
        atomic_store(&own_hit, 0);
        for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
            run *r = run_sql(&f, sql[i]);
            plain = r->sink.ops;
            arming = *plain;
            arming.begin = arm_begin;
            arming.done = arm_done;
            r->sink.ops = &arming;
            run_submit(r);
            run_wait(r);
            if (r->err.code != ERR_NONE && r->err.code != ERR_INTERNAL_ERROR &&
                r->err.code != ERR_TABLE_NOT_FOUND)
                fail_msg("%s: %s", sql[i], r->err.message);
            run_free(r);
        }
        assert_string_equal(fx_sql(&f, "PRAGMA integrity_check"), "[\"ok\"]");
        fx_ok(&f, "INSERT INTO t(a) VALUES(99)");
        assert_non_null(strstr(fx_events(&f), "insert t [99,null"));
        fx_end(&f);
        if (!atomic_load(&own_hit))
            break;
    }
}

static bool count_record(void *arg, const log_record *rec)
{
    assert_non_null(rec->shape);
    ++*(int *)arg;
    return true;
}

/* Everything a log reader does; false when some call failed, which must be for lack of memory. */
static bool read_log(fx *f, int *n)
{
    error e;
    log_bounds b;
    bool ok = false;
    *n = 0;
    error_clear(&e);
    log_reader *r = engine_log_open(f->g, &e);
    if (r && engine_log_bounds(r, &b, &e)) {
        assert_int_equal(b.head, 5);
        int given = engine_log_read(r, 0, 100, count_record, n, &e);
        assert_true(given == -1 || given == 5);
        ok = given == 5 && engine_log_table(r, "t2", &e) != NULL;
    }
    engine_log_close(r);
    if (!ok)
        assert_int_equal(e.code, ERR_INTERNAL_ERROR);
    return ok;
}

static void no_memory_for_log_readers(void **state)
{
    (void)state;
    fx f;
    int n;
    shim_setup(&f);
    fx_open(&f);
    fx_ok(&f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    fx_ok(&f, "INSERT INTO t VALUES(1, 'x'), (2, zeroblob(10000))");
    fx_ok(&f, "ALTER TABLE t RENAME TO t2");
    fx_ok(&f, "DELETE FROM t2 WHERE a = 1");
    for (long i = 1, hit = 1; hit; i += stride(i)) {
        sql_fail_at(i);
        bool ok = read_log(&f, &n);
        hit = atomic_load(&sql_failed);
        sql_fail_at(0);
        assert_true(ok || hit);
        if (ok)
            assert_int_equal(n, 5);
    }
    for (unsigned long i = 1, hit = 1; hit; i++) {
        mem_fail_nth(i);
        bool ok = read_log(&f, &n);
        hit = mem_fail_nth(0) >= i;
        assert_true(ok || hit);
    }
    fx_end(&f);
}

static void disks_that_fail(void **state)
{
    (void)state;
    static const struct {
        int rc;
        bool sticky;
    } kinds[] = {{SQLITE_IOERR_WRITE, false},
                 {SQLITE_FULL, false},
                 {SQLITE_FULL, true},
                 {SQLITE_IOERR_FSYNC, true}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool done[OPS];
        for (long n = 1, hit = 1; hit; n += stride(n)) {
            fx f;
            shim_setup(&f);
            fx_open(&f);
            shim_fail_at(n, kinds[k].rc, kinds[k].sticky);
            work(&f, done);
            hit = shim_failed();
            shim_fail_at(0, 0, false);
            check_all(&f, done); /* the daemon goes on as soon as the disk does */
            fx_close(&f);
            fx_open(&f);
            check_all(&f, done);
            fx_end(&f);
        }
    }
    shim_reset();
}

static void disks_that_fail_while_opening(void **state)
{
    (void)state;
    for (long n = 1, hit = 1; hit; n++) {
        fx f;
        error e;
        error_clear(&e);
        shim_setup(&f);
        shim_fail_at(n, SQLITE_IOERR_WRITE, true);
        f.g = engine_open(&f.cfg, &e);
        hit = shim_failed();
        shim_fail_at(0, 0, false);
        if (!f.g) {
            assert_int_equal(e.code, ERR_INTERNAL_ERROR);
            fx_open(&f);
        }
        fx_ok(&f, "CREATE TABLE t(a)");
        fx_end(&f);
    }
    shim_reset();
}

/* ---- power ------------------------------------------------------------------------------------
 */

static atomic_int acknowledged, acknowledged_at_cut;

static void at_cut(void *arg)
{
    (void)arg;
    atomic_store(&acknowledged_at_cut, atomic_load(&acknowledged));
}

enum { POWER_ROWS = 40 };

/* Writes rows 1, 2, 3 ... through a cut; checkpoints now and then. */
static void write_through(fx *f)
{
    fx_ok(f, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    atomic_store(&acknowledged, 0);
    for (int i = 1; i <= POWER_ROWS; i++) {
        char sql[96];
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%d, zeroblob(%d))", i, i * 97 % 5000);
        fx_ok(f, sql);
        atomic_store(&acknowledged, i);
        if (i % 11 == 0) {
            run *r = run_new(f, JOB_CHECKPOINT);
            run_submit(r);
            run_wait(r);
            assert_int_equal(r->err.code, ERR_NONE);
            run_free(r);
        }
    }
}

static void check_picture(long n)
{
    fx after;
    fx_init(&after);
    shim_write_picture(after.dir);
    fx_open(&after);
    int kept = atomic_load(&acknowledged_at_cut);
    int there = -1;
    if (*fx_sql(&after, "SELECT 1 FROM sqlite_schema WHERE name = 't'")) {
        sscanf(fx_sql(&after, "SELECT count(*) FROM t WHERE a <= (SELECT max(a) FROM t)"), "[%d]",
               &there);
        assert_string_equal(fx_sql(&after, "SELECT count(*) = ifnull(max(a), 0) FROM t"), "[1]");
    }
    /* One statement may have been under way; it is there in full or not at all. */
    if (kept > 0 ? there < kept || there > kept + 1 : there > 1)
        fail_msg("cut %ld: %d rows acknowledged, %d there", n, kept, there);
    assert_string_equal(fx_sql(&after, "PRAGMA integrity_check"), "[\"ok\"]");
    const char *events = fx_events(&after);
    int lines = 0;
    for (const char *at = events; *at; at = strchr(at, '\n') + 1)
        lines++;
    assert_int_equal(lines, there + 1);
    fx_ok(&after, "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b)");
    fx_ok(&after, "INSERT INTO t VALUES(1000, 1)");
    assert_non_null(strstr(fx_events(&after), "insert t [1000,1]"));
    fx_end(&after);
}

static void power_is_lost(void **state)
{
    (void)state;
    for (long n = 1;; n += 1 + (fx_slow() ? n / 3 : n / 25)) {
        fx f;
        shim_setup(&f);
        shim_cut_at(n, (unsigned)n, at_cut, NULL);
        atomic_store(&acknowledged, 0);
        atomic_store(&acknowledged_at_cut, 0);
        fx_open(&f);
        write_through(&f);
        fx_close(&f);
        bool cut = shim_cut_taken();
        if (cut)
            check_picture(n);
        fx_end(&f);
        if (!cut)
            break;
    }
    shim_reset();
}

int main(void)
{
    static const sqlite3_mem_methods memory = {sql_malloc,  free,     sql_realloc,  sql_size,
                                               sql_roundup, sql_init, sql_shutdown, NULL};
    sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
    shim_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_in_sqlite),  cmocka_unit_test(no_memory_while_opening),
        cmocka_unit_test(no_memory_of_our_own), cmocka_unit_test(no_memory_for_log_readers),
        cmocka_unit_test(disks_that_fail),      cmocka_unit_test(disks_that_fail_while_opening),
        cmocka_unit_test(power_is_lost),
    };
    return cmocka_run_group_tests_name("engine faults", tests, NULL, NULL);
}
