#include "daemon/jobs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/audit.h"
#include "daemon/prefer.h"
#include "daemon/problem.h"
#include "daemon/reactor.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct jobs {
    server *d;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    list all; /* admin_job.link, newest first */
    int n_queued, n_ended;
    uint64_t next;
    bool shut;
};

/* A request that waits for the end of a job. Its reactor's, but for `link` and `posted`, which the
 * lock of the jobs guards: whoever unlinks it answers. */
typedef struct waiter {
    list link; /* admin_job.waiting */
    bool posted;
    admin_job *j; /* one of its references */
    conn *asker;  /* held by n_runs */
    lws_sorted_usec_list_t timer;
    reactor_msg ended;
} waiter;

static const char *const state_names[] = {"queued", "running", "done", "failed", "cancelled"};

static bool has_ended(const admin_job *j)
{
    return j->state >= JOB_DONE;
}

/* ---- the life of a job: with the lock ---------------------------------------------------------
 */

static void unref(admin_job *j)
{
    if (--j->refs > 0)
        return;
    buf_free(&j->result);
    mem_free(j);
}

static void forget_oldest(jobs *all)
{
    for (list *it = all->all.prev; all->n_ended > JOBS_KEPT && it != &all->all;) {
        admin_job *j = list_entry(it, admin_job, link);
        it = it->prev;
        if (!has_ended(j))
            continue;
        list_unlink(&j->link);
        all->n_ended--;
        unref(j);
    }
}

/* Ends it and tells who waits. */
static void end(jobs *all, admin_job *j, job_state state)
{
    j->state = state;
    j->finished_us = clock_wall_us();
    all->n_ended++;
    for (list *it; (it = list_pop(&j->waiting));) {
        waiter *w = list_entry(it, waiter, link);
        w->posted = true;
        reactor_post(w->asker->r, &w->ended);
    }
    forget_oldest(all);
}

static void set_cancelled(const jobs *all, admin_job *j)
{
    error_clear(&j->err);
    if (all->shut)
        error_set(&j->err, ERR_SHUTTING_DOWN, "the daemon is stopping; the job was ended");
    else
        error_set(&j->err, ERR_CANCELLED, "the job was cancelled");
}

/* Asks a job that has not ended to end. */
static void stop_one(jobs *all, admin_job *j)
{
    atomic_store(&j->stop, true);
    if (j->state == JOB_QUEUED) {
        all->n_queued--;
        set_cancelled(all, j);
        end(all, j, JOB_CANCELLED);
    } else {
        engine_cancel_id(all->d->engine, j->id, ERR_CANCELLED);
    }
}

static bool may_see(const admin_job *j, const identity *who)
{
    char owner[IDENTITY_OWNER];
    identity_owner(who, owner);
    return identity_may(who, SCOPE_maintenance) || strcmp(j->owner, owner) == 0;
}

