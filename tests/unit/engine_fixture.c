#include "engine_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "json/writer.h"

/* ---- the folder -------------------------------------------------------------------------------
 */

void fx_init(fx *f)
{
    *f = (fx){0};
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/rustydb-test-XXXXXX",
             tmp && strlen(tmp) < 30 ? tmp : "/tmp");
    if (!mkdtemp(f->dir))
        fail_msg("no temporary folder");
    f->cfg = (engine_config){
        .dir = f->dir,
        .readers = 2,
        .max_read_connections = 4,
        .statement_timeout_us = 60000000,
        .tx_idle_us = 30000000,
        .tx_max_us = 60000000,
        .max_queue = 10000,
        .statement_cache = 16,
        .synchronous_full = true,
    };
}

void fx_open(fx *f)
{
    error e;
    error_clear(&e);
    f->g = engine_open(&f->cfg, &e);
    if (!f->g)
        fail_msg("the engine did not open: %s", e.message);
}

void fx_close(fx *f)
{
    engine_log_close(f->log);
    f->log = NULL;
    engine_close(f->g, 60000000);
    f->g = NULL;
}

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *it; (it = readdir(d));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", dir, it->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(dir);
}

void fx_end(fx *f)
{
    if (f->g)
        fx_close(f);
    for (int i = 0; i < f->n_texts; i++)
        free(f->texts[i]);
    f->n_texts = 0;
    remove_folder(f->dir);
}

int fx_setup(void **state)
{
    fx *f = calloc(1, sizeof *f);
    fx_init(f);
    fx_open(f);
    *state = f;
    return 0;
}

int fx_teardown(void **state)
{
    fx *f = *state;
    fx_end(f);
    free(f);
    return 0;
}

bool fx_slow(void)
{
    return getenv("RUSTYDB_VALGRIND") != NULL;
}

char *fx_keep(fx *f, char *text)
{
    if (f->n_texts == FX_TEXTS) { /* the oldest half is not looked at any more */
        for (int i = 0; i < FX_TEXTS / 2; i++)
            free(f->texts[i]);
        memmove(f->texts, f->texts + FX_TEXTS / 2, FX_TEXTS / 2 * sizeof *f->texts);
        f->n_texts = FX_TEXTS / 2;
    }
    f->texts[f->n_texts++] = text;
    return text;
}

/* ---- the sink ---------------------------------------------------------------------------------
 */

static run *of(job_sink *s)
{
    return (run *)(void *)s;
}

static void on_begin(job_sink *s, bool held)
{
    run *r = of(s);
    pthread_mutex_lock(&r->lock);
    r->begins++;
    r->held = held;
    pthread_mutex_unlock(&r->lock);
}

static void on_restart(job_sink *s)
{
    run *r = of(s);
    pthread_mutex_lock(&r->lock);
    r->restarts++;
    buf_clear(&r->rows);
    buf_clear(&r->columns);
    r->ends = r->failures = r->n_rows = 0;
    pthread_mutex_unlock(&r->lock);
}

static sink_state on_columns(job_sink *s, int index, const engine_column *cols, int n)
{
    run *r = of(s);
    (void)index;
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < n; i++)
        buf_addf(&r->columns, "%s%s:%s", i ? " " : "", cols[i].name,
                 cols[i].type ? cols[i].type : "-");
    buf_addc(&r->columns, '\n');
    pthread_mutex_unlock(&r->lock);
    return SINK_OK;
}

static void add_row(buf *b, const value *row, int n)
{
    json_writer w;
    jw_init(&w, b);
    jw_begin_array(&w);
    for (int i = 0; i < n; i++)
        value_write_json(&w, &row[i]);
    jw_end_array(&w);
}

