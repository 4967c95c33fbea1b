#include "base/task.h"
#include "base/mem.h"

static void *worker(void *arg)
{
    task_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (list_empty(&p->ready) && !p->stopping)
            pthread_cond_wait(&p->work, &p->lock);
        list *item = list_pop(&p->ready);
        if (!item)
            break;
        p->queued--;
        task *t = list_entry(item, task, link);
        t->state = TASK_RUNNING;
        pthread_mutex_unlock(&p->lock);
        task_result r = t->run(t);
        pthread_mutex_lock(&p->lock);
        if (r == TASK_DONE)
            continue; /* t may be gone */
        if (r == TASK_AGAIN || t->state == TASK_RUNNING_WOKEN) {
            t->state = TASK_QUEUED;
            list_append(&p->ready, &t->link);
            p->queued++;
        } else {
            t->state = TASK_IDLE;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

bool task_pool_start(task_pool *p, int n, const char *name)
{
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    list_init(&p->ready);
    p->stopping = false;
    p->queued = 0;
    p->n_threads = 0;
    p->threads = xalloc((size_t)n * sizeof *p->threads);
    for (int i = 0; i < n; i++) {
        if (pthread_create(&p->threads[i], NULL, worker, p) != 0)
            break;
        pthread_setname_np(p->threads[i], name);
        p->n_threads++;
    }
    return p->n_threads > 0;
}

void task_pool_stop(task_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    mem_free(p->threads);
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
