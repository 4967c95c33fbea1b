/* For tests of the engine: an engine in a temporary folder, a sink that collects, and the change
 * log as text. Failures of the fixture itself end the test through cmocka. */
#ifndef TESTS_UNIT_ENGINE_FIXTURE_H
#define TESTS_UNIT_ENGINE_FIXTURE_H

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/mem.h"
#include "engine/engine.h"

enum { FX_STMTS = 16, FX_TEXTS = 256, FX_WAIT_S = 120 };

typedef struct fx {
    char dir[64];
    engine_config cfg; /* may be changed between fx_init and fx_open */
    engine *g;
    log_reader *log;
    int64_t seen;          /* lsn up to which fx_log gave records */
    char *texts[FX_TEXTS]; /* handed out, freed by fx_end */
    int n_texts;
} fx;

/* A job and what its sink was told. */
typedef struct run {
    job_sink sink;
    job job;
    fx *f;
    engine_stmt stmts[FX_STMTS];
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    buf rows;    /* a line of JSON per row */
    buf columns; /* name:type, a line per statement */
    engine_summary sum[FX_STMTS];
    error failed[FX_STMTS]; /* of statements of a batch */
    error err;              /* of the job, code ERR_NONE on success */
    int index, begins, restarts, ends, failures, dones, n_rows;
    bool held, done;
    int full_every;      /* SINK_FULL after every so many rows; 0: never */
    int parked;          /* times SINK_FULL was answered */
    int gone_at, big_at; /* answer so at that row; 0: never */
} run;

/* A folder and a config; then opens the engine. */
void fx_init(fx *f);
void fx_open(fx *f);
void fx_close(fx *f); /* engine_close with a generous grace; files stay */
void fx_end(fx *f);   /* closes, removes the folder, frees */

/* cmocka set-up and tear-down with *state = fx. */
int fx_setup(void **state);
int fx_teardown(void **state);

run *run_new(fx *f, job_kind kind);
run *run_sql(fx *f, const char *sql); /* JOB_QUERY */
void run_add(run *r, const char *sql, int n_params, const value *params);
void run_submit(run *r);
void run_wait(run *r);                   /* for done */
void run_wait_parked(run *r, int times); /* until SINK_FULL was answered so often */
void run_free(run *r);

/* Runs and answers: rows as lines of JSON, or "CODE: message". Lives until fx_end. */
const char *fx_sql(fx *f, const char *sql);
const char *fx_sqlf(fx *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As one atomic batch: all rows, or the error. */
#define fx_atomic(f, ...) fx_atomic_list(f, (const char *const[]){__VA_ARGS__, NULL})
const char *fx_atomic_list(fx *f, const char *const *sql);
const char *fx_tx(fx *f, const char *tx, const char *sql);  /* in an interactive transaction */
const char *fx_begin(fx *f);                                /* its id */
const char *fx_end_tx(fx *f, const char *tx, job_kind how); /* "" or the error */
void fx_ok(fx *f, const char *sql);                         /* must succeed */

/* Log records that were not given yet, a line each:
 * "LSN insert t [new]", "LSN update t [old]>[new]", "LSN delete t [old]", "LSN create t",
 * "LSN rename t>u". Without LSN: fx_events. Lives until fx_end. */
const char *fx_log(fx *f);
const char *fx_events(fx *f);
/* Like fx_events, each line led by "#" and the transaction's number counted from the first. */
const char *fx_events_tx(fx *f);

bool fx_slow(void);               /* under valgrind: time tells nothing, and less must do */
char *fx_keep(fx *f, char *text); /* freed by fx_end */
/* Waits until the condition holds. */
#define fx_until(cond)                                                                             \
    do {                                                                                           \
        int64_t fx_limit = clock_mono_us() + FX_WAIT_S * 1000000LL;                                \
        while (!(cond)) {                                                                          \
            if (clock_mono_us() > fx_limit)                                                        \
                fail_msg("waited in vain for " #cond);                                             \
            usleep(500);                                                                           \
        }                                                                                          \
    } while (0)

/* Values for parameters. */
static inline value vi(int64_t i)
{
    return (value){.type = VALUE_INT, .i = i};
}
value vt(const char *text);
value vr(double d);
value vn(void);
value vb(const void *p, size_t n);

#endif