static sink_state on_row(job_sink *s, const value *row, int n)
{
    run *r = of(s);
    sink_state st = SINK_OK;
    pthread_mutex_lock(&r->lock);
    add_row(&r->rows, row, n);
    buf_addc(&r->rows, '\n');
    r->n_rows++;
    if (r->gone_at && r->n_rows >= r->gone_at)
        st = SINK_GONE;
    if (r->big_at && r->n_rows >= r->big_at)
        st = SINK_TOO_BIG;
    if (r->full_every && r->n_rows % r->full_every == 0) {
        r->parked++;
        st = SINK_FULL;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return st;
}

static void on_end(job_sink *s, int index, const engine_summary *sum)
{
    run *r = of(s);
    pthread_mutex_lock(&r->lock);
    r->ends++;
    if (index < FX_STMTS)
        r->sum[index] = *sum;
    pthread_mutex_unlock(&r->lock);
}

static void on_failed(job_sink *s, int index, const error *e)
{
    run *r = of(s);
    pthread_mutex_lock(&r->lock);
    r->failures++;
    if (index < FX_STMTS)
        r->failed[index] = *e;
    pthread_mutex_unlock(&r->lock);
}

static void on_done(job_sink *s, int index, const error *e)
{
    run *r = of(s);
    pthread_mutex_lock(&r->lock);
    r->index = index;
    r->err.code = ERR_NONE;
    if (e)
        r->err = *e;
    r->dones++;
    r->done = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static const job_sink_ops collecting = {on_begin, on_restart, on_columns, on_row,
                                        on_end,   on_failed,  on_done};

run *run_new(fx *f, job_kind kind)
{
    run *r = calloc(1, sizeof *r);
    r->f = f;
    r->sink.ops = &collecting;
    r->job.kind = kind;
    r->job.sink = &r->sink;
    r->job.stmts = r->stmts;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    return r;
}

void run_add(run *r, const char *sql, int n_params, const value *params)
{
    assert_true(r->job.n_stmts < FX_STMTS);
    r->stmts[r->job.n_stmts++] = (engine_stmt){.sql = sql, .n_params = n_params, .params = params};
}

run *run_sql(fx *f, const char *sql)
{
    run *r = run_new(f, JOB_QUERY);
    run_add(r, sql, 0, NULL);
    return r;
}

void run_submit(run *r)
{
    pthread_mutex_lock(&r->lock);
    r->done = false;
    r->err.code = ERR_NONE;
    pthread_mutex_unlock(&r->lock);
    engine_submit(r->f->g, &r->job);
}

static void wait_change(run *r, const char *what)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FX_WAIT_S;
    if (pthread_cond_timedwait(&r->changed, &r->lock, &until) != 0)
        fail_msg("waited in vain for %s", what);
}

void run_wait(run *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->done)
        wait_change(r, "done");
    pthread_mutex_unlock(&r->lock);
}

void run_wait_parked(run *r, int times)
{
    pthread_mutex_lock(&r->lock);
    while (r->parked < times && !r->done)
        wait_change(r, "a full sink");
    pthread_mutex_unlock(&r->lock);
}

