#include "feed/feed.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/state.h"

enum { PAUSE_MIN_US = 10000, PAUSE_MAX_US = 1000000, KEEP_BUFFER = 1 << 20 };

/* ---- messages to listeners --------------------------------------------------------------------
 */

feed_msg *feed_msg_new(feed_msg_kind kind, const sub *s)
{
    feed_msg *m = mem_zalloc(sizeof *m);
    if (!m)
        return NULL;
    list_init(&m->link);
    m->tag = FEED_TAG;
    m->kind = kind;
    if (s)
        m->sub = s->number;
    if (s && s->outlet)
        m->stream = s->outlet->id;
    return m;
}

void feed_msg_free(feed_msg *m)
{
    if (!m)
        return;
    refbuf_unref(m->frames);
    mem_free(m->table);
    mem_free(m->shown);
    mem_free(m);
}

void feed_post(feed *f, int listener, feed_msg *m)
{
    pthread_mutex_lock(&f->lock);
    mailbox *box = f->listeners[listener];
    pthread_mutex_unlock(&f->lock);
    mailbox_post(box, &m->link);
}

/* ---- the thread -------------------------------------------------------------------------------
 */

void feed_back_off(feed *f, const char *doing, const error *e)
{
    f->retry_us = f->retry_us ? f->retry_us * 2 : PAUSE_MIN_US;
    if (f->retry_us > PAUSE_MAX_US)
        f->retry_us = PAUSE_MAX_US;
    f->retry_at = clock_mono_us() + f->retry_us;
    log_error("feed_retry", "%s failed (%s); trying again in %lld ms", doing,
              e ? e->message : "out of memory", (long long)f->retry_us / 1000);
}

static void take_mail(feed *f, list *mail)
{
    list *item;
    while ((item = list_pop(mail))) {
        if (item == &f->wake_mail) {
            atomic_store(&f->woken, false); /* before the log is read: a later wake comes anew */
            f->has_more = true;
        } else {
            sub_on_mail(f, list_entry(item, sub, mail));
        }
    }
}

static bool has_work(const feed *f)
{
    return f->has_more || !list_empty(&f->behind) || !list_empty(&f->dirty);
}

/* How long to wait for mail, -1: until some comes. */
static int64_t pause_us(const feed *f)
{
    if (!has_work(f))
        return -1;
    int64_t left = f->retry_us ? f->retry_at - clock_mono_us() : 0;
    return left > 0 ? left : 0;
}

/* Buffers that one large row made large. */
static void trim(feed *f)
{
    buf *all[] = {&f->event.json, &f->scratch, &f->replay};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]->cap > KEEP_BUFFER)
            buf_free(all[i]);
    }
}

/* One turn for those at the head of the log and one for those behind it. */
static void work(feed *f)
{
    int64_t failed_at = f->retry_at;
    live_run(f, clock_mono_us() + FEED_TURN_US);
    if (f->retry_at == failed_at)
        replay_run(f, clock_mono_us() + FEED_TURN_US);
    if (f->retry_at == failed_at)
        f->retry_us = f->retry_at = 0;
    trim(f);
}

static void *run(void *arg)
{
    feed *f = arg;
    list mail;
    list_init(&mail);
    while (mailbox_wait(&f->box, &mail, pause_us(f))) {
        take_mail(f, &mail);
        if (has_work(f) && (!f->retry_us || clock_mono_us() >= f->retry_at))
            work(f);
        atomic_store_explicit(&f->shown_at, f->at, memory_order_relaxed);
        streams_free_idle(f);
    }
    return NULL;
}

/* ---- starting and stopping --------------------------------------------------------------------
 */

/* Everything but what feed_wake touches. */
static void release(feed *f)
{
    streams_free_all(f);
    map_free(&f->tables);
    map_free(&f->streams);
    map_free(&f->subs);
    filter_env_free(f->env);
    f->env = NULL;
    if (f->reader)
        engine_log_close(f->reader);
    f->reader = NULL;
    event_text_free(&f->event);
    buf_free(&f->scratch);
    buf_free(&f->replay);
}

int64_t feed_position(const feed *f)
{
    return atomic_load_explicit(&f->shown_at, memory_order_relaxed);
}