static admin_job *find(const jobs *all, const identity *who, const char *id, error *e)
{
    list_each(it, &all->all)
    {
        admin_job *j = list_entry(it, admin_job, link);
        if (strcmp(j->id, id) == 0 && may_see(j, who))
            return j;
    }
    error_set(e, ERR_NOT_FOUND, "there is no job %.64s", id);
    error_hint(e, "The newest %d jobs since the daemon's start are known.", JOBS_KEPT);
    return NULL;
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static admin_job *next_job(jobs *all)
{
    while (!all->shut) {
        for (list *it = all->all.prev; it != &all->all; it = it->prev) {
            admin_job *j = list_entry(it, admin_job, link);
            if (j->state == JOB_QUEUED)
                return j;
        }
        pthread_cond_wait(&all->work, &all->lock);
    }
    return NULL;
}

static void record_end(const admin_job *j, const error *why)
{
    audit_from from = {0};
    char detail[200];
    snprintf(from.user, sizeof from.user, "%s", j->user);
    snprintf(detail, sizeof detail, "{\"job\":\"%s\",\"kind\":\"%s\"}", j->id, j->kind->name);
    audit_record(j->d, &from, AUDIT_JOB_END, j->target[0], why, detail);
}

static void run_one(jobs *all, admin_job *j)
{
    error e;
    buf out = BUF_INIT;
    json_writer w;
    all->n_queued--;
    j->state = JOB_RUNNING;
    j->started_us = clock_wall_us();
    j->refs++;
    pthread_mutex_unlock(&all->lock);

    error_clear(&e);
    jw_init(&w, &out);
    bool ok = j->kind->run(j, &w, &e);
    if (ok && out.failed)
        ok = error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    if (!ok && e.code != ERR_CANCELLED)
        log_warn("job", "%s %s failed: %s", j->kind->name, j->id, e.message);

    record_end(j, ok ? NULL : &e);

    pthread_mutex_lock(&all->lock);
    if (ok)
        j->result = out;
    else
        buf_free(&out);
    j->err = e;
    if (!ok && e.code == ERR_CANCELLED)
        set_cancelled(all, j);
    end(all, j, ok ? JOB_DONE : e.code == ERR_CANCELLED ? JOB_CANCELLED : JOB_FAILED);
    unref(j);
}

static void *jobs_main(void *arg)
{
    jobs *all = arg;
    pthread_mutex_lock(&all->lock);
    for (admin_job *j; (j = next_job(all));)
        run_one(all, j);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

jobs *jobs_start(server *d, error *e)
{
    jobs *all = xalloc(sizeof *all);
    all->d = d;
    list_init(&all->all);
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->work, NULL);
    if (pthread_create(&all->thread, NULL, jobs_main, all) == 0) {
        pthread_setname_np(all->thread, "jobs");
        return all;
    }
    mem_free(all);
    error_set(e, ERR_INTERNAL_ERROR, "cannot start a thread for jobs");
    return NULL;
}

void jobs_shut(jobs *all)
{
    pthread_mutex_lock(&all->lock);
    all->shut = true;
    list_each_safe(it, &all->all)
    {
        admin_job *j = list_entry(it, admin_job, link);
        if (!has_ended(j))
            stop_one(all, j);
    }
    pthread_cond_signal(&all->work);
    pthread_mutex_unlock(&all->lock);
}

void jobs_wait(jobs *all)
{
    pthread_join(all->thread, NULL);
}

void jobs_free(jobs *all)
{
    for (list *it; (it = list_pop(&all->all));)
        unref(list_entry(it, admin_job, link));
    pthread_cond_destroy(&all->work);
    pthread_mutex_destroy(&all->lock);
    mem_free(all);
}

/* ---- describing: with the lock ----------------------------------------------------------------
 */

static void put_time(json_writer *w, const char *key, int64_t wall_us)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    jw_key(w, key);
    if (!wall_us) {
        jw_null(w);
        return;
    }
    clock_rfc3339(wall_us, stamp);
    jw_str(w, stamp);
}

static void put_progress(json_writer *w, admin_job *j)
{
    int64_t total = atomic_load(&j->total);
    jw_key(w, "progress");
    jw_begin_object(w);
    jw_key(w, "done");
    jw_int(w, atomic_load(&j->progress));
    jw_key(w, "total");
    if (total >= 0)
        jw_int(w, total);
    else
        jw_null(w);
    jw_key(w, "unit");
    jw_str(w, j->kind->unit);
    jw_end_object(w);
}

static void put_job(json_writer *w, admin_job *j)
{
    jw_begin_object(w);
    jw_key(w, "id");
    jw_str(w, j->id);
    jw_key(w, "kind");
    jw_str(w, j->kind->name);
    jw_key(w, "target");
    jw_str(w, j->target[0][0] ? j->target[0] : NULL);
    jw_key(w, "state");
    jw_str(w, state_names[j->state]);
    jw_key(w, "user");
    jw_str(w, j->user);
    put_progress(w, j);
    put_time(w, "created_at", j->created_us);
    put_time(w, "started_at", j->started_us);
    put_time(w, "finished_at", j->finished_us);
    jw_key(w, "result");
    if (j->state == JOB_DONE)
        jw_raw(w, j->result.data, j->result.len);
    else
        jw_null(w);
    jw_key(w, "problem");
    if (j->state == JOB_FAILED || j->state == JOB_CANCELLED)
        problem_write(w, &j->err, NULL);
    else
        jw_null(w);
    jw_end_object(w);
}

