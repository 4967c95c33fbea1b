#include "daemon/metrics_sampler.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/daemon.h"
#include "daemon/hub.h"

#include <pthread.h>
#include <string.h>

enum {
    BASE_AGE_US = 1000000,   /* a look's rates are over at least this, where that can be */
    GATHER_MAX_US = 1000000, /* how long a reactor may take to tell of its topics */
};

/* What comes in the sampler's mailbox; the link comes first in each. */
typedef enum mail_kind { MAIL_LOOK, MAIL_TOPICS, MAIL_JOIN, MAIL_LEAVE } mail_kind;

typedef struct mail {
    list link;
    mail_kind kind;
} mail;

typedef struct look_mail {
    mail m;
    metrics_look *look;
} look_mail;

typedef struct join_mail {
    mail m;
    metrics_ask ask;
} join_mail;

typedef struct leave_mail {
    mail m;
    uint64_t sub;
} leave_mail;

/* A reactor is asked for what it delivered per topic; the answer comes in the same struct. */
typedef struct topics_mail {
    mail m;
    reactor_msg ask;
    sampler *to;
    uint64_t round;
    topic_list topics;
} topics_mail;

struct sampler {
    server *d;
    mailbox box;
    pthread_t thread;

    /* the thread's own */
    metrics_streams streams;
    list looks;              /* waiting, by metrics_look.link */
    figure_set base;         /* of an earlier look, or of the start */
    uint64_t round;          /* numbers the questions about topics */
    int unanswered;          /* reactors that owe this round's answer */
    int64_t gather_until_us; /* 0: no round is under way */
    topic_list topics;       /* what this round's answers said so far */
};

/* ---- topics ------------------------------------------------------------------------------------
 */

/* On the reactor. */
static void tell_topics(reactor *r, reactor_msg *m)
{
    topics_mail *t = list_entry(m, topics_mail, ask);
    hub_count_topics(r, &t->topics);
    mailbox_post(&t->to->box, &t->m.link);
}

static void ask_topics(sampler *s)
{
    s->round++;
    s->unanswered = s->d->n_reactors;
    s->gather_until_us = clock_mono_us() + GATHER_MAX_US;
    for (int i = 0; i < s->d->n_reactors; i++) {
        topics_mail *t = xalloc(sizeof *t);
        t->m.kind = MAIL_TOPICS;
        t->ask.handle = tell_topics;
        t->to = s;
        t->round = s->round;
        reactor_post(s->d->reactors[i], &t->ask);
    }
}