void feed_free(feed *f)
{
    if (!f)
        return;
    mailbox_destroy(&f->box);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

static feed *make(engine *g, const feed_config *config)
{
    feed *f = mem_zalloc(sizeof *f);
    if (!f)
        return NULL;
    f->engine = g;
    f->config = *config;
    if (f->config.slice < 1)
        f->config.slice = 1;
    mailbox_init(&f->box, NULL, NULL);
    pthread_mutex_init(&f->lock, NULL);
    list *lists[] = {&f->wake_mail, &f->dirty, &f->idle,       &f->ahead,
                     &f->behind,    &f->full,  &f->everything, &f->touched};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        list_init(lists[i]);
    return f;
}

feed *feed_start(engine *g, const feed_config *config, error *e)
{
    feed *f = make(g, config);
    log_bounds bounds;
    if (!f) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    f->env = filter_env_new(e);
    f->reader = f->env ? engine_log_open(g, e) : NULL;
    if (!f->reader || !engine_log_bounds(f->reader, &bounds, e)) {
        release(f);
        feed_free(f);
        return NULL;
    }
    f->at = bounds.head;
    atomic_init(&f->shown_at, f->at);
    if (pthread_create(&f->thread, NULL, run, f) != 0) {
        error_set(e, ERR_INTERNAL_ERROR, "cannot start the feed's thread");
        release(f);
        feed_free(f);
        return NULL;
    }
    pthread_setname_np(f->thread, "feed");
    return f;
}

/* Subscriptions that are in the mailbox only; all others are in a state's list. */
static void drop_mail(feed *f)
{
    list mail, *item;
    list_init(&mail);
    mailbox_take(&f->box, &mail);
    while ((item = list_pop(&mail))) {
        if (item == &f->wake_mail)
            continue;
        sub *s = list_entry(item, sub, mail);
        s->queued = false;
        if (s->state == SUB_NEW || s->state == SUB_OVER)
            sub_free(s);
    }
}

static void drop_list(list *subs)
{
    list *item;
    while ((item = list_pop(subs)))
        sub_free(list_entry(item, sub, link));
}

void feed_stop(feed *f)
{
    mailbox_close(&f->box);
    pthread_join(f->thread, NULL);
    drop_mail(f);
    drop_list(&f->ahead);
    drop_list(&f->full);
    release(f);
}

/* ---- what others ask --------------------------------------------------------------------------
 */

void feed_wake(feed *f)
{
    if (!atomic_exchange(&f->woken, true))
        mailbox_post(&f->box, &f->wake_mail);
}

int feed_add_listener(feed *f, mailbox *box)
{
    pthread_mutex_lock(&f->lock);
    int n = f->n_listeners < FEED_MAX_LISTENERS ? f->n_listeners++ : -1;
    if (n >= 0)
        f->listeners[n] = box;
    pthread_mutex_unlock(&f->lock);
    return n;
}

static bool copy_string(const char **s, arena *mem)
{
    if (*s)
        *s = arena_strndup(mem, *s, strlen(*s));
    return *s != NULL;
}

static bool copy_list(const char *const **names, int n, arena *mem)
{
    if (!n)
        return true;
    const char **to = arena_alloc(mem, sizeof *to * (size_t)n);
    for (int i = 0; to && i < n; i++) {
        to[i] = (*names)[i];
        if (!copy_string(&to[i], mem))
            return false;
    }
    *names = to;
    return to != NULL;
}

bool feed_request_copy(feed_request *to, const feed_request *from, arena *mem)
{
    *to = *from;
    if (from->read_to && from->n_tables) {
        size_t n = sizeof *from->read_to * (size_t)from->n_tables;
        int64_t *read_to = arena_alloc(mem, n);
        if (!read_to)
            return false;
        memcpy(read_to, from->read_to, n);
        to->read_to = read_to;
    }
    return copy_list(&to->tables, to->n_tables, mem) &&
           copy_list(&to->columns, to->n_columns, mem) &&
           (!to->where || copy_string(&to->where, mem)) &&
           (!to->log_id || copy_string(&to->log_id, mem));
}

typedef struct sub_key {
    uint64_t listener, number; /* no padding: the bytes are the key */
} sub_key;

static sub *sub_from(const feed_request *r)
{
    sub *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    list_init(&s->mail);
    list_init(&s->link);
    s->listener = r->listener;
    s->number = r->sub;
    s->answer = feed_msg_new(FEED_REFUSED, s);
    bool restricted = r->as && r->as->access;
    s->as = restricted ? viewer_keep(r->as) : NULL;
    if (s->answer && feed_request_copy(&s->ask, r, &s->mem) && (s->as || !restricted))
        return s;
    sub_free(s);
    return NULL;
}

/* Asks for something about a subscription. Under the lock; true: its mail is to be posted. */
static bool ask(sub *s, unsigned what)
{
    s->asked |= what;
    bool post = !s->queued;
    s->queued = true;
    return post;
}

bool feed_subscribe(feed *f, const feed_request *r)
{
    sub *s = sub_from(r);
    if (!s)
        return false;
    sub_key key = {(uint64_t)r->listener, r->sub};
    pthread_mutex_lock(&f->lock);
    bool known = map_put(&f->subs, (const char *)&key, sizeof key, s, NULL);
    if (known)
        ask(s, ASK_SUBSCRIBE);
    pthread_mutex_unlock(&f->lock);
    if (known)
        mailbox_post(&f->box, &s->mail);
    else
        sub_free(s);
    return known;
}

void feed_unsubscribe(feed *f, int listener, uint64_t number)
{
    sub_key key = {(uint64_t)listener, number};
    pthread_mutex_lock(&f->lock);
    sub *s = map_take(&f->subs, (const char *)&key, sizeof key);
    bool post = s && ask(s, ASK_UNSUBSCRIBE);
    pthread_mutex_unlock(&f->lock);
    if (post)
        mailbox_post(&f->box, &s->mail);
}

void feed_ack(feed *f, int listener, uint64_t number, size_t bytes)
{
    sub_key key = {(uint64_t)listener, number};
    pthread_mutex_lock(&f->lock);
    sub *s = map_get(&f->subs, (const char *)&key, sizeof key);
    if (s)
        s->acked += bytes;
    bool post = s && ask(s, ASK_ACK);
    pthread_mutex_unlock(&f->lock);
    if (post)
        mailbox_post(&f->box, &s->mail);
}

static void source_unsubscribe(void *self, int listener, uint64_t number)
{
    feed_unsubscribe(self, listener, number);
}

static void source_ack(void *self, int listener, uint64_t number, size_t bytes)
{
    feed_ack(self, listener, number, bytes);
}

feed_source feed_as_source(feed *f)
{
    return (feed_source){source_unsubscribe, source_ack, f};
}
