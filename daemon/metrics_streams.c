#include "daemon/metrics_streams.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

enum { PERIOD_MIN_US = 100000 }; /* a shorter one says nothing */

typedef struct stream {
    list link;
    uint64_t id;
    int64_t interval_us;
    int64_t due_us; /* monotonic */
    metric_set set;
    figure_set was; /* of the last sample */
    list subs;
} stream;

typedef struct subscriber {
    list link;
    stream *of;
    uint64_t number;
    reactor *home;
    int form;
    bool fresh; /* has had no sample yet */
} subscriber;

/* ---- messages to reactors ----------------------------------------------------------------------
 */

static uint64_t number_of(const stream *s, int form)
{
    return METRICS_STREAM_BIT | (s->id * FORM_COUNT + (uint64_t)form);
}

static feed_msg *message(feed_msg_kind kind, const subscriber *s)
{
    feed_msg *m = xalloc(sizeof *m);
    list_init(&m->link);
    m->tag = FEED_TAG;
    m->kind = kind;
    m->sub = s->number;
    if (s->of)
        m->stream = number_of(s->of, s->form);
    return m;
}

static void post(reactor *to, feed_msg *m)
{
    mailbox_post(&to->box, &m->link);
}

static void send_frames(const subscriber *s, feed_msg_kind kind, const refbuf *frames)
{
    feed_msg *m = message(kind, s);
    m->events = 1;
    m->frames = refbuf_ref((refbuf *)(uintptr_t)frames);
    post(s->home, m);
}

/* ---- streams -----------------------------------------------------------------------------------
 */

void metrics_streams_init(metrics_streams *m)
{
    *m = (metrics_streams){0};
    list_init(&m->streams);
}

static stream *find(const metrics_streams *m, const metrics_ask *ask)
{
    list_each(it, &m->streams)
    {
        stream *s = list_entry(it, stream, link);
        if (s->interval_us == ask->interval_us && metric_set_equal(&s->set, &ask->set))
            return s;
    }
    return NULL;
}

static stream *make(metrics_streams *m, const metrics_ask *ask)
{
    stream *s = xalloc(sizeof *s);
    s->id = ++m->last_id;
    s->interval_us = ask->interval_us;
    s->set = ask->set;
    list_init(&s->subs);
    list_append(&m->streams, &s->link);
    m->n++;
    return s;
}

static void drop_stream(metrics_streams *m, stream *s)
{
    list_unlink(&s->link);
    figures_free(&s->was);
    mem_free(s);
    m->n--;
}

static void drop(metrics_streams *m, subscriber *s)
{
    stream *of = s->of;
    map_take(&m->subs, (const char *)&s->number, sizeof s->number);
    list_unlink(&s->link);
    mem_free(s);
    if (list_empty(&of->subs))
        drop_stream(m, of);
}

void metrics_streams_free(metrics_streams *m)
{
    list_each_safe(it, &m->streams)
    {
        stream *s = list_entry(it, stream, link);
        list_each_safe(sub, &s->subs) mem_free(list_entry(sub, subscriber, link));
        drop_stream(m, s);
    }
    map_free(&m->subs);
}

static void refuse(const metrics_ask *ask, error_code code, const char *why)
{
    const subscriber nobody = {.number = ask->sub};
    feed_msg *m = message(FEED_REFUSED, &nobody);
    error_clear(&m->err);
    error_set(&m->err, code, "%s", why);
    if (code == ERR_SUBSCRIPTION_LIMIT)
        error_hint(&m->err, "Choose metrics and an interval that others have, or raise "
                            "max_metric_streams.");
    post(ask->home, m);
}

void metrics_streams_join(metrics_streams *m, const metrics_ask *ask, int most)
{
    stream *of = find(m, ask);
    if (!of && m->n >= most) {
        refuse(ask, ERR_SUBSCRIPTION_LIMIT,
               "too many different choices of metrics and interval are measured");
        return;
    }
    subscriber *s = xalloc(sizeof *s);
    s->number = ask->sub;
    s->home = ask->home;
    s->form = ask->form;
    s->fresh = true;
    if (!map_put(&m->subs, (const char *)&s->number, sizeof s->number, s, NULL)) {
        mem_free(s);
        refuse(ask, ERR_INTERNAL_ERROR, "out of memory");
        return;
    }
    s->of = of ? of : make(m, ask);
    list_append(&s->of->subs, &s->link);
    post(s->home, message(FEED_SUBSCRIBED, s));
}

void metrics_streams_leave(metrics_streams *m, uint64_t number)
{
    subscriber *s = map_get(&m->subs, (const char *)&number, sizeof number);
    if (s)
        drop(m, s);
}

/* ---- samples -----------------------------------------------------------------------------------
 */

