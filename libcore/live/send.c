#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "live/state.h"

/* ---- streams ----------------------------------------------------------------------------------
 */

static lq_stream *stream_get(queries *f, lq_query *q, int64_t interval_us)
{
    list_each(it, &q->streams)
    {
        lq_stream *s = list_entry(it, lq_stream, link);
        if (s->interval_us == interval_us)
            return s;
    }
    lq_stream *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->id = ++f->last_stream;
    s->query = q;
    s->interval_us = interval_us;
    list_init(&s->live);
    list_init(&s->beside);
    list_append(&q->streams, &s->link);
    return s;
}

static void free_if_unused(lq_stream *s)
{
    if (s->subs)
        return;
    list_unlink(&s->link);
    lq_result_unref(s->base);
    mem_free(s);
}

void lq_stream_leave(lq_stream *s)
{
    s->subs--;
    free_if_unused(s);
}

static void set_base(lq_stream *s, lq_result *r)
{
    lq_result *was = s->base;
    s->base = lq_result_ref(r);
    lq_result_unref(was);
}

int64_t lq_streams_due(const lq_query *q, bool any)
{
    int64_t due = LQ_NEVER;
    list_each(it, &q->streams)
    {
        const lq_stream *s = list_entry(it, lq_stream, link);
        if (s->next < due && (any || s->seen != q->now->serial))
            due = s->next;
    }
    return due;
}

/* ---- frames -----------------------------------------------------------------------------------
 */

/* f->text as the bytes of a form. NULL when memory is out. */
static refbuf *render(queries *f, int form)
{
    const feed_event ev = {.filter = "", .json = f->text.data, .len = f->text.len};
    buf_clear(&f->frames);
    f->frames.failed = false;
    f->config.forms[form].render(&f->frames, form, &ev);
    return f->frames.failed ? NULL : refbuf_new(f->frames.data, f->frames.len);
}

static void clear_text(queries *f)
{
    buf_clear(&f->text);
    f->text.failed = false;
}

void lq_drop_texts(queries *f, lq_query *q)
{
    for (int i = 0; i < LIVE_MAX_FORMS; i++) {
        if (q->texts[i])
            lq_count(&f->memory, -(int64_t)q->texts[i]->len);
        refbuf_unref(q->texts[i]);
        q->texts[i] = NULL;
    }
}

/* The newest result as an event; borrowed. */
static refbuf *result_frames(queries *f, lq_query *q, int form)
{
    if (q->texts[form])
        return q->texts[form];
    clear_text(f);
    if (!lq_event_result(&f->writer, &f->text, q->ask->hash, q->now))
        return NULL;
    q->texts[form] = render(f, form);
    if (q->texts[form]) {
        lq_count(&f->memory, (int64_t)q->texts[form]->len);
        lq_count(&f->n_results, 1);
    }
    return q->texts[form];
}

/* What leads from one result to the newest, in each form that somebody wanted. */
typedef struct step {
    queries *f;
    lq_query *q;
    lq_result *from;
    bool nothing; /* they are equal */
    bool whole;   /* it is the newest result itself */
    lq_diff diff;
    refbuf *frames[LIVE_MAX_FORMS]; /* borrowed when whole */
} step;

/* A difference that takes more room than the result is of no use to anybody. */
static bool is_bulky(const lq_diff *d, const lq_result *to)
{
    enum { SMALL = 4096 };
    return d->bytes > SMALL && d->bytes > 2 * to->rows.data.len;
}

static bool step_begin(step *p, queries *f, lq_query *q, lq_result *from)
{
    *p = (step){.f = f, .q = q, .from = from};
    p->nothing = from == q->now || lq_result_equal(from, q->now);
    p->whole = !p->nothing && !lq_result_alike(from, q->now);
    if (p->nothing || p->whole)
        return true;
    if (!lq_diff_make(&p->diff, from, q->now))
        return false;
    p->whole = is_bulky(&p->diff, q->now);
    return true;
}

