#include "daemon/errand.h"
#include "base/mem.h"

static void arrived(reactor *r, reactor_msg *m)
{
    errand *k = list_entry(m, errand, home);
    conn *c = k->asker;
    (void)r;
    c->n_runs--;
    if (c->state != CONN_DEAD && c->req) {
        if (k->failed)
            http_reply_error(c->req, &k->err);
        else
            k->answer(k, c->req);
    }
    conn_reap(c);
    if (k->end)
        k->end(k);
    else
        mem_free(k);
}

static task_result go(task *t)
{
    errand *k = list_entry(t, errand, task);
    k->work(k, k->asker->r->d);
    reactor_post(k->asker->r, &k->home);
    return TASK_DONE;
}

void errand_start_on(task_pool *pool, request *q, errand *k)
{
    k->asker = q->c;
    k->home.handle = arrived;
    error_clear(&k->err);
    task_init(&k->task, go);
    q->c->n_runs++;
    task_wake(pool, &k->task);
}

void errand_start(request *q, errand *k)
{
    errand_start_on(&q->c->r->d->workers, q, k);
}
