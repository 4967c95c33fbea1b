#include "base/mailbox.h"

#include <errno.h>
#include <time.h>

void mailbox_init(mailbox *m, void (*wake)(void *), void *arg)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->filled, &attr);
    pthread_condattr_destroy(&attr);
    list_init(&m->items);
    m->closed = false;
    m->wake = wake;
    m->wake_arg = arg;
}

static void move_all(list *from, list *to)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

void mailbox_take(mailbox *m, list *out)
{
    pthread_mutex_lock(&m->lock);
    move_all(&m->items, out);
    pthread_mutex_unlock(&m->lock);
}

bool mailbox_wait(mailbox *m, list *out, long long wait_us)
{
    struct timespec until;
    if (wait_us >= 0) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        long long ns = until.tv_nsec + wait_us % 1000000 * 1000;
        until.tv_sec += wait_us / 1000000 + ns / 1000000000;
        until.tv_nsec = ns % 1000000000;
    }
    pthread_mutex_lock(&m->lock);
    int rc = 0;
    while (list_empty(&m->items) && !m->closed && rc != ETIMEDOUT)
        rc = wait_us < 0 ? pthread_cond_wait(&m->filled, &m->lock)
                         : pthread_cond_timedwait(&m->filled, &m->lock, &until);
    bool alive = !list_empty(&m->items) || !m->closed;
    move_all(&m->items, out);
    pthread_mutex_unlock(&m->lock);
    return alive;
}

void mailbox_post(mailbox *m, list *item)
{
    pthread_mutex_lock(&m->lock);
    bool was_empty = list_empty(&m->items);
    list_append(&m->items, item);
    if (was_empty && !m->wake)
        pthread_cond_signal(&m->filled);
    pthread_mutex_unlock(&m->lock);
    if (was_empty && m->wake)
        m->wake(m->wake_arg);
}

void mailbox_close(mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    pthread_cond_broadcast(&m->filled);
    pthread_mutex_unlock(&m->lock);
    if (m->wake)
        m->wake(m->wake_arg);
}

void mailbox_destroy(mailbox *m)
{
    pthread_cond_destroy(&m->filled);
    pthread_mutex_destroy(&m->lock);
}