void run_free(run *r)
{
    arena_free(&r->job.mem);
    buf_free(&r->job.text);
    buf_free(&r->rows);
    buf_free(&r->columns);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- short forms ------------------------------------------------------------------------------
 */

static char *text_of(fx *f, run *r)
{
    char *text;
    if (r->err.code != ERR_NONE) {
        size_t n = strlen(r->err.message) + 64;
        text = malloc(n);
        snprintf(text, n, "%s: %s", error_describe(r->err.code)->name, r->err.message);
    } else {
        if (r->rows.len && r->rows.data[r->rows.len - 1] == '\n')
            r->rows.len--;
        text = strdup(buf_cstr(&r->rows));
    }
    return fx_keep(f, text);
}

static const char *finish(run *r)
{
    fx *f = r->f;
    run_submit(r);
    run_wait(r);
    const char *text = text_of(f, r);
    run_free(r);
    return text;
}

const char *fx_sql(fx *f, const char *sql)
{
    return finish(run_sql(f, sql));
}

const char *fx_sqlf(fx *f, const char *fmt, ...)
{
    char sql[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    return fx_sql(f, sql);
}

void fx_ok(fx *f, const char *sql)
{
    run *r = run_sql(f, sql);
    run_submit(r);
    run_wait(r);
    if (r->err.code != ERR_NONE)
        fail_msg("%s: %s", sql, r->err.message);
    run_free(r);
}

const char *fx_atomic_list(fx *f, const char *const *sql)
{
    run *r = run_new(f, JOB_ATOMIC);
    for (; *sql; sql++)
        run_add(r, *sql, 0, NULL);
    return finish(r);
}

const char *fx_begin(fx *f)
{
    run *r = run_new(f, JOB_TX_BEGIN);
    run_submit(r);
    run_wait(r);
    if (r->err.code != ERR_NONE)
        fail_msg("begin: %s", r->err.message);
    const char *id = fx_keep(f, strdup(r->job.tx));
    run_free(r);
    return id;
}

const char *fx_tx(fx *f, const char *tx, const char *sql)
{
    run *r = run_new(f, JOB_TX_QUERY);
    snprintf(r->job.tx, sizeof r->job.tx, "%s", tx);
    run_add(r, sql, 0, NULL);
    return finish(r);
}

const char *fx_end_tx(fx *f, const char *tx, job_kind how)
{
    run *r = run_new(f, how);
    snprintf(r->job.tx, sizeof r->job.tx, "%s", tx);
    return finish(r);
}

/* ---- the log ----------------------------------------------------------------------------------
 */

typedef struct render {
    fx *f;
    buf out;
    bool lsn, tx;
    int64_t last_tx;
    int n_tx;
} render;

static bool render_record(void *arg, const log_record *rec)
{
    render *d = arg;
    assert_int_equal(rec->lsn, d->f->seen + 1);
    assert_true(rec->committed_at > 0);
    d->f->seen = rec->lsn;
    if (rec->tx != d->last_tx)
        d->n_tx++;
    d->last_tx = rec->tx;
    if (d->lsn)
        buf_addf(&d->out, "%lld ", (long long)rec->lsn);
    if (d->tx)
        buf_addf(&d->out, "#%d ", d->n_tx);
    buf_addf(&d->out, "%s %s", log_op_name(rec->op), rec->shape->table);
    if (rec->kind == LOG_DDL && rec->other)
        buf_addf(&d->out, ">%s", rec->other);
    if (rec->kind == LOG_ROW)
        buf_addc(&d->out, ' ');
    if (rec->old_row)
        add_row(&d->out, rec->old_row, rec->shape->n_columns);
    if (rec->old_row && rec->row)
        buf_addc(&d->out, '>');
    if (rec->row)
        add_row(&d->out, rec->row, rec->shape->n_columns);
    buf_addc(&d->out, '\n');
    return true;
}

static const char *render_log(fx *f, bool lsn, bool tx)
{
    error e;
    error_clear(&e);
    if (!f->log)
        f->log = engine_log_open(f->g, &e);
    if (!f->log)
        fail_msg("the log does not open: %s", e.message);
    render d = {.f = f, .lsn = lsn, .tx = tx, .last_tx = -1};
    for (;;) {
        int n = engine_log_read(f->log, f->seen, 3, render_record, &d, &e);
        if (n < 0)
            fail_msg("the log cannot be read: %s", e.message);
        if (n == 0)
            break;
    }
    const char *text = fx_keep(f, strdup(buf_cstr(&d.out)));
    buf_free(&d.out);
    return text;
}

const char *fx_log(fx *f)
{
    return render_log(f, true, false);
}

const char *fx_events(fx *f)
{
    return render_log(f, false, false);
}

const char *fx_events_tx(fx *f)
{
    return render_log(f, false, true);
}

value vt(const char *text)
{
    return (value){.type = VALUE_TEXT, .len = strlen(text), .p = text};
}

value vr(double d)
{
    return (value){.type = VALUE_REAL, .d = d};
}

value vn(void)
{
    return (value){.type = VALUE_NULL};
}

value vb(const void *p, size_t n)
{
    return (value){.type = VALUE_BLOB, .len = n, .p = p};
}
