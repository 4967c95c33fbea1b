/* A mailbox: many threads post, one thread takes. Messages are intrusive list items, so posting
 * never fails. The owner is woken once per batch: a post wakes it only when the box was empty. */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"

typedef struct mailbox {
    pthread_mutex_t lock; /* guards items and closed */
    pthread_cond_t filled;
    list items;
    bool closed;
    void (*wake)(void *arg); /* called without the lock, by the posting thread; may be NULL */
    void *wake_arg;
} mailbox;

void mailbox_init(mailbox *m, void (*wake)(void *), void *arg);
/* Moves everything waiting onto `out` (an initialised list), in order. Does not block. */
void mailbox_take(mailbox *m, list *out);
/* Like mailbox_take, but waits until something came, the box is closed, or `wait_us` microseconds
 * passed (-1: no limit). False when it is closed and empty. */
bool mailbox_wait(mailbox *m, list *out, long long wait_us);
void mailbox_post(mailbox *m, list *item);
/* Wakes the owner; mailbox_wait then returns false once drained. Posting stays possible. */
void mailbox_close(mailbox *m);
void mailbox_destroy(mailbox *m); /* must be empty */

#endif
