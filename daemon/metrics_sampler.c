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
typedef enum mail_kind { MAIL_LOOK, MAIL_TOPICS } mail_kind;

typedef struct mail {
    list link;
    mail_kind kind;
} mail;

typedef struct look_mail {
    mail m;
    metrics_look *look;
} look_mail;

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
    atomic_uint_fast64_t readings;

    /* the thread's own */
    list looks;              /* waiting, by metrics_look.link */
    figures base;            /* of an earlier look, or of the start */
    uint64_t round;          /* numbers the questions about topics */
    int unanswered;          /* reactors that owe this round's answer */
    int64_t gather_until_us; /* 0: no round is under way */
    topic_list topics;       /* what this round's answers said so far */
    bool gathered;           /* they are all there, or late */
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

static void write_look(const sampler *s, metrics_look *l, const figures *now)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    json_writer w;
    if (l->prometheus) {
        metrics_write_prometheus(&l->text, &l->set, now, &s->base);
        return;
    }
    clock_rfc3339(clock_wall_us(), stamp);
    jw_init(&w, &l->text);
    jw_begin_object(&w);
    jw_key(&w, "at");
    jw_str(&w, stamp);
    jw_key(&w, "period_ms");
    jw_int(&w, (now->at_us - s->base.at_us) / 1000);
    jw_key(&w, "metrics");
    metrics_write_json(&w, &l->set, now, &s->base);
    jw_end_object(&w);
}

static void answer_look(metrics_look *l)
{
    list_unlink(&l->link);
    reactor_post(l->home, &l->answer);
}

/* Later looks have rates since this one, once it is old enough. */
static void keep_as_base(sampler *s, figures *now)
{
    if (now->at_us - s->base.at_us < BASE_AGE_US) {
        figures_free(now);
        return;
    }
    figures_free(&s->base);
    s->base = *now;
}

static void answer_all(sampler *s)
{
    figures now;
    figures_read(&now, s->d, FROM_ALL);
    atomic_fetch_add_explicit(&s->readings, 1, memory_order_relaxed);
    now.topics = s->topics;
    s->topics = (topic_list){0};
    list_each_safe(it, &s->looks)
    {
        metrics_look *l = list_entry(it, metrics_look, link);
        write_look(s, l, &now);
        answer_look(l);
    }
    keep_as_base(s, &now);
}

static void work(sampler *s)
{
    bool late = s->gather_until_us && clock_mono_us() >= s->gather_until_us;
    if (s->gather_until_us && !s->unanswered)
        s->gathered = true;
    if (late && !s->gathered) {
        log_debug("metrics_late", "%d reactors did not tell of their topics", s->unanswered);
        s->gathered = true;
    }
    if (list_empty(&s->looks))
        return;
    if (!s->gathered) {
        if (!s->gather_until_us)
            ask_topics(s);
        return;
    }
    s->gathered = false;
    s->gather_until_us = 0;
    answer_all(s);
}

/* ---- the thread --------------------------------------------------------------------------------
 */

static void take_mail(sampler *s, list *came)
{
    for (list *it; (it = list_pop(came)) != NULL;) {
        mail *m = list_entry(it, mail, link);
        if (m->kind == MAIL_TOPICS) {
            take_topics(s, (topics_mail *)m);
            continue;
        }
        list_append(&s->looks, &((look_mail *)m)->look->link);
        mem_free(m);
    }
}

/* How long nothing is to be done, -1: until mail comes. */
static int64_t pause_us(const sampler *s)
{
    if (!s->gather_until_us)
        return -1;
    int64_t left = s->gather_until_us - clock_mono_us();
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

uint64_t sampler_readings(const sampler *s)
{
    return atomic_load_explicit(&s->readings, memory_order_relaxed);
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
    figures_free(&s->base);
    topics_free(&s->topics);
    mailbox_destroy(&s->box);
    mem_free(s);
}
