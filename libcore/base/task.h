/* A pool of threads that runs tasks. A task is a small actor: its run function works until it is
 * done or has nothing to do now, and any thread may wake it again. A task never runs on two threads
 * at once, and a wake that comes while it runs makes it run once more, so no wake is lost.
 *
 * So a query whose client reads slowly does not hold a thread: it returns TASK_WAIT when its output
 * is full and is woken when there is room. */
#ifndef BASE_TASK_H
#define BASE_TASK_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"

typedef enum task_result {
    TASK_WAIT,  /* call again after task_wake */
    TASK_AGAIN, /* give others a turn, then call again */
    TASK_DONE,  /* the pool forgets the task; run may have freed it */
} task_result;

typedef enum task_state { TASK_IDLE, TASK_QUEUED, TASK_RUNNING, TASK_RUNNING_WOKEN } task_state;

typedef struct task {
    list link;        /* pool->ready while TASK_QUEUED */
    task_state state; /* guarded by pool->lock */
    task_result (*run)(struct task *);
} task;

typedef struct task_pool {
    pthread_mutex_t lock; /* guards all below and every task's state */
    pthread_cond_t work;
    list ready;
    const char *name;
    list threads; /* those that work */
    list ended;   /* those that were one too many, to be joined */
    int n_threads;
    int wanted; /* threads beyond so many end when they have nothing in hand */
    int busy;   /* threads that run a task */
    bool stopping;
    int queued; /* tasks in ready */
} task_pool;

/* Starts n threads, named `name` (a literal). False when none could be started. */
bool task_pool_start(task_pool *p, int n, const char *name);
/* Has n threads (at least 1) work from now on: starts what is missing, and lets those that are too
 * many end when they have finished what they run; no task is lost. Any thread; waits for none.
 * False when not all could be started: those that were go on. */
bool task_pool_resize(task_pool *p, int n);
typedef struct task_pool_stats {
    int threads, wanted, busy, queued;
} task_pool_stats;
void task_pool_look(task_pool *p, task_pool_stats *out);
/* Runs what is ready, then ends the threads. Every task must be done or never be woken again. */
void task_pool_stop(task_pool *p);
/* Makes a task known (state idle). */
void task_init(task *t, task_result (*run)(task *));
/* Queues it, or has it run once more if it is running. Any thread. */
void task_wake(task_pool *p, task *t);

#endif
