#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/position.h"
#include "feed/state.h"

enum { FLUSH_BYTES = 262144 }; /* frames of an outlet that wait, at most: then they are sent */

typedef enum outcome { GO_ON, NO_MEMORY, GAP_AHEAD } outcome;

/* A read of the log under way. */
typedef struct live_slice {
    feed *f;
    int64_t until_us;
    int given;
    outcome result;
    int64_t next; /* GAP_AHEAD: the lsn that came instead */
    bool stopped; /* the turn was over before the slice */
} live_slice;

/* ---- one record -------------------------------------------------------------------------------
 */

/* The record comes again, for all streams that it was not sent to already. */
static void take_back(feed *f, const log_record *rec)
{
    list_each_safe(it, &f->touched)
    {
        stream *s = list_entry(it, stream, touched);
        if (s->done_lsn == rec->lsn)
            continue;
        stream_take_back(s, rec);
        s->failed = false;
        list_unlink(&s->touched);
    }
}

/* The record will not come again: what it meant to streams is done with. */
static void forget_record(feed *f)
{
    list *item;
    while ((item = list_pop(&f->touched)))
        list_entry(item, stream, touched)->failed = false;
}

/* Notes why a stream cannot go on behind this record: its filter, or what its viewer may see. */
static bool note_failure(feed *f, stream *s, const error *cause, int64_t lsn,
                         void (*explain)(error *e, const error *cause, int64_t lsn))
{
    if (!s->why)
        s->why = mem_alloc(sizeof *s->why);
    if (!s->why)
        return false;
    explain(s->why, cause, lsn);
    s->failed = true;
    if (list_empty(&s->touched))
        list_append(&f->touched, &s->touched);
    return true;
}

/* Whether the stream still has to be given this record: an attempt that failed half way may have
 * done with some streams. */
static bool is_open(const stream *s, const log_record *rec)
{
    return s->n_live && !s->failed && s->done_lsn != rec->lsn;
}

/* A record as somebody sees it, on its way to the streams of those; its text is made when the first
 * one wants it. */
typedef struct delivery {
    feed *f;
    const log_record *rec;
    bool made;
} delivery;

static bool offer(delivery *d, stream *s, leg *l)
{
    error e;
    error_clear(&e);
    if (!is_open(s, d->rec))
        return true;
    switch (stream_wants(d->f, s, l, false, d->rec, &e)) {
    case FILTER_NO:
        return true;
    case FILTER_FAILED:
        return note_failure(d->f, s, &e, d->rec->lsn, why_filter);
    case FILTER_NO_MEMORY:
        return false;
    case FILTER_YES:
        break;
    }
    return stream_add(d->f, s, d->rec, &d->made);
}

static bool offer_indexed(void *arg, index_entry *entry)
{
    leg *l = list_entry(entry, leg, indexed);
    return offer(arg, l->stream, l);
}

/* A changed table must still fit the filter. */
static bool check_altered(delivery *d, leg *l)
{
    error e;
    error_clear(&e);
    const log_record *rec = d->rec;
    if (rec->op != OP_ALTER)
        return true;
    const table_shape *shape = topic_shape(d->f, l->topic, rec->shape, &e);
    if (shape && leg_compile(d->f, l, &l->live, shape, &e) && leg_find_columns(l, shape, &e))
        return true;
    return e.code != ERR_INTERNAL_ERROR &&
           note_failure(d->f, l->stream, &e, rec->lsn, shape ? why_filter : why_lens);
}

/* Every stream of the table hears of a change to the table itself. */
static bool offer_ddl(delivery *d, stream *s, leg *l)
{
    return !is_open(s, d->rec) ||
           (stream_add(d->f, s, d->rec, &d->made) && (!l || check_altered(d, l)));
}

static bool deliver_topic(delivery *d, topic *t)
{
    const log_record *rec = d->rec;
    if (rec->kind == LOG_ROW)
        return topic_prepare(t, rec->shape) &&
               filter_index_find(&t->index, rec->shape, rec->row ? rec->row : rec->old_row,
                                 offer_indexed, d);
    list_each(it, &t->legs)
    {
        leg *l = list_entry(it, leg, of_topic);
        if (!offer_ddl(d, l->stream, l))
            return false;
    }
    return true;
}

static bool deliver_everything(delivery *d, stream *s)
{
    return d->rec->kind == LOG_ROW ? offer(d, s, NULL) : offer_ddl(d, s, NULL);
}

