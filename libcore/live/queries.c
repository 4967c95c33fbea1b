#include "live/queries.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "live/state.h"

enum {
    PAUSE_MIN_US = 10000,
    PAUSE_MAX_US = 1000000,
    KEEP_BUFFER = 1 << 20,
    LOOK_US = 5000, /* at least between two looks at the log for commits' sake */
};

/* ---- messages to listeners --------------------------------------------------------------------
 */

uint64_t lq_stream_number(const lq_stream *s, int form)
{
    return LIVE_STREAM | (s->id * LIVE_MAX_FORMS + (uint64_t)form);
}

feed_msg *lq_msg_new(feed_msg_kind kind, const lq_sub *s)
{
    feed_msg *m = mem_zalloc(sizeof *m);
    if (!m)
        return NULL;
    list_init(&m->link);
    m->tag = FEED_TAG;
    m->kind = kind;
    if (s)
        m->sub = s->number;
    if (s && s->stream)
        m->stream = lq_stream_number(s->stream, s->form);
    return m;
}

void lq_post(queries *f, int listener, feed_msg *m)
{
    pthread_mutex_lock(&f->lock);
    mailbox *box = f->listeners[listener];
    pthread_mutex_unlock(&f->lock);
    mailbox_post(box, &m->link);
}

void lq_count(_Atomic int64_t *what, int64_t n)
{
    atomic_fetch_add_explicit(what, n, memory_order_relaxed);
}

/* ---- the thread -------------------------------------------------------------------------------
 */

void lq_back_off(queries *f, const char *doing, const error *e)
{
    f->retry_us = f->retry_us ? f->retry_us * 2 : PAUSE_MIN_US;
    if (f->retry_us > PAUSE_MAX_US)
        f->retry_us = PAUSE_MAX_US;
    f->retry_at = clock_mono_us() + f->retry_us;
    log_error("live_retry", "%s for live queries failed (%s); trying again in %lld ms", doing,
              e && e->code != ERR_NONE ? e->message : "out of memory",
              (long long)f->retry_us / 1000);
}

static void take_mail(queries *f, list *mail)
{
    list *item;
    while ((item = list_pop(mail))) {
        lq_mail *m = list_entry(item, lq_mail, link);
        switch (m->kind) {
        case LQ_MAIL_WAKE:
            f->look_wanted = true;
            break;
        case LQ_MAIL_STOP:
            f->stopping = true;
            break;
        case LQ_MAIL_SUB:
            lq_sub_on_mail(f, list_entry(m, lq_sub, mail));
            break;
        case LQ_MAIL_RUN:
            lq_query_on_run(f, list_entry(m, lq_run, mail));
            break;
        }
    }
}

/* When there is something to do, without mail. */
static int64_t next_work(const queries *f)
{
    int64_t next = lq_query_next(f);
    if (f->look_wanted && f->looked_at + LOOK_US < next)
        next = f->looked_at + LOOK_US;
    if (!list_empty(&f->arrivals))
        next = 0;
    if (f->retry_us && next < f->retry_at)
        next = f->retry_at;
    return next;
}

static int64_t pause_us(const queries *f)
{
    int64_t next = next_work(f);
    if (next == LQ_NEVER)
        return -1;
    int64_t left = next - clock_mono_us();
    return left > 0 ? left : 0;
}

/* Buffers that one large result made large. */
static void trim(queries *f)
{
    if (f->text.cap > KEEP_BUFFER)
        buf_free(&f->text);
    if (f->frames.cap > KEEP_BUFFER)
        buf_free(&f->frames);
}

static void work(queries *f)
{
    int64_t failed_at = f->retry_at, now = clock_mono_us();
    if (next_work(f) > now)
        return;
    lq_admit_all(f);
    if (f->look_wanted && !atomic_load(&f->active)) { /* nobody is left who wanted to know */
        f->look_wanted = false;
        atomic_store(&f->woken, false);
    }
    if (f->look_wanted && now >= f->looked_at + LOOK_US && f->retry_at == failed_at)
        lq_look(f);
    if (f->retry_at == failed_at)
        lq_query_work(f);
    if (f->retry_at == failed_at)
        f->retry_us = f->retry_at = 0;
    trim(f);
}

