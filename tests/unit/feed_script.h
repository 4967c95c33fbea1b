/* A log for tests of the feed that misbehaves as told: reads that fail, records that are gone,
 * memory that runs out. It is a list in memory behind the engine's interface. Everything static: a
 * test includes it once. */
#ifndef TESTS_FEED_SCRIPT_H
#define TESTS_FEED_SCRIPT_H

#include "engine/engine_ops.h"
#include "tests/unit/feed_listener.h"
#include "tests/unit/sqlite_memory.h"

/* ---- a scripted log ---------------------------------------------------------------------------
 */

enum { MAX_RECORDS = 2000 };

static struct script {
    pthread_mutex_t lock; /* guards all of it */
    log_record records[MAX_RECORDS];
    value rows[MAX_RECORDS][2][2];
    int n;
    int64_t oldest;
    bool gap_is_error;       /* a read that starts in what was pruned fails with GAP */
    int failing_reads;       /* so many reads fail */
    unsigned long fail_nth;  /* this allocation after the next read's start fails */
    unsigned long allocated; /* how many there were since, as far as known */
    bool armed;
    const table_shape *present; /* shape of the table "t" now, NULL: there is none */
} script;

static const char *const names[] = {"id", "name", "more"};
static const char *const types[] = {"INTEGER", "TEXT", "TEXT"};
static const char *const collations[] = {"BINARY", "NOCASE", "BINARY"};
static const int pk[] = {1, 0, 0};
static const table_shape shape_t = {1, "t", 2, names, types, collations, pk};
static const table_shape shape_t2 = {2, "t", 1, names, types, collations, pk}; /* without name */
static const table_shape shape_other = {3, "other", 2, names, types, collations, pk};

static void script_reset(void)
{
    memset(&script, 0, sizeof script);
    pthread_mutex_init(&script.lock, NULL);
    script.oldest = 1;
    script.present = &shape_t;
}

static log_record *next_record(log_kind kind, log_op op, const table_shape *shape)
{
    assert_true(script.n < MAX_RECORDS);
    log_record *r = &script.records[script.n];
    *r = (log_record){.lsn = script.n + 1,
                      .tx = 7,
                      .committed_at = 1767323045678901,
                      .kind = kind,
                      .op = op,
                      .shape = shape};
    return r;
}

static void append_row(const table_shape *shape, log_op op, int64_t id, const char *old_name,
                       const char *name)
{
    pthread_mutex_lock(&script.lock);
    log_record *r = next_record(LOG_ROW, op, shape);
    value(*row)[2] = script.rows[script.n];
    const char *text[] = {name, old_name};
    for (int i = 0; i < 2; i++) {
        row[i][0] = (value){.type = VALUE_INT, .i = id};
        if (text[i])
            row[i][1] = (value){.type = VALUE_TEXT, .len = strlen(text[i]), .p = text[i]};
    }
    r->row = op != OP_DELETE ? row[0] : NULL;
    r->old_row = op != OP_INSERT ? row[1] : NULL;
    script.n++;
    pthread_mutex_unlock(&script.lock);
}

static void append_ddl(const table_shape *shape, log_op op, const char *sql, const char *other)
{
    pthread_mutex_lock(&script.lock);
    log_record *r = next_record(LOG_DDL, op, shape);
    r->text = sql;
    r->other = other;
    script.n++;
    pthread_mutex_unlock(&script.lock);
}

static void script_prune(int64_t oldest)
{
    pthread_mutex_lock(&script.lock);
    script.oldest = oldest;
    pthread_mutex_unlock(&script.lock);
}

#include "tests/unit/script_log.h"

static const table_shape *script_log_table(log_reader *r, const char *table, error *e)
{
    (void)r;
    if (strcmp(table, "t") == 0 && script.present)
        return script.present;
    if (strcmp(table, "other") == 0)
        return &shape_other;
    error_set(e, ERR_TABLE_NOT_FOUND, "there is no table named \"%s\"", table);
    return NULL;
}

static const engine_ops script_ops = {
    .name = "script",
    .log_open = script_log_open,
    .log_close = script_log_close,
    .log_bounds = script_log_bounds,
    .log_read = script_log_read,
    .log_table = script_log_table,
};
static engine script_engine = {.ops = &script_ops};
static log_reader script_reader = {.ops = &script_ops};

/* ---- helpers ----------------------------------------------------------------------------------
 */

static feed *start(int slice)
{
    feed_config config = {.slice = slice, .forms = line_forms, .n_forms = 2};
    error e;
    feed *f = feed_start(&script_engine, &config, &e);
    assert_non_null(f);
    return f;
}

static void append_many(int n)
{
    for (int i = 0; i < n; i++)
        append_row(&shape_t, OP_INSERT, i, NULL, "x");
}

static void expect_range(heard *h, int64_t from, int64_t to)
{
    int64_t lsns[MAX_RECORDS] = {0};
    for (int64_t i = from; i <= to; i++)
        lsns[i - from] = i;
    expect_lsns(h, lsns, (int)(to - from + 1));
}

#endif
