#include "base/task.h"
#include "base/mem.h"

typedef struct pool_thread {
    list link; /* pool->threads or pool->ended */
    task_pool *pool;
    pthread_t id;
} pool_thread;

static bool is_surplus(const task_pool *p)
{
    return p->n_threads > p->wanted && !p->stopping;
}

/* Runs one task; the pool's lock is held before and afterwards. */
static void run_locked(task_pool *p, task *t)
{
    t->state = TASK_RUNNING;
    p->busy++;
    pthread_mutex_unlock(&p->lock);
    task_result r = t->run(t);
    pthread_mutex_lock(&p->lock);
    p->busy--;
    if (r == TASK_DONE)
        return; /* t may be gone */
    if (r == TASK_AGAIN || t->state == TASK_RUNNING_WOKEN) {
        t->state = TASK_QUEUED;
        list_append(&p->ready, &t->link);
        p->queued++;
    } else {
        t->state = TASK_IDLE;
    }
}

static void *worker(void *arg)
{
    pool_thread *self = arg;
    task_pool *p = self->pool;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (list_empty(&p->ready) && !p->stopping && !is_surplus(p))
            pthread_cond_wait(&p->work, &p->lock);
        if (is_surplus(p)) {
            p->n_threads--;
            list_unlink(&self->link);
            list_append(&p->ended, &self->link);
            pthread_cond_signal(&p->work); /* it may have been this one that a task had woken */
            break;
        }
        list *item = list_pop(&p->ready);
        if (!item)
            break;
        p->queued--;
        run_locked(p, list_entry(item, task, link));
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static bool start_one_locked(task_pool *p)
{
    pool_thread *t = mem_zalloc(sizeof *t);
    if (!t)
        return false;
    t->pool = p;
    if (pthread_create(&t->id, NULL, worker, t) != 0) {
        mem_free(t);
        return false;
    }
    pthread_setname_np(t->id, p->name);
    list_append(&p->threads, &t->link);
    p->n_threads++;
    return true;
}

static void join_all(list *of)
{
    for (list *it; (it = list_pop(of));) {
        pool_thread *t = list_entry(it, pool_thread, link);
        pthread_join(t->id, NULL);
        mem_free(t);
    }
}

bool task_pool_resize(task_pool *p, int n)
{
    list ended;
    list_init(&ended);
    pthread_mutex_lock(&p->lock);
    p->wanted = n;
    while (p->n_threads < n && start_one_locked(p))
        ;
    bool ok = p->n_threads >= n;
    if (!ok)
        p->wanted = p->n_threads;
    for (list *it; (it = list_pop(&p->ended));)
        list_append(&ended, it);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    join_all(&ended); /* they have left their loop */
    return ok;
}

void task_pool_look(task_pool *p, task_pool_stats *out)
{
    pthread_mutex_lock(&p->lock);
    *out = (task_pool_stats){
        .threads = p->n_threads, .wanted = p->wanted, .busy = p->busy, .queued = p->queued};
    pthread_mutex_unlock(&p->lock);
}

bool task_pool_start(task_pool *p, int n, const char *name)
{
    *p = (task_pool){.name = name};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    list_init(&p->ready);
    list_init(&p->threads);
    list_init(&p->ended);
    task_pool_resize(p, n);
    return p->n_threads > 0;
}

void task_pool_stop(task_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    join_all(&p->ended);
    join_all(&p->threads);
    p->n_threads = 0;
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
}

void task_init(task *t, task_result (*run)(task *))
{
    list_init(&t->link);
    t->state = TASK_IDLE;
    t->run = run;
}

void task_wake(task_pool *p, task *t)
{
    pthread_mutex_lock(&p->lock);
    if (t->state == TASK_IDLE) {
        t->state = TASK_QUEUED;
        list_append(&p->ready, &t->link);
        p->queued++;
        pthread_cond_signal(&p->work);
    } else if (t->state == TASK_RUNNING) {
        t->state = TASK_RUNNING_WOKEN;
    }
    pthread_mutex_unlock(&p->lock);
}