static void take_topics(sampler *s, topics_mail *t)
{
    if (t->round == s->round && s->gather_until_us) {
        topics_merge(&s->topics, &t->topics);
        s->unanswered--;
    }
    topics_free(&t->topics); /* an answer that comes too late */
    mem_free(t);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void write_look(const sampler *s, metrics_look *l, const figure_set *now)
{
    json_writer w;
    if (l->prometheus) {
        metrics_write_prometheus(&l->text, &l->set, now, &s->base);
        return;
    }
    jw_init(&w, &l->text);
    jw_begin_object(&w);
    metrics_write_sample(&w, &l->set, now, &s->base);
    jw_end_object(&w);
}

static void answer_look(metrics_look *l)
{
    list_unlink(&l->link);
    reactor_post(l->home, &l->answer);
}

static void answer_looks(sampler *s, const figure_set *now)
{
    list_each_safe(it, &s->looks)
    {
        metrics_look *l = list_entry(it, metrics_look, link);
        write_look(s, l, now);
        answer_look(l);
    }
}

/* Later looks have rates since this one, if it is old enough and has everything. */
static void keep_as_base(sampler *s, figure_set *now, bool whole)
{
    if (!whole || now->at_us - s->base.at_us < BASE_AGE_US) {
        figures_free(now);
        return;
    }
    figures_free(&s->base);
    s->base = *now;
}

/* Whether the reactors have told of their topics, or had their time. */
static bool gathered(sampler *s)
{
    if (!s->gather_until_us) {
        ask_topics(s);
        return false;
    }
    if (s->unanswered && clock_mono_us() < s->gather_until_us)
        return false;
    if (s->unanswered)
        log_debug("metrics_late", "%d reactors did not tell of their topics", s->unanswered);
    s->gather_until_us = 0;
    return true;
}

/* Whoever wanted to know of topics has gone. */
static void stop_gathering(sampler *s)
{
    s->gather_until_us = 0;
    topics_free(&s->topics);
}

static void work(sampler *s)
{
    figure_set now;
    int64_t at_us = clock_mono_us();
    bool look = !list_empty(&s->looks);
    unsigned from = look ? FROM_ALL : metrics_streams_from(&s->streams, at_us);
    if (!(from & FROM_TOPICS))
        stop_gathering(s);
    else if (!gathered(s))
        return;
    if (!from)
        return;
    figures_read(&now, s->d, from);
    now.topics = s->topics;
    s->topics = (topic_list){0};
    answer_looks(s, &now);
    metrics_streams_tell(&s->streams, at_us, &now, &s->base);
    keep_as_base(s, &now, look);
}

/* ---- the thread --------------------------------------------------------------------------------
 */

static void take(sampler *s, mail *m)
{
    switch (m->kind) {
    case MAIL_TOPICS:
        take_topics(s, (topics_mail *)m); /* frees it */
        return;
    case MAIL_LOOK:
        list_append(&s->looks, &((look_mail *)m)->look->link);
        break;
    case MAIL_JOIN:
        metrics_streams_join(&s->streams, &((join_mail *)m)->ask,
                             (int)daemon_config(s->d)->max_metric_streams);
        break;
    case MAIL_LEAVE:
        metrics_streams_leave(&s->streams, ((leave_mail *)m)->sub);
        break;
    }
    mem_free(m);
}

static void take_mail(sampler *s, list *came)
{
    for (list *it; (it = list_pop(came)) != NULL;)
        take(s, list_entry(it, mail, link));
}

/* How long nothing is to be done, -1: until mail comes. */
static int64_t pause_us(const sampler *s)
{
    int64_t until = s->gather_until_us ? s->gather_until_us : metrics_streams_due(&s->streams);
    if (until < 0)
        return -1;
    int64_t left = until - clock_mono_us();
    return left > 0 ? left : 0;
}

static void *run(void *arg)
{
    sampler *s = arg;
    list came;
    list_init(&came);
    while (mailbox_wait(&s->box, &came, pause_us(s))) {
        take_mail(s, &came);
        work(s);
    }
    list_each_safe(it, &s->looks)
    {
        metrics_look *l = list_entry(it, metrics_look, link);
        l->text.failed = true;
        answer_look(l);
    }
    return NULL;
}

/* ---- what others call --------------------------------------------------------------------------
 */

sampler *sampler_start(server *d, error *e)
{
    sampler *s = xalloc(sizeof *s);
    s->d = d;
    list_init(&s->looks);
    metrics_streams_init(&s->streams);
    mailbox_init(&s->box, NULL, NULL);
    figures_read(&s->base, d, FROM_ALL);
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        mailbox_destroy(&s->box);
        mem_free(s);
        error_set(e, ERR_INTERNAL_ERROR, "cannot start the thread of the metrics");
        return NULL;
    }
    pthread_setname_np(s->thread, "metrics");
    return s;
}

void sampler_look(sampler *s, metrics_look *look)
{
    look_mail *m = xalloc(sizeof *m);
    m->m.kind = MAIL_LOOK;
    m->look = look;
    mailbox_post(&s->box, &m->m.link);
}

void sampler_subscribe(sampler *s, const metrics_ask *ask)
{
    join_mail *m = xalloc(sizeof *m);
    m->m.kind = MAIL_JOIN;
    m->ask = *ask;
    mailbox_post(&s->box, &m->m.link);
}

static void unsubscribe(void *self, int listener, uint64_t sub)
{
    sampler *s = self;
    leave_mail *m = xalloc(sizeof *m);
    (void)listener;
    m->m.kind = MAIL_LEAVE;
    m->sub = sub;
    mailbox_post(&s->box, &m->m.link);
}

/* Samples are small and few: nobody waits for them to be written. */
static void ack(void *self, int listener, uint64_t sub, size_t bytes)
{
    (void)self;
    (void)listener;
    (void)sub;
    (void)bytes;
}

feed_source sampler_as_source(sampler *s)
{
    return (feed_source){.unsubscribe = unsubscribe, .ack = ack, .self = s};
}

void sampler_stop(sampler *s)
{
    mailbox_close(&s->box);
    pthread_join(s->thread, NULL);
}

void sampler_free(sampler *s)
{
    list came;
    if (!s)
        return;
    list_init(&came);
    mailbox_take(&s->box, &came);
    take_mail(s, &came);
    metrics_streams_free(&s->streams);
    figures_free(&s->base);
    topics_free(&s->topics);
    mailbox_destroy(&s->box);
    mem_free(s);
}
