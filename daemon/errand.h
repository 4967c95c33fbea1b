/* An errand: a little work that may block (files, a lock), done for one request by a worker's
 * thread, which answers it on its reactor. What takes long is a job (jobs.h).
 *
 *     typedef struct my { errand k; ... } my;
 *     my *m = xalloc(sizeof *m); m->k.work = work; m->k.answer = answer;
 *     errand_start(q, &m->k);
 */
#ifndef DAEMON_ERRAND_H
#define DAEMON_ERRAND_H

#include "base/task.h"
#include "daemon/http.h"

typedef struct errand {
    /* On a worker's thread; sets failed and err, or keeps its result in what it is part of. */
    void (*work)(struct errand *k, server *d);
    /* On the reactor, when it did not fail. */
    void (*answer)(struct errand *k, request *q);
    /* Frees what work left and the errand itself. NULL: mem_free(k) is enough. */
    void (*end)(struct errand *k);
    bool failed;
    error err;

    task task;
    reactor_msg home;
    conn *asker; /* held by n_runs */
} errand;

/* The request is answered by the errand, in every case; k is freed when it is done. */
void errand_start(request *q, errand *k);
/* The same on the threads of another pool. */
void errand_start_on(task_pool *pool, request *q, errand *k);

#endif
