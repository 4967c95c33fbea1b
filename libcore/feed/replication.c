#include "feed/replication.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/replication_state.h"

enum { PAUSE_MIN_US = 10000, PAUSE_MAX_US = 1000000, TURN_US = 5000 };

/* ---- telling ----------------------------------------------------------------------------------
 */

void replication_post(replication *r, int listener, feed_msg *m)
{
    pthread_mutex_lock(&r->lock);
    mailbox *box = r->listeners[listener];
    pthread_mutex_unlock(&r->lock);
    mailbox_post(box, &m->link);
}

void replication_answer(replication_call *c, const error *e)
{
    c->failed = e != NULL;
    if (e)
        c->err = *e;
    c->done(c);
}

void replication_back_off(replication *r, const char *doing, const error *e)
{
    r->retry_us = r->retry_us ? r->retry_us * 2 : PAUSE_MIN_US;
    if (r->retry_us > PAUSE_MAX_US)
        r->retry_us = PAUSE_MAX_US;
    r->retry_at = clock_mono_us() + r->retry_us;
    log_error("replication_retry", "%s failed (%s); trying again in %" PRId64 " ms", doing,
              e ? e->message : "out of memory", r->retry_us / 1000);
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static void on_call(replication *r, replication_call *c)
{
    switch (c->op) {
    case REPLICATION_CREATE:
        slot_create_call(r, c);
        break;
    case REPLICATION_DROP:
        slot_drop_call(r, c);
        break;
    default:
        status_call(r, c);
    }
}

static void take_mail(replication *r, list *mail)
{
    for (list *it; (it = list_pop(mail));) {
        switch (list_entry(it, letter, link)->tag) {
        case LETTER_WAKE:
            atomic_store(&r->woken, false); /* before the log is read: a later wake comes anew */
            consumers_wake(r);
            break;
        case LETTER_CONSUMER:
            consumer_on_letter(r, list_entry(it, consumer, letter.link));
            break;
        case LETTER_CALL:
            on_call(r, list_entry(it, replication_call, mail));
            break;
        case LETTER_WRITTEN:
            slots_written(r, list_entry(it, slot_write, letter.link));
            break;
        }
    }
}

/* How long to wait for mail, -1: until some comes. */
static int64_t pause_us(const replication *r)
{
    int64_t slots = slots_wait_us(r);
    if (!cursors_ready(r))
        return slots;
    int64_t left = r->retry_us ? r->retry_at - clock_mono_us() : 0;
    if (left < 0)
        left = 0;
    return slots >= 0 && slots < left ? slots : left;
}

static void work(replication *r)
{
    int64_t now = clock_mono_us(), failed_at = r->retry_at;
    if (!r->retry_us || now >= r->retry_at) {
        cursors_run(r, now + TURN_US);
        if (r->retry_at == failed_at)
            r->retry_us = r->retry_at = 0;
    }
    slots_write_due(r);
}

static void *run(void *arg)
{
    replication *r = arg;
    list mail;
    list_init(&mail);
    while (mailbox_wait(&r->box, &mail, pause_us(r))) {
        take_mail(r, &mail);
        work(r);
    }
    return NULL;
}

/* ---- starting and stopping --------------------------------------------------------------------
 */

/* Everything but what the engine may still touch. */
static void release(replication *r)
{
    if (r->reader)
        engine_log_close(r->reader);
    r->reader = NULL;
    buf_free(&r->record);
    buf_free(&r->edge);
}

static void destroy(replication *r)
{
    slots_free(r);
    mailbox_destroy(&r->box);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

static replication *make(engine *g, const replication_config *config)
{
    replication *r = mem_zalloc(sizeof *r);
    if (!r)
        return NULL;
    r->engine = g;
    r->config = *config;
    if (r->config.slice < 1)
        r->config.slice = 1;
    mailbox_init(&r->box, NULL, NULL);
    pthread_mutex_init(&r->lock, NULL);
    r->wake.tag = LETTER_WAKE;
    list_init(&r->wake.link);
    list_init(&r->known);
    list_init(&r->consumers);
    return r;
}

replication *replication_start(engine *g, const replication_config *config, error *e)
{
    replication *r = make(g, config);
    if (!r) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    r->reader = engine_log_open(g, e);
    bool ok = r->reader && slots_load(r, e);
    if (ok && pthread_create(&r->thread, NULL, run, r) != 0)
        ok = error_set(e, ERR_INTERNAL_ERROR, "cannot start the replication's thread");
    if (!ok) {
        release(r);
        destroy(r);
        return NULL;
    }
    pthread_setname_np(r->thread, "replication");
    return r;
}

static void call_off(replication_call *c)
{
    error e;
    error_clear(&e);
    error_set(&e, ERR_SHUTTING_DOWN, "the daemon is stopping");
    replication_answer(c, &e);
}

/* Whoever waits for an answer gets one; consumers that are nowhere else are freed. */
static void drop_mail(replication *r)
{
    list mail;
    list_init(&mail);
    mailbox_take(&r->box, &mail);
    for (list *it; (it = list_pop(&mail));) {
        int tag = list_entry(it, letter, link)->tag;
        consumer *c = list_entry(it, consumer, letter.link);
        if (tag == LETTER_CALL)
            call_off(list_entry(it, replication_call, mail));
        if (tag != LETTER_CONSUMER)
            continue;
        c->queued = false;
        if (c->state == CONSUMER_NEW || c->state == CONSUMER_OVER)
            consumer_free(c);
    }
}

void replication_stop(replication *r)
{
    mailbox_close(&r->box);
    pthread_join(r->thread, NULL);
    drop_mail(r);
    list_each_safe(it, &r->consumers) consumer_forget(r, list_entry(it, consumer, link));
    for (int i = 0; i < r->n_slots; i++) {
        if (r->slots[i]->call)
            call_off(r->slots[i]->call);
    }
    release(r);
    slots_write_last(r);
}

void replication_free(replication *r)
{
    if (!r)
        return;
    list mail; /* of writes that ended since, and of a last wake */
    list_init(&mail);
    mailbox_take(&r->box, &mail);
    destroy(r);
}

/* ---- what others ask --------------------------------------------------------------------------
 */

void replication_wake(replication *r)
{
    if (!atomic_exchange(&r->woken, true))
        mailbox_post(&r->box, &r->wake.link);
}

void replication_add_listener(replication *r, int number, mailbox *box)
{
    pthread_mutex_lock(&r->lock);
    r->listeners[number] = box;
    pthread_mutex_unlock(&r->lock);
}

/* Asks for something about a consumer. Under the lock; true: its letter is to be posted. */
static bool ask(consumer *c, unsigned what)
{
    c->asked |= what;
    bool post = !c->queued;
    c->queued = true;
    return post;
}

/* Under the lock. */
static consumer *find(replication *r, int listener, uint64_t number)
{
    list_each(it, &r->known)
    {
        consumer *c = list_entry(it, consumer, known);
        if (c->listener == listener && c->number == number)
            return c;
    }
    return NULL;
}

bool replication_subscribe(replication *r, const replication_request *q)
{
    consumer *c = consumer_new(q);
    if (!c)
        return false;
    pthread_mutex_lock(&r->lock);
    list_append(&r->known, &c->known);
    ask(c, ASK_SUBSCRIBE);
    pthread_mutex_unlock(&r->lock);
    mailbox_post(&r->box, &c->letter.link);
    return true;
}

void replication_unsubscribe(replication *r, int listener, uint64_t number)
{
    pthread_mutex_lock(&r->lock);
    consumer *c = find(r, listener, number);
    bool post = false;
    if (c) {
        list_unlink(&c->known);
        post = ask(c, ASK_UNSUBSCRIBE);
    }
    pthread_mutex_unlock(&r->lock);
    if (post)
        mailbox_post(&r->box, &c->letter.link);
}

void replication_ack(replication *r, int listener, uint64_t number, size_t bytes)
{
    pthread_mutex_lock(&r->lock);
    consumer *c = find(r, listener, number);
    if (c)
        c->acked += bytes;
    bool post = c && ask(c, ASK_ACK);
    pthread_mutex_unlock(&r->lock);
    if (post)
        mailbox_post(&r->box, &c->letter.link);
}

bool replication_confirm(replication *r, int listener, uint64_t number, int64_t lsn, error *e)
{
    pthread_mutex_lock(&r->lock);
    consumer *c = find(r, listener, number);
    int64_t sent = c ? c->sent : 0;
    bool moves = c && lsn <= sent && lsn > c->confirmed;
    if (moves)
        c->confirmed = lsn;
    bool post = moves && ask(c, ASK_CONFIRM);
    pthread_mutex_unlock(&r->lock);
    if (post)
        mailbox_post(&r->box, &c->letter.link);
    return lsn <= sent ||
           error_set(e, ERR_INVALID_MESSAGE,
                     "lsn %" PRId64 " was not sent yet, only what is up to %" PRId64, lsn, sent);
}

static void source_unsubscribe(void *self, int listener, uint64_t sub)
{
    replication_unsubscribe(self, listener, sub);
}

static void source_ack(void *self, int listener, uint64_t sub, size_t bytes)
{
    replication_ack(self, listener, sub, bytes);
}

feed_source replication_as_source(replication *r)
{
    return (feed_source){source_unsubscribe, source_ack, r};
}

void replication_ask(replication *r, replication_call *c)
{
    c->tag = LETTER_CALL;
    list_init(&c->mail);
    c->failed = false;
    error_clear(&c->err);
    mailbox_post(&r->box, &c->mail);
}
