/* Interactive transactions: one at a time, it has the writer from begin to its end. Other writes
 * wait in the queue meanwhile, so idle time and total time are limited. */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/sqlite/store.h"

/* Why a wait for the transaction's next job ended without one. */
typedef enum tx_wait { TX_JOB, TX_IDLE, TX_TOO_LONG, TX_CLOSING } tx_wait;

static const char ended_committed[] = "it was committed";
static const char ended_rolled_back[] = "it was rolled back on request";
static const char ended_idle[] = "it was idle for too long and was rolled back";
static const char ended_too_long[] = "it was open for too long and was rolled back";
static const char ended_closing[] = "the daemon is stopping, and rolled it back";
static const char ended_by_statement[] = "a statement in it rolled back the whole transaction";
static const char ended_commit_failed[] = "its commit failed, and it was rolled back";

static void remember(writer *w, const char *why)
{
    ended_tx *t = &w->ended[w->next_ended];
    w->next_ended = (w->next_ended + 1) % ENDED_KEPT;
    memcpy(t->id, w->tx.id, sizeof t->id);
    t->why = why;
}

void tx_refuse(store *g, job *j)
{
    writer *w = &g->writer;
    error e;
    error_clear(&e);
    error_set(&e, ERR_NOT_FOUND, "there is no open transaction \"%s\"", j->tx);
    for (int i = 0; i < ENDED_KEPT; i++) {
        if (w->ended[i].why && strcmp(w->ended[i].id, j->tx) == 0)
            error_hint(&e, "It existed: %s.", w->ended[i].why);
    }
    atomic_fetch_add_explicit(&g->n_errors, 1, memory_order_relaxed);
    job_finish(g, j, 0, &e);
}

static bool make_id(char *out, error *e)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char random[16];
    if (RAND_bytes(random, sizeof random) != 1) {
        error_clear(e);
        return error_set(e, ERR_INTERNAL_ERROR, "no random bytes for the transaction's id");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        *out++ = hex[random[i] >> 4];
        *out++ = hex[random[i] & 15];
    }
    *out = '\0';
    return true;
}

/* Lets others see the transaction as it is now, or that it has ended. */
static void show(writer *w, bool open)
{
    pthread_mutex_lock(&w->lock);
    w->shown = open ? w->tx : (open_tx){0};
    pthread_mutex_unlock(&w->lock);
}

