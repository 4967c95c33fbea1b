/* Catching up many subscriptions of an outlet at once: the records are read and written into frames
 * once, and each subscription gets the part behind its own position. Without it, a thousand clients
 * that come back after a restart would read the log a thousand times.
 *
 * Only what is the same for all is done here. At a record that ends a subscription (a drop, a
 * filter that fails, a gap) the cohort stops; replay.c takes its members there one by one. */
#include "base/clock.h"
#include "feed/state.h"

/* Where a frame begins in what was read. */
typedef struct frame_mark {
    int64_t lsn;
    size_t start;
} frame_mark;

typedef struct cohort {
    feed *f;
    outlet *o;
    int64_t until_us;
    int64_t start, at; /* positions: of the hindmost, and up to which was read */
    buf marks;         /* frame_mark, one per frame */
    bool no_memory;
} cohort;

static bool add_frame(cohort *c, const log_record *rec)
{
    frame_mark mark = {rec->lsn, c->f->replay.len};
    bool made = false;
    if (outlet_render(c->f, c->o, rec, &made, &c->f->replay))
        buf_add(&c->marks, &mark, sizeof mark);
    else
        c->no_memory = true;
    c->no_memory |= c->marks.failed;
    return !c->no_memory;
}

static bool take_seen(cohort *c, leg *l, const log_record *rec)
{
    stream *s = c->o->stream;
    error e;
    error_clear(&e);
    if (rec->kind == LOG_DDL)
        return !stream_ends_with(s, rec) && (!event_is_told(rec) || add_frame(c, rec));
    switch (stream_wants(c->f, s, l, true, rec, &e)) {
    case FILTER_NO:
        return true;
    case FILTER_YES:
        return add_frame(c, rec);
    case FILTER_NO_MEMORY:
        c->no_memory = true;
        return false;
    case FILTER_FAILED:
        break;
    }
    return false;
}

/* False: the record is not for a cohort, or memory is out. */
static bool take_record(cohort *c, const log_record *rec)
{
    stream *s = c->o->stream;
    leg *l = stream_leg(s, rec->shape->table);
    const log_record *seen;
    error e;
    error_clear(&e);
    if (!l && s->n_tables)
        return true;
    switch (stream_see(c->f, s, l, rec, &seen, &e)) {
    case LENS_SHOWN:
        return take_seen(c, l, seen);
    case LENS_HIDDEN:
        return true;
    case LENS_NO_MEMORY:
        c->no_memory = true;
        break;
    case LENS_FAILED:
        break;
    }
    return false;
}

static bool on_record(void *arg, const log_record *rec)
{
    cohort *c = arg;
    if (rec->lsn != c->at + 1 || !take_record(c, rec))
        return false;
    c->at = rec->lsn;
    return c->f->replay.len < FEED_REPLAY_WINDOW && clock_mono_us() < c->until_us;
}

/* The first frame behind a position, by halving. */
static int first_behind(const cohort *c, int64_t at)
{
    const frame_mark *marks = (const frame_mark *)(const void *)c->marks.data;
    int low = 0, high = (int)(c->marks.len / sizeof *marks);
    while (low < high) {
        int middle = (low + high) / 2;
        if (marks[middle].lsn > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Brings one member to where the cohort is. False when memory is out: then it stays. */
static bool advance(const cohort *c, sub *s, refbuf *frames)
{
    feed *f = c->f;
    const frame_mark *marks = (const frame_mark *)(const void *)c->marks.data;
    int n = (int)(c->marks.len / sizeof *marks), first = first_behind(c, s->at);
    if (first < n) {
        feed_msg *m = feed_msg_new(FEED_REPLAY, s);
        if (!m)
            return false;
        m->lsn = marks[n - 1].lsn;
        m->events = n - first;
        m->skip = marks[first].start;
        m->frames = refbuf_ref(frames);
        s->unacked += frames->len - m->skip;
        feed_post(f, s->listener, m);
    }
    s->at = c->at;
    sub_place(f, s);
    return true;
}

static bool advance_all(const cohort *c)
{
    refbuf *frames = refbuf_new(c->f->replay.data, c->f->replay.len);
    bool ok = frames != NULL;
    list_each_safe(it, &c->o->behind_subs)
    {
        sub *s = list_entry(it, sub, link);
        if (ok && s->at >= c->start && s->at < c->at && !s->ask.read_to)
            ok = advance(c, s, frames);
    }
    refbuf_unref(frames);
    return ok;
}

/* The hindmost of those that can be a cohort; NULL when there are fewer than two. */
static const sub *hindmost(const outlet *o)
{
    const sub *last = NULL;
    int n = 0;
    list_each(it, &o->behind_subs)
    {
        const sub *s = list_entry(it, sub, link);
        if (s->ask.read_to)
            continue;
        n++;
        if (!last || s->at < last->at)
            last = s;
    }
    return n > 1 ? last : NULL;
}

cohort_result cohort_run(feed *f, outlet *o, int64_t until_us)
{
    error e;
    error_clear(&e);
    const sub *last = hindmost(o);
    if (!last)
        return COHORT_NONE;
    cohort c = {.f = f, .o = o, .until_us = until_us, .start = last->at, .at = last->at};
    const int64_t left = f->at - c.start;
    buf_clear(&f->replay);
    int n =
        engine_log_read(f->reader, c.start, left < f->config.slice ? (int)left : f->config.slice,
                        on_record, &c, &e);
    bool moved = c.at > c.start;
    bool ok = !c.no_memory && (n >= 0 || e.code == ERR_GAP) && (!moved || advance_all(&c));
    buf_free(&c.marks);
    if (ok)
        return moved ? COHORT_MOVED : COHORT_NONE;
    feed_back_off(f, "reading the change log for subscriptions", e.code == ERR_NONE ? NULL : &e);
    return COHORT_FAILED;
}