/* Runs come back through the mailbox, so the thread ends when the last has. */
static void *run(void *arg)
{
    queries *f = arg;
    list mail;
    list_init(&mail);
    while (!f->stopping) {
        mailbox_wait(&f->box, &mail, pause_us(f));
        take_mail(f, &mail);
        if (!f->stopping)
            work(f);
    }
    list_each(it, &f->all)
    {
        lq_query *q = list_entry(it, lq_query, link);
        if (q->run)
            engine_cancel(f->engine, &q->run->job, ERR_SHUTTING_DOWN);
    }
    while (f->running) {
        mailbox_wait(&f->box, &mail, -1);
        take_mail(f, &mail);
    }
    return NULL;
}

/* ---- starting and stopping --------------------------------------------------------------------
 */

static void drop_subs(queries *f, list *subs)
{
    for (list *it; (it = list_pop(subs));)
        lq_sub_forget(f, list_entry(it, lq_sub, link));
}

/* Everything but what queries_wake touches. The thread has ended. */
static void release(queries *f)
{
    list mail;
    list_init(&mail);
    mailbox_take(&f->box, &mail);
    take_mail(f, &mail);
    drop_subs(f, &f->arrivals);
    list_each_safe(it, &f->all)
    {
        lq_query *q = list_entry(it, lq_query, link);
        q->subs++; /* stays until we let it go */
        drop_subs(f, &q->waiting);
        while (!list_empty(&q->streams)) {
            lq_stream *s = list_entry(q->streams.next, lq_stream, link);
            list *of = list_empty(&s->live) ? &s->beside : &s->live;
            lq_sub_forget(f, list_entry(of->next, lq_sub, link));
        }
        q->subs--;
        lq_query_release(f, q);
    }
    map_free(&f->by_digest);
    map_free(&f->tables);
    map_free(&f->subs);
    mem_free(f->heap);
    if (f->reader)
        engine_log_close(f->reader);
    lq_writer_free(&f->writer);
    buf_free(&f->text);
    buf_free(&f->frames);
}

