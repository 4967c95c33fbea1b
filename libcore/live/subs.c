#include <string.h>

#include "base/mem.h"
#include "live/state.h"

void lq_sub_free(lq_sub *s)
{
    lq_ask_free(s->ask);
    feed_msg_free(s->answer);
    feed_msg_free(s->next);
    lq_result_unref(s->base);
    mem_free(s);
}

/* ---- from state to state ----------------------------------------------------------------------
 */

static void leave_live(lq_sub *s)
{
    lq_stream *st = s->stream;
    lq_outlet *o = &st->outlets[s->form];
    o->n_live--;
    o->live_at[s->listener]--;
    list_unlink(&s->link);
    if (list_empty(&st->live)) { /* nobody has it any more */
        lq_result_unref(st->base);
        st->base = NULL;
    }
}

void lq_sub_move(lq_sub *s, lq_sub_state to)
{
    lq_stream *st = s->stream;
    if (s->state == LQ_SUB_LIVE)
        leave_live(s);
    list_unlink(&s->link);
    if (s->state == LQ_SUB_BESIDE) {
        lq_result_unref(s->base);
        s->base = NULL;
    }
    s->state = to;
    switch (to) {
    case LQ_SUB_WAITING:
        list_append(&s->query->waiting, &s->link);
        break;
    case LQ_SUB_BESIDE:
        list_append(&st->beside, &s->link);
        break;
    case LQ_SUB_LIVE:
        list_append(&st->live, &s->link);
        st->outlets[s->form].n_live++;
        st->outlets[s->form].live_at[s->listener]++;
        break;
    case LQ_SUB_NEW:
    case LQ_SUB_OVER:
        break;
    }
}

/* It stays while its mail is under way (a request may have been posted this moment). */
void lq_sub_forget(queries *f, lq_sub *s)
{
    const lq_sub_key key = {(uint64_t)s->listener, s->number};
    lq_query *q = s->query;
    lq_stream *st = s->stream;
    lq_sub_move(s, LQ_SUB_OVER);
    s->query = NULL;
    s->stream = NULL;
    if (st)
        lq_stream_leave(st);
    pthread_mutex_lock(&f->lock);
    map_take(&f->subs, (const char *)&key, sizeof key);
    bool queued = s->queued;
    pthread_mutex_unlock(&f->lock);
    if (!queued)
        lq_sub_free(s);
    if (!q)
        return;
    lq_count(&f->n_subs, -1);
    if (--q->subs == 0)
        lq_query_release(f, q);
    else
        lq_query_update(f, q);
}

void lq_sub_sent(queries *f, int listener, const feed_msg *m)
{
    const lq_sub_key key = {(uint64_t)listener, m->sub};
    pthread_mutex_lock(&f->lock);
    lq_sub *s = map_get(&f->subs, (const char *)&key, sizeof key);
    if (s)
        s->unread += m->frames->len;
    pthread_mutex_unlock(&f->lock);
}

/* ---- admission --------------------------------------------------------------------------------
 */

/* Any result will do that holds what was committed by now. */
static void wait_for_result(queries *f, lq_sub *s)
{
    lq_query *q = s->query;
    s->need_lsn = q->done ? q->touched : f->at;
    s->need_run = q->rerun ? q->runs + 1 : 0;
    lq_sub_move(s, LQ_SUB_WAITING);
    if (lq_query_serves(q, s))
        q->to_send = true;
    lq_query_update(f, q);
}

/* Leaves its stream and begins again; it keeps its query. */
static void restart(queries *f, lq_sub *s)
{
    lq_stream *st = s->stream;
    pthread_mutex_lock(&f->lock);
    s->answer = s->next;
    s->next = NULL;
    pthread_mutex_unlock(&f->lock);
    lq_sub_move(s, LQ_SUB_NEW);
    s->stream = NULL;
    lq_stream_leave(st);
    wait_for_result(f, s);
}

static bool admit(queries *f, lq_sub *s, error *e)
{
    lq_query *q = lq_query_get(f, &s->ask, e);
    if (!q)
        return false;
    lq_ask_free(s->ask); /* where the query is there already */
    s->ask = NULL;
    s->query = q;
    q->subs++;
    lq_count(&f->n_subs, 1);
    s->interval_us = lq_interval(s->interval_us, atomic_load(&f->min_interval_us));
    wait_for_result(f, s);
    return true;
}

static void refuse(queries *f, lq_sub *s, const error *why)
{
    feed_msg *m = s->answer;
    s->answer = NULL;
    m->err = *why;
    lq_post(f, s->listener, m);
    lq_sub_forget(f, s);
}

static bool look_first(queries *f)
{
    error e;
    error_clear(&e);
    if (atomic_load(&f->active))
        return lq_look(f);
    if (lq_begin_watching(f, &e))
        return true;
    lq_back_off(f, "looking at the change log", &e);
    return false;
}

void lq_admit_all(queries *f)
{
    error e;
    if (list_empty(&f->arrivals) || !look_first(f))
        return;
    for (list *it; (it = list_pop(&f->arrivals));) {
        lq_sub *s = list_entry(it, lq_sub, link);
        error_clear(&e);
        if (!admit(f, s, &e))
            refuse(f, s, &e);
    }
    atomic_store(&f->active, !list_empty(&f->all));
}

/* ---- mail -------------------------------------------------------------------------------------
 */

void lq_sub_on_mail(queries *f, lq_sub *s)
{
    pthread_mutex_lock(&f->lock);
    unsigned asked = s->asked;
    s->asked = 0;
    s->queued = false;
    pthread_mutex_unlock(&f->lock);

    if (s->state == LQ_SUB_OVER)
        lq_sub_free(s);                  /* nobody can ask about it any more */
    else if (asked & LQ_ASK_UNSUBSCRIBE) /* unheard, where it was not yet admitted */
        lq_sub_forget(f, s);
    else if (asked & LQ_ASK_SUBSCRIBE)
        list_append(&f->arrivals, &s->link);
    else if (asked & LQ_ASK_RESTART && s->stream)
        restart(f, s);
}