void jobs_list(jobs *all, const identity *who, const char *state, int64_t offset, int64_t limit,
               json_writer *w)
{
    int64_t total = 0;
    pthread_mutex_lock(&all->lock);
    jw_key(w, "jobs");
    jw_begin_array(w);
    list_each(it, &all->all)
    {
        admin_job *j = list_entry(it, admin_job, link);
        if (!may_see(j, who) || (state && strcmp(state_names[j->state], state) != 0))
            continue;
        if (total >= offset && total < offset + limit)
            put_job(w, j);
        total++;
    }
    jw_end_array(w);
    pthread_mutex_unlock(&all->lock);
    jw_key(w, "total");
    jw_int(w, total);
    jw_key(w, "offset");
    jw_int(w, offset);
    jw_key(w, "limit");
    jw_int(w, limit);
}

bool jobs_describe(jobs *all, const identity *who, const char *id, json_writer *w, error *e)
{
    pthread_mutex_lock(&all->lock);
    admin_job *j = find(all, who, id, e);
    if (j)
        put_job(w, j);
    pthread_mutex_unlock(&all->lock);
    return j != NULL;
}

bool jobs_cancel(jobs *all, const identity *who, const char *id, error *e)
{
    pthread_mutex_lock(&all->lock);
    admin_job *j = find(all, who, id, e);
    bool ok = j && !has_ended(j);
    if (ok)
        stop_one(all, j);
    else if (j)
        error_set(e, ERR_CONFLICT, "the job has ended: it is %s", state_names[j->state]);
    pthread_mutex_unlock(&all->lock);
    return ok;
}

/* ---- requests: reactor threads ----------------------------------------------------------------
 */

/* The job as it stands, and where to look again. */
static void reply_accepted(request *q, jobs *all, admin_job *j)
{
    buf out = BUF_INIT, head = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    pthread_mutex_lock(&all->lock);
    put_job(&w, j);
    pthread_mutex_unlock(&all->lock);
    buf_addf(&head, "Location: /api/v1/admin/jobs/%s\r\n", j->id);
    if (out.failed || head.failed) {
        error e;
        error_clear(&e);
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        http_reply_error(q, &e);
    } else {
        http_reply_with(q, 202, "application/json", buf_cstr(&head), out.data, out.len);
    }
    buf_free(&out);
    buf_free(&head);
}

/* The result of a job that has ended, which nobody changes any more. */
static void reply_ended(request *q, const admin_job *j)
{
    buf head = BUF_INIT;
    if (j->state != JOB_DONE) {
        http_reply_error(q, &j->err);
        return;
    }
    buf_adds(&head, "Preference-Applied: wait\r\n");
    if (j->kind->made)
        buf_addf(&head, "Location: %s%s\r\n", j->kind->made, j->target[0]);
    http_reply_with(q, j->kind->status, "application/json", buf_cstr(&head), j->result.data,
                    j->result.len);
    buf_free(&head);
}

/* Takes it out of the job's list; false when the end of the job has been posted to it. */
static bool withdraw(waiter *w)
{
    jobs *all = w->asker->r->d->jobs;
    pthread_mutex_lock(&all->lock);
    bool mine = !w->posted;
    if (mine)
        list_unlink(&w->link);
    pthread_mutex_unlock(&all->lock);
    return mine;
}

static void waiter_free(waiter *w)
{
    jobs *all = w->asker->r->d->jobs;
    lws_sul_cancel(&w->timer);
    w->asker->n_runs--;
    pthread_mutex_lock(&all->lock);
    unref(w->j);
    pthread_mutex_unlock(&all->lock);
    mem_free(w);
}