/* What is not seen through a lens has one text for all. */
static bool deliver_plain(feed *f, const followed *w, const log_record *rec)
{
    delivery d = {.f = f, .rec = rec};
    topic *first = w ? list_entry(w->topics.next, topic, link) : NULL;
    if (first && !first->sight && !deliver_topic(&d, first))
        return false;
    list_each(it, &f->everything)
    {
        stream *s = list_entry(it, stream, everything);
        if (!s->as && !deliver_everything(&d, s))
            return false;
    }
    return true;
}

/* Those who follow a topic learn nothing that it is not sure they may see. */
static bool end_topic(feed *f, const topic *t, const log_record *rec, const error *cause)
{
    list_each(it, &t->legs)
    {
        stream *s = list_entry(it, leg, of_topic)->stream;
        if (is_open(s, rec) && !note_failure(f, s, cause, rec->lsn, why_lens))
            return false;
    }
    return true;
}

static bool is_followed(const topic *t, const log_record *rec)
{
    list_each(it, &t->legs)
    {
        if (is_open(list_entry(it, leg, of_topic)->stream, rec))
            return true;
    }
    return false;
}

static bool deliver_seen(feed *f, topic *t, const log_record *rec)
{
    error e;
    error_clear(&e);
    delivery d = {.f = f};
    if (!is_followed(t, rec))
        return true;
    switch (topic_see(f, t, rec, &d.rec, &e)) {
    case LENS_SHOWN:
        return deliver_topic(&d, t);
    case LENS_FAILED:
        return end_topic(f, t, rec, &e);
    case LENS_HIDDEN:
        return true;
    case LENS_NO_MEMORY:
        break;
    }
    return false;
}

static bool deliver_everything_seen(feed *f, stream *s, const log_record *rec)
{
    error e;
    error_clear(&e);
    delivery d = {.f = f};
    if (!is_open(s, rec))
        return true;
    switch (stream_see(f, s, NULL, rec, &d.rec, &e)) {
    case LENS_SHOWN:
        return deliver_everything(&d, s);
    case LENS_FAILED:
        return note_failure(f, s, &e, rec->lsn, why_lens);
    case LENS_HIDDEN:
        return true;
    case LENS_NO_MEMORY:
        break;
    }
    return false;
}

static bool deliver_through_lenses(feed *f, const followed *w, const log_record *rec)
{
    for (list *it = w ? w->topics.next : NULL; it && it != &w->topics; it = it->next) {
        topic *t = list_entry(it, topic, link);
        if (t->sight && !deliver_seen(f, t, rec))
            return false;
    }
    list_each(it, &f->everything)
    {
        stream *s = list_entry(it, stream, everything);
        if (s->as && !deliver_everything_seen(f, s, rec))
            return false;
    }
    return true;
}

/* As the stream's subscribers see it: a new name may be hidden from them. */
static void explain_end(feed *f, stream *s, const log_record *rec, error *why)
{
    const log_record *seen;
    stream_see(f, s, stream_leg(s, rec->shape->table), rec, &seen, why);
    why_ddl(why, seen);
}

/* What ends with this record ends after its frames. */
static bool end_streams(feed *f, const log_record *rec)
{
    error why;
    list_each(it, &f->touched)
    {
        stream *s = list_entry(it, stream, touched);
        bool ends = stream_ends_with(s, rec);
        if (!ends && !s->failed)
            continue;
        if (ends)
            explain_end(f, s, rec, &why);
        if (!stream_finish(f, s, rec))
            return false;
        if (!stream_end_live(f, s, ends ? &why : s->why))
            return false;
    }
    forget_record(f);
    return true;
}

/* All of it or nothing: after a failure the record comes again. */
static bool deliver(feed *f, const log_record *rec)
{
    const followed *w = followed_find(f, rec->shape->table);
    if (!w && list_empty(&f->everything))
        return true;
    bool told = rec->kind == LOG_ROW || event_is_told(rec);
    if ((!told || (deliver_plain(f, w, rec) && deliver_through_lenses(f, w, rec))) &&
        end_streams(f, rec))
        return true;
    take_back(f, rec);
    return false;
}