/* Waits for the next job of the transaction. */
static job *next_tx_job(store *g, tx_wait *why)
{
    writer *w = &g->writer;
    int64_t idle_end = w->tx.last_us + g->cfg.tx_idle_us;
    int64_t end = w->tx.opened_us + g->cfg.tx_max_us;
    *why = end < idle_end ? TX_TOO_LONG : TX_IDLE;
    if (idle_end < end)
        end = idle_end;
    struct timespec until = {end / 1000000, end % 1000000 * 1000};
    pthread_mutex_lock(&w->lock);
    job *j;
    while (!(j = writer_pop(w, &w->tx_queue)) && !w->closing && clock_mono_us() < end) {
        w->idle = true;
        pthread_cond_timedwait(&w->work, &w->lock, &until);
        w->idle = false;
    }
    if (j)
        *why = TX_JOB;
    else if (w->closing)
        *why = TX_CLOSING;
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void end_with(store *g, job *j, bool ok, const error *e)
{
    if (ok) {
        engine_summary sum = {.lsn = g->writer.log.committed};
        j->sink->ops->end(j->sink, 0, &sum);
    }
    job_finish(g, j, 0, ok ? NULL : e);
}

/* Why the transaction ended, NULL when it goes on. */
static const char *run_commit(store *g, job *j)
{
    error e;
    exec_begin(j);
    if (!exec_deferred_ok(g, &e)) {
        error_hint(&e, "A deferred foreign key is violated; mend it, or roll back. The transaction "
                       "is still open.");
        end_with(g, j, false, &e);
        return NULL;
    }
    bool ok = exec_drop_temp(g, &e) && txn_commit(g, 1, &e);
    if (!ok)
        txn_rollback(g);
    remember(&g->writer, ok ? ended_committed : ended_commit_failed);
    end_with(g, j, ok, &e);
    return ok ? ended_committed : ended_commit_failed;
}

static const char *run_query(store *g, job *j)
{
    writer *w = &g->writer;
    engine_summary sum;
    error e;
    exec_begin(j);
    w->c.evicted = false;
    w->c.evict_at = w->tx.opened_us + g->cfg.tx_max_us;
    bool ok = exec_statement(g, j, 0, EXEC_TX, &sum, &e);
    w->c.evict_at = 0;
    if (ok)
        j->sink->ops->end(j->sink, 0, &sum);
    const char *ended = NULL;
    if (w->c.evicted) {
        txn_rollback(g);
        error_clear(&e);
        error_set(&e, ERR_TIMEOUT, "the transaction was open for too long and was rolled back");
        ended = ended_too_long;
    } else if (txn_lost(g)) {
        txn_rollback(g);
        error_hint(&e, "The statement rolled back the whole transaction, which has ended.");
        ended = ended_by_statement;
    }
    if (ended)
        remember(w, ended);
    job_finish(g, j, 0, ok ? NULL : &e);
    return ended;
}

static const char *run_rollback(store *g, job *j)
{
    exec_begin(j);
    txn_rollback(g);
    remember(&g->writer, ended_rolled_back);
    end_with(g, j, true, NULL);
    return ended_rolled_back;
}

static bool is_owner(const open_tx *t, const job *j)
{
    return !j->whose || strcmp(j->whose, t->whose) == 0;
}

/* One job for the open transaction. Why the transaction ended with it, NULL when it goes on. */
static const char *serve_one(store *g, job *j)
{
    writer *w = &g->writer;
    if (atomic_load(&j->cancel) != ERR_NONE) {
        job_stopped(g, j);
        return NULL;
    }
    if (strcmp(j->tx, w->tx.id) != 0 || !is_owner(&w->tx, j)) {
        tx_refuse(g, j);
        return NULL;
    }
    const char *ended = j->kind == JOB_TX_COMMIT     ? run_commit(g, j)
                        : j->kind == JOB_TX_ROLLBACK ? run_rollback(g, j)
                                                     : run_query(g, j);
    w->tx.last_us = clock_mono_us();
    show(w, true);
    return ended;
}

static void serve(store *g)
{
    for (;;) {
        tx_wait why;
        job *j = next_tx_job(g, &why);
        if (j && serve_one(g, j))
            return;
        if (j)
            continue;
        txn_rollback(g);
        remember(&g->writer, why == TX_CLOSING ? ended_closing
                             : why == TX_IDLE  ? ended_idle
                                               : ended_too_long);
        return;
    }
}

void tx_run(store *g, job *begin)
{
    writer *w = &g->writer;
    error e;
    exec_begin(begin);
    w->tx = (open_tx){.opened_us = clock_mono_us()};
    snprintf(w->tx.whose, sizeof w->tx.whose, "%s", begin->whose ? begin->whose : "");
    if (!make_id(w->tx.id, &e) || !txn_begin(g, &e)) {
        job_finish(g, begin, 0, &e);
        return;
    }
    changelog_begin_tx(&w->log);
    sqlite3_set_last_insert_rowid(w->c.db, 0);
    memcpy(begin->tx, w->tx.id, sizeof w->tx.id);
    /* Only a begin that nobody asked to stop may leave a transaction open. */
    error_code why = registry_remove(&g->registry, begin);
    if (why != ERR_NONE) {
        begin->tx[0] = '\0';
        txn_rollback(g);
        stop_error(begin, why, &e);
        begin->sink->ops->done(begin->sink, 0, &e);
        registry_done(&g->registry);
        return;
    }
    w->tx.last_us = w->tx.opened_us;
    atomic_store(&g->n_open_tx, 1);
    show(w, true);
    begin->sink->ops->done(begin->sink, 0, NULL);
    registry_done(&g->registry);
    serve(g);
    show(w, false);
    atomic_store(&g->n_open_tx, 0);
}