static bool has_fresh(const stream *s)
{
    /* They stand at the end. */
    return !list_empty(&s->subs) && list_entry(s->subs.prev, subscriber, link)->fresh;
}

static int64_t due(const stream *s)
{
    return has_fresh(s) ? 0 : s->due_us;
}

int64_t metrics_streams_due(const metrics_streams *m)
{
    int64_t first = -1;
    list_each(it, &m->streams)
    {
        int64_t at = due(list_entry(it, stream, link));
        if (first < 0 || at < first)
            first = at;
    }
    return first;
}

unsigned metrics_streams_from(const metrics_streams *m, int64_t at_us)
{
    unsigned from = 0;
    list_each(it, &m->streams)
    {
        const stream *s = list_entry(it, stream, link);
        if (due(s) <= at_us)
            from |= metric_set_from(&s->set);
    }
    return from;
}

void metrics_write_sample(json_writer *w, const metric_set *set, const figure_set *now,
                          const figure_set *was)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_us(), stamp);
    jw_key(w, "at");
    jw_str(w, stamp);
    jw_key(w, "period_ms");
    jw_int(w, (now->at_us - was->at_us) / 1000);
    jw_key(w, "metrics");
    metrics_write_json(w, set, now, was);
}

/* A sample in the forms that were needed. */
typedef struct sample {
    buf json;
    refbuf *frames[FORM_COUNT];
} sample;

static void sample_make(sample *to, const stream *s, const figure_set *now, const figure_set *was)
{
    json_writer w;
    *to = (sample){0};
    jw_init(&w, &to->json);
    jw_begin_object(&w);
    jw_key(&w, "topic");
    jw_str(&w, "metrics");
    metrics_write_sample(&w, &s->set, now, was);
    jw_end_object(&w);
}

/* NULL when memory is out. */
static const refbuf *sample_frame(sample *from, int form)
{
    buf frame = BUF_INIT;
    if (from->frames[form] || from->json.failed)
        return from->frames[form];
    form_write(&frame, form, &(form_message){"event", from->json.data, from->json.len});
    if (!frame.failed)
        from->frames[form] = refbuf_new(frame.data, frame.len);
    buf_free(&frame);
    return from->frames[form];
}

static void sample_free(sample *s)
{
    for (int i = 0; i < FORM_COUNT; i++)
        refbuf_unref(s->frames[i]);
    buf_free(&s->json);
}

/* The next sample, once to each reactor in each form that it has subscribers in. */
static void tell_all(const stream *s, sample *what)
{
    bool told[MAX_REACTORS][FORM_COUNT] = {0};
    list_each(it, &s->subs)
    {
        const subscriber *to = list_entry(it, subscriber, link);
        if (to->fresh || told[to->home->index][to->form])
            continue;
        const refbuf *frame = sample_frame(what, to->form);
        if (frame && frame->len)
            send_frames(to, FEED_FRAMES, frame);
        told[to->home->index][to->form] = true;
    }
}

/* The first sample, to each who has had none. */
static void tell_fresh(stream *s, sample *what)
{
    list_each(it, &s->subs)
    {
        subscriber *to = list_entry(it, subscriber, link);
        if (!to->fresh)
            continue;
        const refbuf *frame = sample_frame(what, to->form);
        if (frame && frame->len)
            send_frames(to, FEED_REPLAY, frame);
        post(to->home, message(FEED_LIVE, to));
        to->fresh = false;
    }
}

static void keep(stream *s, const figure_set *now)
{
    figures_free(&s->was);
    s->was = *now;
    s->was.topics = (topic_list){0};
    if (metric_set_from(&s->set) & FROM_TOPICS)
        topics_copy(&s->was.topics, &now->topics);
}

static void tell(stream *s, int64_t at_us, const figure_set *now, const figure_set *base)
{
    sample what;
    bool first = !s->was.at_us, due_now = !first && s->due_us <= at_us;
    if (due_now) {
        sample_make(&what, s, now, &s->was);
        tell_all(s, &what);
        sample_free(&what);
        s->due_us += s->interval_us;
    }
    if (has_fresh(s)) {
        bool short_period = first || now->at_us - s->was.at_us < PERIOD_MIN_US;
        sample_make(&what, s, now, short_period ? base : &s->was);
        tell_fresh(s, &what);
        sample_free(&what);
    }
    if (first || s->due_us <= now->at_us) /* late by a whole interval: what was missed is missed */
        s->due_us = now->at_us + s->interval_us;
    if (first || due_now)
        keep(s, now);
}

void metrics_streams_tell(metrics_streams *m, int64_t at_us, const figure_set *now,
                          const figure_set *base)
{
    list_each(it, &m->streams)
    {
        stream *s = list_entry(it, stream, link);
        if (due(s) <= at_us)
            tell(s, at_us, now, base);
    }
}
