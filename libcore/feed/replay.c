#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "feed/position.h"
#include "feed/state.h"

typedef enum outcome { GO_ON, NO_MEMORY, ENDED } outcome;

/* A read of the log for one subscription. */
typedef struct replay_slice {
    feed *f;
    sub *s;
    int64_t until_us;
    int events;     /* frames made; they wait in f->replay */
    int64_t last;   /* lsn of the last one */
    outcome result; /* ENDED: why */
    error why;
} replay_slice;

/* ---- one record -------------------------------------------------------------------------------
 */

static bool add_frame(replay_slice *slice, const log_record *rec)
{
    feed *f = slice->f;
    bool made = false;
    if (!outlet_render(f, slice->s->outlet, rec, &made, &f->replay)) {
        slice->result = NO_MEMORY;
        return false;
    }
    slice->events++;
    slice->last = rec->lsn;
    return true;
}

static bool fail_with(replay_slice *slice, const error *cause, int64_t lsn,
                      void (*explain)(error *e, const error *cause, int64_t lsn))
{
    explain(&slice->why, cause, lsn);
    slice->result = ENDED;
    return false;
}

static bool replay_row(replay_slice *slice, leg *l, const log_record *rec)
{
    error e;
    error_clear(&e);
    switch (stream_wants(slice->f, slice->s->outlet->stream, l, true, rec, &e)) {
    case FILTER_NO:
        return true;
    case FILTER_YES:
        return add_frame(slice, rec);
    case FILTER_NO_MEMORY:
        slice->result = NO_MEMORY;
        return false;
    case FILTER_FAILED:
        break;
    }
    return fail_with(slice, &e, rec->lsn, why_filter);
}

/* A topic is a table's name: that another table had it once is history, and the replay goes on.
 * Only what happened after the subscription began ends it. */
static bool replay_ddl(replay_slice *slice, const log_record *rec)
{
    if (event_is_told(rec) && !add_frame(slice, rec))
        return false;
    if (!stream_ends_with(slice->s->outlet->stream, rec) || rec->lsn <= slice->s->known_at)
        return true;
    why_ddl(&slice->why, rec);
    slice->result = ENDED;
    return false;
}

/* What the subscriber has read already, by the table's own position. */
static bool was_read(const sub *s, const log_record *rec)
{
    const feed_request *q = &s->ask;
    for (int i = 0; q->read_to && i < q->n_tables; i++) {
        if (strcasecmp(q->tables[i], rec->shape->table) == 0)
            return rec->lsn <= q->read_to[i];
    }
    return false;
}

static bool replay_record(replay_slice *slice, const log_record *rec)
{
    error e;
    error_clear(&e);
    const log_record *seen;
    stream *st = slice->s->outlet->stream;
    leg *l = stream_leg(st, rec->shape->table);
    if ((!l && st->n_tables) || was_read(slice->s, rec))
        return true;
    switch (stream_see(slice->f, st, l, rec, &seen, &e)) {
    case LENS_SHOWN:
        return rec->kind == LOG_DDL ? replay_ddl(slice, seen) : replay_row(slice, l, seen);
    case LENS_HIDDEN:
        return true;
    case LENS_FAILED:
        return fail_with(slice, &e, rec->lsn, why_lens);
    case LENS_NO_MEMORY:
        break;
    }
    slice->result = NO_MEMORY;
    return false;
}

static bool on_record(void *arg, const log_record *rec)
{
    replay_slice *slice = arg;
    sub *s = slice->s;
    if (rec->lsn != s->at + 1) {
        position_gap(&slice->why, s->at + 1, rec->lsn);
        slice->result = ENDED;
        return false;
    }
    if (!replay_record(slice, rec))
        return false;
    s->at = rec->lsn;
    return s->unacked + slice->f->replay.len < FEED_REPLAY_WINDOW &&
           clock_mono_us() < slice->until_us;
}

/* ---- slices -----------------------------------------------------------------------------------
 */

static bool send(replay_slice *slice)
{
    feed *f = slice->f;
    sub *s = slice->s;
    if (f->replay.len == 0)
        return true;
    feed_msg *m = feed_msg_new(FEED_REPLAY, s);
    refbuf *frames = m ? refbuf_new(f->replay.data, f->replay.len) : NULL;
    if (!frames) {
        feed_msg_free(m);
        return false;
    }
    m->lsn = slice->last;
    m->events = slice->events;
    m->frames = frames;
    s->unacked += frames->len;
    feed_post(f, s->listener, m);
    return true;
}

/* The feed's own position says that there are records: where none came, they were pruned. */
static bool look_for_gap(replay_slice *slice, error *e)
{
    log_bounds bounds;
    if (!engine_log_bounds(slice->f->reader, &bounds, e))
        return false;
    if (bounds.oldest <= slice->s->at + 1)
        return error_set(e, ERR_INTERNAL_ERROR,
                         "the change log gave nothing behind %" PRId64 " of %" PRId64, slice->s->at,
                         bounds.head);
    position_gap(&slice->why, slice->s->at + 1, bounds.oldest);
    slice->result = ENDED;
    return true;
}

/* Sends what the slice gave, and the end where it came to one. False when memory is out: then
 * nothing was sent. */
static bool deliver(replay_slice *slice)
{
    bool ends = slice->result == ENDED;
    feed_msg *end = ends ? feed_msg_new(FEED_ENDED, slice->s) : NULL;
    if ((ends && !end) || !send(slice)) {
        feed_msg_free(end);
        return false;
    }
    if (ends)
        sub_end_with(slice->f, slice->s, end, &slice->why);
    return true;
}

/* Brings one subscription a slice forward, and to where it belongs then. False after a failure,
 * which was answered with a pause; nothing is lost by it. */
static bool replay_one(feed *f, sub *s, int64_t until_us)
{
    error e;
    error_clear(&e);
    replay_slice slice = {.f = f, .s = s, .until_us = until_us};
    const int64_t start = s->at, left = f->at - start;
    buf_clear(&f->replay);
    int n = engine_log_read(f->reader, start, left < f->config.slice ? (int)left : f->config.slice,
                            on_record, &slice, &e);
    if (n < 0 && e.code == ERR_GAP) {
        position_gap(&slice.why, s->at + 1, e.detail);
        slice.result = ENDED;
        n = 0;
    }
    bool ok = n >= 0;
    if (ok && s->at == start && slice.result == GO_ON)
        ok = look_for_gap(&slice, &e);
    if (!deliver(&slice)) {
        s->at = start;
        ok = false;
    } else if (slice.result == ENDED) {
        return true;
    }
    sub_place(f, s);
    if (ok && slice.result != NO_MEMORY)
        return true;
    feed_back_off(f, "reading the change log for a subscription", e.code == ERR_NONE ? NULL : &e);
    return false;
}

/* Outlets take turns; those that have many to catch up take them along together. */
void replay_run(feed *f, int64_t until_us)
{
    while (!list_empty(&f->behind)) {
        outlet *o = list_entry(f->behind.next, outlet, behind);
        list_unlink(&o->behind);
        list_append(&f->behind, &o->behind);
        cohort_result together = cohort_run(f, o, until_us);
        if (together == COHORT_FAILED)
            return;
        sub *first = list_entry(o->behind_subs.next, sub, link);
        if (together == COHORT_NONE && !replay_one(f, first, until_us))
            return;
        if (clock_mono_us() >= until_us)
            return;
    }
}
