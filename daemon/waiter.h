/* Waiting, on a thread that may, for what another thread will say is done. */
#ifndef DAEMON_WAITER_H
#define DAEMON_WAITER_H

#include <pthread.h>
#include <stdbool.h>

typedef struct waiter {
    pthread_mutex_t lock; /* guards done */
    pthread_cond_t changed;
    bool done;
} waiter;

void waiter_init(waiter *w);
/* It is done: once, from any thread. */
void waiter_wake(waiter *w);
/* Until it is; then the waiter is of no more use. */
void waiter_wait(waiter *w);

#endif
