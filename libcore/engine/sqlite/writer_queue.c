/* What waits for the writer: its two queues, and which job may go next. */
#include "base/clock.h"
#include "engine/sqlite/sqltext.h"
#include "engine/sqlite/store.h"

bool writer_of_tx(const job *j)
{
    return j->kind == JOB_TX_QUERY || j->kind == JOB_TX_COMMIT || j->kind == JOB_TX_ROLLBACK;
}

bool writer_is_alone(const job *j)
{
    if (j->kind == JOB_TX_BEGIN || j->kind == JOB_CHECKPOINT)
        return true;
    if (j->kind != JOB_QUERY && j->kind != JOB_BATCH)
        return false;
    for (int i = 0; i < j->n_stmts; i++) {
        if (sql_guess_route(j->stmts[i].sql) == ROUTE_ALONE)
            return true;
    }
    return false;
}

bool writer_push(store *g, job *j)
{
    writer *w = &g->writer;
    pthread_mutex_lock(&w->lock);
    bool room = w->queued < g->cfg.max_queue;
    bool marked = false;
    if (room) {
        list_append(writer_of_tx(j) ? &w->tx_queue : &w->queue, &j->link);
        w->queued++;
        marked = atomic_load(&j->cancel) != ERR_NONE;
        if (w->idle)
            pthread_cond_signal(&w->work);
    }
    pthread_mutex_unlock(&w->lock);
    if (marked) /* it was asked to stop before it was here to be found */
        registry_kick(&g->registry);
    return room;
}

job *writer_pop(writer *w, list *from)
{
    list *first = list_pop(from);
    if (!first)
        return NULL;
    w->queued--;
    return list_entry(first, job, link);
}

void writer_sweep(void *store_arg)
{
    store *g = store_arg;
    writer *w = &g->writer;
    list stopped;
    list_init(&stopped);
    pthread_mutex_lock(&w->lock);
    list *const queues[] = {&w->queue, &w->tx_queue};
    for (int q = 0; q < 2; q++) {
        list_each_safe(it, queues[q])
        {
            if (atomic_load(&list_entry(it, job, link)->cancel) == ERR_NONE)
                continue;
            list_unlink(it);
            list_append(&stopped, it);
            w->queued--;
        }
    }
    pthread_mutex_unlock(&w->lock);
    for (list *it; (it = list_pop(&stopped));)
        job_stopped(g, list_entry(it, job, link));
}

void writer_shut(store *g)
{
    pthread_mutex_lock(&g->writer.lock);
    g->writer.closing = true;
    pthread_cond_signal(&g->writer.work);
    pthread_mutex_unlock(&g->writer.lock);
}

/* When retention may have something to do: microseconds from now, -1: not by itself. */
static int64_t prune_wait(const store *g)
{
    const changelog *l = &g->writer.log;
    if (changelog_can_prune(l, &g->cfg))
        return 0;
    if (g->cfg.log_max_age_us <= 0 || l->oldest >= l->head || l->oldest_time == INT64_MAX)
        return -1;
    int64_t left = l->oldest_time + g->cfg.log_max_age_us - clock_wall_us();
    return left < 1000 ? 1000 : left < 60000000 ? left : 60000000;
}

static void wait_locked(writer *w, int64_t us)
{
    w->idle = true;
    if (us < 0) {
        pthread_cond_wait(&w->work, &w->lock);
    } else {
        int64_t at = clock_mono_us() + us;
        struct timespec until = {at / 1000000, at % 1000000 * 1000};
        pthread_cond_timedwait(&w->work, &w->lock, &until);
    }
    w->idle = false;
}

job *writer_next(store *g, bool *stop)
{
    writer *w = &g->writer;
    pthread_mutex_lock(&w->lock);
    job *j;
    for (;;) {
        j = writer_pop(w, &w->tx_queue);
        if (!j)
            j = writer_pop(w, &w->queue);
        *stop = w->stop;
        if (j || *stop)
            break;
        int64_t us = prune_wait(g);
        if (us == 0)
            break;
        wait_locked(w, us);
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

/* Whether it pays to wait a moment for more jobs before the commit: the last group was large, so
 * many clients are writing, and those it answered are probably about to write again. */
static bool more_expected(const writer *w)
{
    return w->last_n >= LINGER_FROM && w->n < w->last_n + w->last_n / 2 && !w->stop && !w->closing;
}

job *writer_next_for_group(writer *w)
{
    int64_t until = 0;
    pthread_mutex_lock(&w->lock);
    job *j = NULL;
    while (list_empty(&w->queue) && more_expected(w)) {
        int64_t now = clock_mono_us();
        until = until ? until : now + LINGER_US;
        if (now >= until)
            break;
        wait_locked(w, until - now);
    }
    if (!list_empty(&w->queue) && !writer_is_alone(list_entry(w->queue.next, job, link)))
        j = writer_pop(w, &w->queue);
    pthread_mutex_unlock(&w->lock);
    return j;
}

void writer_pause(writer *w, int64_t us)
{
    pthread_mutex_lock(&w->lock);
    wait_locked(w, us);
    pthread_mutex_unlock(&w->lock);
}