static void step_end(step *p)
{
    lq_diff_free(&p->diff);
    for (int i = 0; i < LIVE_MAX_FORMS && !p->whole; i++)
        refbuf_unref(p->frames[i]);
    *p = (step){0};
}

static refbuf *step_frames(step *p, int form)
{
    queries *f = p->f;
    if (p->frames[form])
        return p->frames[form];
    if (p->whole) {
        p->frames[form] = result_frames(f, p->q, form);
        return p->frames[form];
    }
    clear_text(f);
    if (!lq_event_diff(&f->writer, &f->text, p->q->ask->hash, p->from, p->q->now, &p->diff))
        return NULL;
    p->frames[form] = render(f, form);
    if (p->frames[form])
        lq_count(&f->n_diffs, 1);
    return p->frames[form];
}

/* ---- messages: made all before any is posted --------------------------------------------------
 */

typedef struct outbox {
    list messages; /* their tag is the listener, until they are posted */
    bool failed;
} outbox;

static void out_add(outbox *o, int listener, feed_msg *m)
{
    if (!m) {
        o->failed = true;
        return;
    }
    m->tag = listener;
    list_append(&o->messages, &m->link);
}

static void out_frames(outbox *o, int listener, feed_msg *m, const lq_query *q, refbuf *frames)
{
    if (m && frames) {
        m->frames = refbuf_ref(frames);
        m->events = 1;
        m->lsn = q->now->lsn;
    } else {
        o->failed = true;
    }
    out_add(o, listener, m);
}

/* False when something failed: then nothing is posted. */
static bool out_post(queries *f, outbox *o)
{
    for (list *it; (it = list_pop(&o->messages));) {
        feed_msg *m = list_entry(it, feed_msg, link);
        int listener = m->tag;
        m->tag = FEED_TAG;
        if (o->failed) {
            feed_msg_free(m);
            continue;
        }
        if (m->kind == FEED_REPLAY)
            lq_sub_sent(f, listener, m);
        lq_post(f, listener, m);
    }
    return !o->failed;
}

/* ---- what is new, for a stream ----------------------------------------------------------------
 */

static void tell_live(outbox *o, step *p, const lq_stream *s)
{
    for (int form = 0; form < p->f->config.n_forms; form++) {
        const lq_outlet *to = &s->outlets[form];
        refbuf *frames = to->n_live ? step_frames(p, form) : NULL;
        for (int i = 0; to->n_live && i < FEED_MAX_LISTENERS; i++) {
            if (!to->live_at[i])
                continue;
            feed_msg *m = lq_msg_new(FEED_FRAMES, NULL);
            if (m)
                m->stream = lq_stream_number(s, form);
            out_frames(o, i, m, p->q, frames);
        }
    }
}

static void tell_beside(outbox *o, queries *f, lq_query *q, lq_stream *s, bool join)
{
    step p = {0};
    list_each(it, &s->beside)
    {
        const lq_sub *sub = list_entry(it, lq_sub, link);
        if (p.from != sub->base) { /* those of one base tend to stand together */
            step_end(&p);
            if (!step_begin(&p, f, q, sub->base)) {
                o->failed = true;
                return;
            }
        }
        if (p.nothing)
            continue;
        out_frames(o, sub->listener, lq_msg_new(FEED_REPLAY, sub), q, step_frames(&p, sub->form));
        if (join)
            out_add(o, sub->listener, lq_msg_new(FEED_LIVE, sub));
        if (o->failed)
            break;
    }
    step_end(&p);
}

/* The messages have gone out. */
static void advance_beside(lq_query *q, lq_stream *s, bool join)
{
    list_each_safe(it, &s->beside)
    {
        lq_sub *sub = list_entry(it, lq_sub, link);
        if (lq_result_equal(sub->base, q->now))
            continue;
        if (join) {
            lq_sub_move(sub, LQ_SUB_LIVE);
            continue;
        }
        lq_result_unref(sub->base);
        sub->base = lq_result_ref(q->now);
    }
}

