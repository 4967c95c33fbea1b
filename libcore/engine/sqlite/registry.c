#include "engine/sqlite/registry.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static list *bucket_of(registry *r, const char *id)
{
    uint32_t h = 2166136261u;
    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 16777619u;
    return &r->buckets[(h ^ h >> 16) % REGISTRY_BUCKETS];
}

static job *find_locked(registry *r, const char *id)
{
    list *bucket = bucket_of(r, id);
    list_each(it, bucket)
    {
        job *j = list_entry(it, job, active);
        if (strcmp(j->id, id) == 0)
            return j;
    }
    return NULL;
}

/* Short, not guessable from outside, cheap to make. */
static void make_id(registry *r, char *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = strlen(r->prefix);
    memcpy(out, r->prefix, n);
    char digits[16];
    int k = 0;
    for (uint64_t v = ++r->last_id; v || !k; v >>= 4)
        digits[k++] = hex[v & 15];
    while (k)
        out[n++] = digits[--k];
    out[n] = '\0';
}

/* ---- asking jobs to stop ----------------------------------------------------------------------
 */

static void mark_locked(registry *r, job *j, error_code why)
{
    int none = ERR_NONE;
    if (!atomic_compare_exchange_strong(&j->cancel, &none, (int)why))
        return;
    if (j->place == PLACE_READER) {
        task_wake(r->readers, &j->task);
    } else if (j->place == PLACE_WRITER && !r->kick) {
        r->kick = true;
        pthread_cond_signal(&r->changed);
    }
}

bool registry_cancel(registry *r, job *j, error_code why)
{
    pthread_mutex_lock(&r->lock);
    bool here = j->place != PLACE_NONE;
    if (here)
        mark_locked(r, j, why);
    pthread_mutex_unlock(&r->lock);
    return here;
}

bool registry_cancel_id(registry *r, const char *id, error_code why)
{
    pthread_mutex_lock(&r->lock);
    job *j = find_locked(r, id);
    if (j)
        mark_locked(r, j, why);
    pthread_mutex_unlock(&r->lock);
    return j != NULL;
}

void registry_resume(registry *r, job *j)
{
    pthread_mutex_lock(&r->lock);
    if (j->place == PLACE_READER)
        task_wake(r->readers, &j->task);
    pthread_mutex_unlock(&r->lock);
}

/* Marks jobs whose time is up, and finds the next deadline. */
static void check_deadlines(registry *r)
{
    int64_t now = clock_mono_us();
    if (now < r->next_deadline)
        return;
    r->next_deadline = INT64_MAX;
    for (int i = 0; i < REGISTRY_BUCKETS; i++) {
        list_each(it, &r->buckets[i])
        {
            job *j = list_entry(it, job, active);
            if (atomic_load_explicit(&j->cancel, memory_order_relaxed) != ERR_NONE)
                continue;
            if (j->deadline_us <= now)
                mark_locked(r, j, ERR_TIMEOUT);
            else if (j->deadline_us < r->next_deadline)
                r->next_deadline = j->deadline_us;
        }
    }
}

static struct timespec as_timespec(int64_t mono_us)
{
    return (struct timespec){mono_us / 1000000, mono_us % 1000000 * 1000};
}

