/* How the work is shared out among readers and writer, and changes to that at run time. */
#include <stdio.h>
#include <string.h>

#include "engine/sqlite/store.h"

static store *own(engine *g)
{
    return (store *)(void *)g;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

static void add_cache(engine_cache *to, const dbconn *c)
{
    to->kept += atomic_load_explicit(&c->figures.kept, memory_order_relaxed);
    to->hits += atomic_load_explicit(&c->figures.hits, memory_order_relaxed);
    to->misses += atomic_load_explicit(&c->figures.misses, memory_order_relaxed);
    to->capacity = c->cache_max;
}

static void look_at_readers(store *g, engine_pool *out)
{
    readers *r = &g->readers;
    task_pool_stats threads;
    task_pool_look(&g->pool, &threads);
    out->readers.threads = threads.threads;
    out->readers.wanted = threads.wanted;
    out->readers.busy = threads.busy;
    out->readers.queued = atomic_load(&r->queued);
    pthread_mutex_lock(&r->lock);
    out->readers.connections = r->opened;
    out->readers.max_connections = r->most;
    out->readers.cache =
        (engine_cache){.hits = r->hits, .misses = r->misses, .capacity = g->cfg.statement_cache};
    list_each(it, &r->all)
        add_cache(&out->readers.cache, &list_entry(it, reader_conn, all_link)->c);
    list_each(it, &r->waiting) out->readers.waiting++;
    pthread_mutex_unlock(&r->lock);
}

static void look_at_writer(store *g, engine_pool *out)
{
    writer *w = &g->writer;
    out->writer.commits = atomic_load(&g->n_commits);
    out->writer.commit_statements = atomic_load(&g->n_commit_statements);
    add_cache(&out->writer.cache, &w->c);
    pthread_mutex_lock(&w->lock);
    out->writer.busy = !w->idle;
    out->writer.queued = w->queued;
    snprintf(out->writer.tx, sizeof out->writer.tx, "%s", w->shown.id);
    out->writer.tx_opened_us = w->shown.opened_us;
    out->writer.tx_last_us = w->shown.last_us;
    pthread_mutex_unlock(&w->lock);
}

void store_pool_get(engine *base, engine_pool *out)
{
    store *g = own(base);
    *out = (engine_pool){
        .draining = atomic_load(&g->draining),
        .active = registry_active(&g->registry),
        .max_queue = g->cfg.max_queue,
    };
    look_at_readers(g, out);
    look_at_writer(g, out);
}

int store_pool_conns(engine *base, engine_conn *out, int room)
{
    readers *r = &own(base)->readers;
    int n = 0;
    pthread_mutex_lock(&r->lock);
    list_each(it, &r->all)
    {
        const reader_conn *rc = list_entry(it, reader_conn, all_link);
        if (n == room)
            break;
        bool paused = atomic_load_explicit(&rc->paused, memory_order_relaxed);
        engine_conn *to = &out[n++];
        *to = (engine_conn){
            .number = rc->number,
            .state = !rc->user ? ENGINE_CONN_IDLE
                     : paused  ? ENGINE_CONN_PAUSED
                               : ENGINE_CONN_RUNNING,
            .since_us = rc->since_us,
            .opened_us = rc->opened_us,
            .jobs = rc->jobs,
        };
        if (rc->user)
            memcpy(to->job, rc->user->id, sizeof to->job);
        add_cache(&to->cache, &rc->c);
    }
    pthread_mutex_unlock(&r->lock);
    return n;
}

/* ---- changing ---------------------------------------------------------------------------------
 */

bool store_pool_resize(engine *base, int threads, int most, error *e)
{
    store *g = own(base);
    readers *r = &g->readers;
    if (most > 0) {
        pthread_mutex_lock(&r->lock);
        r->most = most;
        pthread_mutex_unlock(&r->lock);
        task_wake(&g->pool, &r->mend);
    }
    if (threads <= 0 || task_pool_resize(&g->pool, threads))
        return true;
    error_set(e, ERR_BUSY, "not all of the %d reader threads could be started", threads);
    return error_hint(e, "The limits on processes or memory of the system are reached.");
}

void store_pool_forget_statements(engine *g)
{
    atomic_fetch_add(&own(g)->forget, 1);
}

/* ---- draining ---------------------------------------------------------------------------------
 */

bool drain_refuses(const job *j)
{
    switch (j->kind) {
    case JOB_QUERY:
        return !j->origin.wanted;
    case JOB_BATCH:
    case JOB_ATOMIC:
    case JOB_TX_BEGIN:
        return true;
    default:
        return false;
    }
}

void store_pool_drain(engine *g, bool on)
{
    atomic_store(&own(g)->draining, on);
}

bool store_is_draining(engine *g)
{
    return atomic_load(&own(g)->draining);
}
