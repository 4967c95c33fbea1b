/* Jobs: work that takes long (backups, maintenance), asked for by a request and done by a thread of
 * its own, one after the other, since all of it is hard on the disk.
 *
 *     request -> jobs_submit -> 202 and the job's place, or the result where the client prefers to
 *                               wait for it (Prefer: wait=N, RFC 7240) and it ends in time
 *             thread "jobs": kind->run
 *
 * The newest jobs are remembered for as long as the daemon runs. */
#ifndef DAEMON_JOBS_H
#define DAEMON_JOBS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "daemon/http.h"
#include "json/writer.h"

typedef struct jobs jobs;
typedef struct admin_job admin_job;

enum {
    JOBS_WAITING_MAX = 32, /* jobs that may wait for their turn; more get BUSY */
    JOBS_KEPT = 200,       /* jobs remembered that have ended */
    JOBS_WAIT_MAX = 300,   /* seconds that a request may wait */
    JOB_TARGETS = 2,
    JOB_TARGET_ROOM = 80,
};

typedef struct admin_job_kind {
    const char *name; /* "vacuum" */
    const char *unit; /* what progress counts; NULL: how far it is is never known */
    int status;       /* of the answer to a request that waited for the result */
    const char *made; /* path that target[0] is below, for Location of a 201; NULL: none */
    /* Does the work, on the thread of the jobs, and writes the result: an object. False with *e set
     * when it failed; CANCELLED when it saw admin_job_stopped. Neither may leave anything half
     * done.
     */
    bool (*run)(admin_job *j, json_writer *result, error *e);
} admin_job_kind;

typedef enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED } job_state;

struct admin_job {
    server *d;
    const admin_job_kind *kind;
    char target[JOB_TARGETS][JOB_TARGET_ROOM]; /* names of what it is about; may be empty */
    char id[40];
    char user[64];
    char owner[IDENTITY_OWNER];   /* who asked for it (identity_owner) */
    atomic_llong progress, total; /* in units; total -1: not known */
    atomic_bool stop;             /* it is to end */

    /* guarded by the lock of the jobs */
    list link;    /* in jobs.all, newest first */
    list waiting; /* requests that wait for it */
    int refs;
    job_state state;
    int64_t created_us, started_us, finished_us; /* wall clock; 0: not yet */
    buf result;                                  /* JOB_DONE */
    error err;                                   /* JOB_FAILED, JOB_CANCELLED */
};

jobs *jobs_start(server *d, error *e);
/* Cancels all there are and takes no more: those who wait for one are answered. */
void jobs_shut(jobs *all);
/* Waits for the thread. */
void jobs_wait(jobs *all);
void jobs_free(jobs *all); /* when the reactors are gone */

/* Makes a job for a request, which is answered in every case. Targets may be NULL. Reactor thread.
 */
void jobs_submit(request *q, const admin_job_kind *kind, const char *target, const char *other);

/* ---- looking and cancelling: any thread; memory alone ----
 * Everybody has the jobs that he asked for; with the scope `maintenance`, those of others too. */

/* A page, newest first: {"total","offset","limit","jobs":[...]}. state: NULL or the name of one. */
void jobs_list(jobs *all, const identity *who, const char *state, int64_t offset, int64_t limit,
               json_writer *w);
/* NOT_FOUND when it is not known (any more). */
bool jobs_describe(jobs *all, const identity *who, const char *id, json_writer *w, error *e);
/* Asks it to end. CONFLICT when it has ended. */
bool jobs_cancel(jobs *all, const identity *who, const char *id, error *e);

/* ---- from within run ---- */
/* Whether it is to end; then *e is CANCELLED. */
bool admin_job_stopped(admin_job *j, error *e);
/* Runs a job of the engine (kind and statements set) to its end; rows are dropped. */
bool admin_job_engine(admin_job *a, job *j, error *e);

#endif
