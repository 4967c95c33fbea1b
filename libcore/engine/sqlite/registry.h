/* The jobs that are under way: found by id, watched for their deadlines, asked to stop.
 *
 * A job is here from submit until right before its sink's done. The registry's thread (the sweeper)
 * sleeps until the nearest deadline; it marks jobs whose time is up and asks for the waiting ones
 * to be answered. A running statement sees the mark in its progress handler. */
#ifndef ENGINE_SQLITE_REGISTRY_H
#define ENGINE_SQLITE_REGISTRY_H

#include <pthread.h>

#include "engine/engine.h"

enum { REGISTRY_BUCKETS = 1024 };

/* job.place: who has it. */
enum job_place {
    PLACE_NONE,     /* its maker */
    PLACE_READER,   /* a task of the reader pool; a wake is harmless at any time */
    PLACE_WRITER,   /* the writer's queue or the writer thread */
    PLACE_REJECTED, /* a task that only says no */
};

typedef struct registry_hooks {
    /* Answers what waits in the writer's queue and was asked to stop. Called without the lock. */
    void (*sweep_writer)(void *arg);
    task_result (*read)(task *t);   /* runs a job of PLACE_READER */
    task_result (*reject)(task *t); /* ends a job with its cancel code */
} registry_hooks;

typedef struct registry {
    pthread_mutex_t lock;           /* guards all below, and place and active of every job */
    pthread_cond_t changed;         /* for the sweeper */
    pthread_cond_t drained;         /* active became 0 */
    list buckets[REGISTRY_BUCKETS]; /* job.active, by hash of id */
    int active;
    bool closing, stop;
    bool kick;             /* a job of the writer was asked to stop */
    int64_t next_deadline; /* the sweeper sleeps until then */
    uint64_t last_id;
    char prefix[10]; /* of generated ids */
    pthread_t sweeper;
    task_pool *readers;
    registry_hooks hooks;
    void *arg;
} registry;

bool registry_start(registry *r, task_pool *readers, const registry_hooks *hooks, void *arg,
                    error *e);
/* Ends the sweeper. */
void registry_stop(registry *r);

/* Takes a job in and gives it an id. A reading job starts at once, so the caller may not touch it
 * afterwards. refuse: why it cannot be taken (BUSY), else ERR_NONE; with it, while closing, or when
 * its id is taken, the job is ended by a task. False when it was. */
bool registry_add(registry *r, job *j, int place, error_code refuse);
/* Ends a job of the writer that is not in its queue. */
void registry_reject(registry *r, job *j, error_code why);
/* Has the writer's queue swept soon. */
void registry_kick(registry *r);
void registry_move(registry *r, job *j, int place);
/* The last use of a job before done. Returns why it was asked to stop, if it was. */
error_code registry_remove(registry *r, job *j);
/* After done: it no longer counts as active. */
void registry_done(registry *r);

/* False when the job is not here (any more). */
bool registry_cancel(registry *r, job *j, error_code why);
bool registry_cancel_id(registry *r, const char *id, error_code why);
void registry_resume(registry *r, job *j);
int registry_active(registry *r);

/* No new jobs from here on. */
void registry_shut(registry *r);
/* Waits until nothing is active, or until the deadline (monotonic); then asks all to stop and waits
 * for that. */
void registry_drain(registry *r, int64_t until_us);

#endif