/* Frames of large rows are not held until the slice ends. */
static bool flush_large(feed *f)
{
    list_each_safe(it, &f->dirty)
    {
        outlet *o = list_entry(it, outlet, dirty);
        if (o->pending.len >= FLUSH_BYTES && !outlet_flush(f, o))
            return false;
    }
    return true;
}

static bool on_record(void *arg, const log_record *rec)
{
    live_slice *slice = arg;
    feed *f = slice->f;
    if (rec->lsn != f->at + 1) {
        slice->result = GAP_AHEAD;
        slice->next = rec->lsn;
        return false;
    }
    if (!deliver(f, rec)) {
        slice->result = NO_MEMORY;
        return false;
    }
    f->at = rec->lsn;
    slice->given++;
    if (!flush_large(f)) {
        slice->result = NO_MEMORY;
        return false;
    }
    slice->stopped = clock_mono_us() >= slice->until_us;
    return !slice->stopped;
}

/* ---- slices -----------------------------------------------------------------------------------
 */

/* The log was pruned faster than it was read: whoever follows a stream has missed something. */
static bool end_all(feed *f, int64_t next)
{
    error why;
    size_t at = 0;
    position_gap(&why, f->at + 1, next);
    for (map_slot *slot; (slot = map_next(&f->streams, &at));) {
        stream *s = slot->value;
        if (s->n_live && !stream_end_live(f, s, &why))
            return false;
    }
    list_each_safe(it, &f->ahead)
    {
        sub *s = list_entry(it, sub, link);
        if (s->at < next - 1 && !sub_end(f, s, &why))
            return false;
    }
    log_warn("feed_gap", "%s", why.message);
    forget_record(f);
    f->at = next - 1;
    return true;
}

/* How far to read: to the end of the slice, or to where the next subscription waits. */
static int slice_size(const feed *f)
{
    int64_t n = f->config.slice;
    list_each(it, &f->ahead)
    {
        int64_t ahead = list_entry(it, sub, link)->at - f->at;
        if (ahead > 0 && ahead < n)
            n = ahead;
    }
    return (int)n;
}

/* With nobody to tell, the position alone moves on. */
static bool skip(feed *f, error *e)
{
    log_bounds bounds;
    if (!engine_log_bounds(f->reader, &bounds, e))
        return false;
    forget_record(f);
    f->at = bounds.head;
    f->has_more = false;
    return true;
}

/* A read that gave nothing at all: at the head, or everything behind `at` was pruned. */
static outcome look_for_gap(feed *f, int64_t *next, error *e)
{
    log_bounds bounds;
    if (!engine_log_bounds(f->reader, &bounds, e))
        return NO_MEMORY;
    *next = bounds.oldest;
    f->has_more = bounds.head > f->at;
    return bounds.oldest > f->at + 1 ? GAP_AHEAD : GO_ON;
}

/* Reads one slice. False after a failure, which was answered with a pause. */
static bool read_slice(feed *f, int64_t until_us)
{
    error e;
    error_clear(&e);
    live_slice slice = {.f = f, .until_us = until_us};
    int want = slice_size(f);
    int n = engine_log_read(f->reader, f->at, want, on_record, &slice, &e);
    if (n < 0 && e.code == ERR_GAP) {
        slice.result = GAP_AHEAD;
        slice.next = e.detail;
        n = 0;
        error_clear(&e);
    } else if (n >= 0 && slice.given == 0 && slice.result == GO_ON)
        slice.result = look_for_gap(f, &slice.next, &e);
    else if (n >= 0 && slice.given < want && slice.result == GO_ON && !slice.stopped)
        f->has_more = false;
    if (slice.result == GAP_AHEAD && !end_all(f, slice.next))
        slice.result = NO_MEMORY;
    if (n < 0 || slice.result == NO_MEMORY || !outlets_flush(f)) {
        feed_back_off(f, "following the change log", e.code == ERR_NONE ? NULL : &e);
        return false;
    }
    return subs_join(f);
}

void live_run(feed *f, int64_t until_us)
{
    if (!outlets_flush(f)) {
        feed_back_off(f, "sending events", NULL);
        return;
    }
    if (!subs_join(f))
        return;
    while (f->has_more && clock_mono_us() < until_us) {
        error e;
        error_clear(&e);
        if (f->n_live || !list_empty(&f->ahead)) {
            if (!read_slice(f, until_us))
                return;
        } else if (!skip(f, &e)) {
            feed_back_off(f, "reading the change log", &e);
            return;
        }
    }
}