static void *sweep(void *arg)
{
    registry *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        check_deadlines(r);
        if (r->kick) {
            r->kick = false;
            pthread_mutex_unlock(&r->lock);
            r->hooks.sweep_writer(r->arg);
            pthread_mutex_lock(&r->lock);
            continue;
        }
        if (r->next_deadline == INT64_MAX) {
            pthread_cond_wait(&r->changed, &r->lock);
        } else {
            struct timespec until = as_timespec(r->next_deadline);
            pthread_cond_timedwait(&r->changed, &r->lock, &until);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- coming and going -------------------------------------------------------------------------
 */

static void reject_locked(registry *r, job *j, error_code why)
{
    int none = ERR_NONE;
    atomic_compare_exchange_strong(&j->cancel, &none, (int)why);
    j->place = PLACE_REJECTED;
    task_init(&j->task, r->hooks.reject);
    task_wake(r->readers, &j->task);
}

static void accept_locked(registry *r, job *j, int place)
{
    j->place = place;
    list_append(bucket_of(r, j->id), &j->active);
    if (j->deadline_us < r->next_deadline) {
        r->next_deadline = j->deadline_us;
        pthread_cond_signal(&r->changed);
    }
    if (place == PLACE_READER) {
        task_init(&j->task, r->hooks.read);
        task_wake(r->readers, &j->task);
    }
}

bool registry_add(registry *r, job *j, int place, error_code refuse)
{
    list_init(&j->active);
    pthread_mutex_lock(&r->lock);
    if (!j->id[0])
        make_id(r, j->id);
    else if (refuse == ERR_NONE && find_locked(r, j->id))
        refuse = ERR_CONFLICT;
    if (r->closing)
        refuse = ERR_SHUTTING_DOWN;
    r->active++;
    if (refuse != ERR_NONE)
        reject_locked(r, j, refuse);
    else
        accept_locked(r, j, place);
    pthread_mutex_unlock(&r->lock);
    return refuse == ERR_NONE;
}

void registry_reject(registry *r, job *j, error_code why)
{
    pthread_mutex_lock(&r->lock);
    reject_locked(r, j, why);
    pthread_mutex_unlock(&r->lock);
}

void registry_kick(registry *r)
{
    pthread_mutex_lock(&r->lock);
    r->kick = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void registry_move(registry *r, job *j, int place)
{
    pthread_mutex_lock(&r->lock);
    j->place = place;
    pthread_mutex_unlock(&r->lock);
}

error_code registry_remove(registry *r, job *j)
{
    pthread_mutex_lock(&r->lock);
    list_unlink(&j->active);
    j->place = PLACE_NONE;
    int why = atomic_load(&j->cancel);
    pthread_mutex_unlock(&r->lock);
    return (error_code)why;
}

/* Separate from removal: the engine may go away only after the last sink was told. */
void registry_done(registry *r)
{
    pthread_mutex_lock(&r->lock);
    if (--r->active == 0)
        pthread_cond_broadcast(&r->drained);
    pthread_mutex_unlock(&r->lock);
}

int registry_active(registry *r)
{
    pthread_mutex_lock(&r->lock);
    int n = r->active;
    pthread_mutex_unlock(&r->lock);
    return n;
}

void registry_shut(registry *r)
{
    pthread_mutex_lock(&r->lock);
    r->closing = true;
    pthread_mutex_unlock(&r->lock);
}

void registry_drain(registry *r, int64_t until_us)
{
    struct timespec until = as_timespec(until_us);
    pthread_mutex_lock(&r->lock);
    while (r->active > 0 && pthread_cond_timedwait(&r->drained, &r->lock, &until) != ETIMEDOUT)
        ;
    for (int i = 0; i < REGISTRY_BUCKETS; i++) {
        list_each(it, &r->buckets[i])
            mark_locked(r, list_entry(it, job, active), ERR_SHUTTING_DOWN);
    }
    while (r->active > 0)
        pthread_cond_wait(&r->drained, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

bool registry_start(registry *r, task_pool *readers, const registry_hooks *hooks, void *arg,
                    error *e)
{
    *r = (registry){.next_deadline = INT64_MAX, .readers = readers, .hooks = *hooks, .arg = arg};
    for (int i = 0; i < REGISTRY_BUCKETS; i++)
        list_init(&r->buckets[i]);
    unsigned char random[4] = {0};
    RAND_bytes(random, sizeof random);
    snprintf(r->prefix, sizeof r->prefix, "%02x%02x%02x%02x-", random[0], random[1], random[2],
             random[3]);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, &attr);
    pthread_cond_init(&r->drained, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&r->sweeper, NULL, sweep, r) == 0) {
        pthread_setname_np(r->sweeper, "sql-sweeper");
        return true;
    }
    error_clear(e);
    return error_set(e, ERR_INTERNAL_ERROR, "no thread could be started");
}

void registry_stop(registry *r)
{
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->sweeper, NULL);
    pthread_cond_destroy(&r->changed);
    pthread_cond_destroy(&r->drained);
    pthread_mutex_destroy(&r->lock);
}