static bool send_stream(queries *f, lq_query *q, lq_stream *s, int64_t now)
{
    step p = {0};
    outbox o = {0};
    list_init(&o.messages);
    bool nobody = list_empty(&s->live);
    if (!nobody && !step_begin(&p, f, q, s->base))
        return false;
    bool moves = !nobody && !p.nothing;
    if (moves)
        tell_live(&o, &p, s);
    step_end(&p);
    /* Who stands beside joins with a message, where the stream moves with it. */
    tell_beside(&o, f, q, s, moves || nobody);
    bool sent = !list_empty(&o.messages);
    if (!out_post(f, &o))
        return false;
    if (sent && (moves || nobody))
        set_base(s, q->now);
    if (sent)
        advance_beside(q, s, moves || nobody);
    s->seen = q->now->serial;
    if (sent || q->ran)
        s->next = now + s->interval_us;
    return true;
}

/* ---- the first result -------------------------------------------------------------------------
 */

static bool answer(queries *f, lq_query *q, lq_sub *sub, int64_t now)
{
    outbox o = {0};
    list_init(&o.messages);
    lq_stream *s = stream_get(f, q, sub->interval_us);
    if (!s)
        return false;
    sub->stream = s;
    bool fresh = s->subs == 0, joins = list_empty(&s->live) || s->base == q->now;
    out_frames(&o, sub->listener, lq_msg_new(FEED_REPLAY, sub), q, result_frames(f, q, sub->form));
    if (joins)
        out_add(&o, sub->listener, lq_msg_new(FEED_LIVE, sub));
    if (!o.failed) { /* first of all; nothing can fail any more */
        feed_msg *m = sub->answer;
        m->kind = FEED_SUBSCRIBED;
        m->stream = lq_stream_number(s, sub->form);
        m->lsn = q->now->lsn;
        memcpy(m->log_id, f->log_id, sizeof m->log_id);
        sub->answer = NULL;
        lq_post(f, sub->listener, m);
    }
    if (!out_post(f, &o)) {
        sub->stream = NULL;
        free_if_unused(s);
        return false;
    }
    s->subs++;
    if (fresh) {
        s->seen = q->now->serial;
        s->next = now + s->interval_us;
    }
    if (joins)
        set_base(s, q->now);
    else
        sub->base = lq_result_ref(q->now);
    lq_sub_move(sub, joins ? LQ_SUB_LIVE : LQ_SUB_BESIDE);
    return true;
}

bool lq_send(queries *f, lq_query *q, int64_t now)
{
    list_each(it, &q->streams)
    {
        lq_stream *s = list_entry(it, lq_stream, link);
        if (s->next <= now && !send_stream(f, q, s, now))
            return false;
    }
    list_each_safe(it, &q->waiting)
    {
        lq_sub *sub = list_entry(it, lq_sub, link);
        if (lq_query_serves(q, sub) && !answer(f, q, sub, now))
            return false;
    }
    return true;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static bool end_sub(queries *f, lq_sub *s, const error *why)
{
    feed_msg *m = s->answer ? s->answer : lq_msg_new(FEED_ENDED, s);
    if (!m)
        return false;
    s->answer = NULL; /* it is FEED_REFUSED as long as it is there */
    m->err = *why;
    lq_post(f, s->listener, m);
    lq_sub_forget(f, s);
    return true;
}

static lq_sub *any_sub(lq_query *q)
{
    if (!list_empty(&q->waiting))
        return list_entry(q->waiting.next, lq_sub, link);
    if (list_empty(&q->streams))
        return NULL;
    lq_stream *s = list_entry(q->streams.next, lq_stream, link);
    list *of = list_empty(&s->live) ? &s->beside : &s->live;
    return list_entry(of->next, lq_sub, link);
}

bool lq_send_end(queries *f, lq_query *q)
{
    const error why = q->why;
    for (int left = q->subs; left > 0; left--) {
        if (!end_sub(f, any_sub(q), &why))
            return false;
    }
    return true; /* and the query has gone with its last one */
}