void queries_free(queries *f)
{
    if (!f)
        return;
    mailbox_destroy(&f->box);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

static queries *make(engine *g, const queries_config *config)
{
    queries *f = mem_zalloc(sizeof *f);
    if (!f)
        return NULL;
    f->engine = g;
    f->config = *config;
    if (f->config.parallel < 1)
        f->config.parallel = 1;
    queries_set_limits(f, &config->limits);
    mailbox_init(&f->box, NULL, NULL);
    pthread_mutex_init(&f->lock, NULL);
    f->wake_mail.kind = LQ_MAIL_WAKE;
    f->stop_mail.kind = LQ_MAIL_STOP;
    list *lists[] = {&f->wake_mail.link, &f->stop_mail.link, &f->all, &f->ready, &f->arrivals};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    return f;
}

queries *queries_start(engine *g, const queries_config *config, error *e)
{
    queries *f = make(g, config);
    log_bounds bounds;
    if (!f) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    f->reader = engine_log_open(g, e);
    bool ok = f->reader && engine_log_bounds(f->reader, &bounds, e);
    if (ok) {
        memcpy(f->log_id, bounds.log_id, sizeof f->log_id);
        ok = pthread_create(&f->thread, NULL, run, f) == 0 ||
             error_set(e, ERR_INTERNAL_ERROR, "cannot start the thread of live queries");
    }
    if (!ok) {
        release(f);
        queries_free(f);
        return NULL;
    }
    pthread_setname_np(f->thread, "live");
    return f;
}

void queries_set_limits(queries *f, const queries_limits *l)
{
    atomic_store(&f->max_queries, l->max_queries);
    atomic_store(&f->max_rows, l->max_rows);
    atomic_store(&f->max_result, l->max_result);
    atomic_store(&f->max_memory, l->max_memory);
    atomic_store(&f->min_interval_us, l->min_interval_us);
}

void queries_stop(queries *f)
{
    mailbox_post(&f->box, &f->stop_mail.link);
    pthread_join(f->thread, NULL);
    release(f);
}

/* ---- what others ask --------------------------------------------------------------------------
 */

void queries_wake(queries *f)
{
    if (atomic_load(&f->active) && !atomic_exchange(&f->woken, true))
        mailbox_post(&f->box, &f->wake_mail.link);
}

void queries_add_listener(queries *f, int listener, mailbox *box)
{
    pthread_mutex_lock(&f->lock);
    f->listeners[listener] = box;
    pthread_mutex_unlock(&f->lock);
}

bool queries_hash(const engine_stmt *stmt, const viewer *as, char out[LIVE_HASH + 1])
{
    lq_ask *a = lq_ask_new(stmt, as);
    if (a)
        memcpy(out, a->hash, LIVE_HASH + 1);
    lq_ask_free(a);
    return a != NULL;
}

static lq_sub *sub_from(const query_request *r)
{
    lq_sub *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    list_init(&s->mail.link);
    list_init(&s->link);
    s->mail.kind = LQ_MAIL_SUB;
    s->listener = r->listener;
    s->number = r->sub;
    s->form = r->form;
    s->interval_us = r->min_interval_us;
    s->answer = lq_msg_new(FEED_REFUSED, s);
    s->ask = lq_ask_new(r->stmt, r->as);
    if (s->answer && s->ask)
        return s;
    lq_sub_free(s);
    return NULL;
}

/* Asks for something about a subscription. Under the lock; true: its mail is to be posted. */
static bool ask(lq_sub *s, unsigned what)
{
    s->asked |= what;
    bool post = !s->queued;
    s->queued = true;
    return post;
}

bool queries_subscribe(queries *f, const query_request *r)
{
    lq_sub *s = sub_from(r);
    if (!s)
        return false;
    const lq_sub_key key = {(uint64_t)r->listener, r->sub};
    pthread_mutex_lock(&f->lock);
    bool known = map_put(&f->subs, (const char *)&key, sizeof key, s, NULL);
    if (known)
        ask(s, LQ_ASK_SUBSCRIBE);
    pthread_mutex_unlock(&f->lock);
    if (known)
        mailbox_post(&f->box, &s->mail.link);
    else
        lq_sub_free(s);
    return known;
}

void queries_unsubscribe(queries *f, int listener, uint64_t number)
{
    const lq_sub_key key = {(uint64_t)listener, number};
    pthread_mutex_lock(&f->lock);
    lq_sub *s = map_take(&f->subs, (const char *)&key, sizeof key);
    bool post = s && ask(s, LQ_ASK_UNSUBSCRIBE);
    pthread_mutex_unlock(&f->lock);
    if (post)
        mailbox_post(&f->box, &s->mail.link);
}

bool queries_restart(queries *f, int listener, uint64_t number)
{
    const lq_sub_key key = {(uint64_t)listener, number};
    feed_msg *m = lq_msg_new(FEED_ENDED, NULL); /* unless it can be answered */
    if (!m)
        return false;
    m->sub = number;
    pthread_mutex_lock(&f->lock);
    lq_sub *s = map_get(&f->subs, (const char *)&key, sizeof key);
    bool wants = s && !s->next;
    if (wants)
        s->next = m;
    bool post = wants && s->unread == 0 && ask(s, LQ_ASK_RESTART);
    pthread_mutex_unlock(&f->lock);
    if (!wants)
        feed_msg_free(m);
    if (post)
        mailbox_post(&f->box, &s->mail.link);
    return true;
}

void queries_ack(queries *f, int listener, uint64_t number, size_t bytes)
{
    const lq_sub_key key = {(uint64_t)listener, number};
    pthread_mutex_lock(&f->lock);
    lq_sub *s = map_get(&f->subs, (const char *)&key, sizeof key);
    if (s)
        s->unread -= bytes < s->unread ? bytes : s->unread;
    bool post = s && s->next && s->unread == 0 && ask(s, LQ_ASK_RESTART);
    pthread_mutex_unlock(&f->lock);
    if (post)
        mailbox_post(&f->box, &s->mail.link);
}

static void source_unsubscribe(void *self, int listener, uint64_t sub)
{
    queries_unsubscribe(self, listener, sub);
}

static void source_ack(void *self, int listener, uint64_t sub, size_t bytes)
{
    queries_ack(self, listener, sub, bytes);
}

feed_source queries_as_source(queries *f)
{
    return (feed_source){.unsubscribe = source_unsubscribe, .ack = source_ack, .self = f};
}

void queries_stats_get(queries *f, queries_stats *out)
{
    *out = (queries_stats){
        .queries = atomic_load(&f->n_queries),
        .subscriptions = atomic_load(&f->n_subs),
        .memory = atomic_load(&f->memory),
        .runs = atomic_load(&f->n_runs),
        .unchanged = atomic_load(&f->n_unchanged),
        .results = atomic_load(&f->n_results),
        .diffs = atomic_load(&f->n_diffs),
        .looks = atomic_load(&f->n_looks),
    };
}
