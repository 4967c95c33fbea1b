/* Jobs of the engine that an administrator's job waits for. */
#include "daemon/jobs.h"
#include "engine/sink.h"

#include <pthread.h>
#include <stdio.h>

#define LIMIT_US (7LL * 86400 * 1000000)

typedef struct ender {
    job_sink sink;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done, ok;
    error err;
} ender;

static void done(job_sink *s, int index, const error *e)
{
    ender *m = list_entry(s, ender, sink);
    (void)index;
    pthread_mutex_lock(&m->lock);
    m->done = true;
    m->ok = !e;
    if (e)
        m->err = *e;
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

bool admin_job_engine(admin_job *a, job *j, error *e)
{
    static const job_sink_ops ops = {
        sink_ignore_begin,
        sink_ignore_restart,
        sink_ignore_columns,
        sink_ignore_row,
        sink_ignore_end,
        sink_ignore_failed,
        done,
    };
    ender m = {.sink.ops = &ops};
    if (admin_job_stopped(a, e))
        return false;
    pthread_mutex_init(&m.lock, NULL);
    pthread_cond_init(&m.changed, NULL);
    j->sink = &m.sink;
    j->timeout_us = LIMIT_US;
    snprintf(j->id, sizeof j->id, "%s", a->id);
    engine_submit(a->d->engine, j);
    if (atomic_load(&a->stop)) /* it was asked to before the engine had it */
        engine_cancel_id(a->d->engine, a->id, ERR_CANCELLED);
    pthread_mutex_lock(&m.lock);
    while (!m.done)
        pthread_cond_wait(&m.changed, &m.lock);
    pthread_mutex_unlock(&m.lock);
    j->sink = NULL;
    pthread_cond_destroy(&m.changed);
    pthread_mutex_destroy(&m.lock);
    if (!m.ok)
        *e = m.err;
    return m.ok;
}