/* The job has ended. */
static void on_ended(reactor *r, reactor_msg *m)
{
    waiter *w = list_entry(m, waiter, ended);
    conn *c = w->asker;
    (void)r;
    if (c->state != CONN_DEAD && c->req) {
        c->req->free_arg = NULL;
        reply_ended(c->req, w->j);
    }
    waiter_free(w);
    conn_reap(c);
}

/* The request has waited for as long as it wanted to. */
static void on_time(lws_sorted_usec_list_t *timer)
{
    waiter *w = lws_container_of(timer, waiter, timer);
    request *q = w->asker->req;
    if (!withdraw(w))
        return;
    q->free_arg = NULL;
    reply_accepted(q, w->asker->r->d->jobs, w->j);
    waiter_free(w);
}

/* The connection is gone. */
static void on_gone(request *q)
{
    waiter *w = q->arg;
    lws_sul_cancel(&w->timer);
    if (withdraw(w))
        waiter_free(w);
}

static void wait_for(request *q, admin_job *j, int64_t seconds)
{
    waiter *w = xalloc(sizeof *w);
    w->j = j;
    w->asker = q->c;
    w->ended.handle = on_ended;
    q->c->n_runs++;
    q->arg = w;
    q->free_arg = on_gone;
    lws_sul_schedule(q->c->r->ctx, 0, &w->timer, on_time, (lws_usec_t)(seconds * LWS_US_PER_SEC));
    list_append(&j->waiting, &w->link);
    j->refs++;
}

static admin_job *make(request *q, const admin_job_kind *kind, const char *target,
                       const char *other)
{
    jobs *all = q->c->r->d->jobs;
    admin_job *j = xalloc(sizeof *j);
    j->d = all->d;
    j->kind = kind;
    snprintf(j->target[0], JOB_TARGET_ROOM, "%s", target ? target : "");
    snprintf(j->target[1], JOB_TARGET_ROOM, "%s", other ? other : "");
    snprintf(j->id, sizeof j->id, "%llx-%llu",
             (unsigned long long)(all->d->started_wall_us / 1000000),
             (unsigned long long)++all->next);
    snprintf(j->user, sizeof j->user, "%s", q->who->name);
    identity_owner(q->who, j->owner);
    atomic_store(&j->total, -1);
    list_init(&j->waiting);
    j->created_us = clock_wall_us();
    j->refs = 2; /* of the list, and of who asks */
    list_prepend(&all->all, &j->link);
    all->n_queued++;
    pthread_cond_signal(&all->work);
    return j;
}

void jobs_submit(request *q, const admin_job_kind *kind, const char *target, const char *other)
{
    jobs *all = q->c->r->d->jobs;
    int64_t seconds;
    bool waits = prefer_wait(http_header(q, HEADER_PREFER), JOBS_WAIT_MAX, &seconds) && seconds > 0;
    error e;
    error_clear(&e);
    admin_job *j = NULL;
    pthread_mutex_lock(&all->lock);
    if (all->shut)
        error_set(&e, ERR_SHUTTING_DOWN, "the daemon is stopping");
    else if (all->n_queued >= JOBS_WAITING_MAX)
        error_set(&e, ERR_BUSY, "%d jobs wait for their turn", all->n_queued);
    else
        j = make(q, kind, target, other);
    if (j && waits)
        wait_for(q, j, seconds);
    pthread_mutex_unlock(&all->lock);
    if (!j) {
        http_reply_error(q, &e);
        return;
    }
    if (!waits)
        reply_accepted(q, all, j);
    pthread_mutex_lock(&all->lock);
    unref(j);
    pthread_mutex_unlock(&all->lock);
}

/* ---- from within a job ------------------------------------------------------------------------
 */

bool admin_job_stopped(admin_job *j, error *e)
{
    if (!atomic_load(&j->stop))
        return false;
    error_clear(e);
    error_set(e, ERR_CANCELLED, "the job was cancelled");
    return true;
}
