#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "feed/position.h"
#include "feed/replication_state.h"

enum { KEEP_BUFFER = 1 << 20 };

typedef enum outcome { GO_ON, NO_MEMORY, GAP_AHEAD } outcome;

/* A read of the log for all consumers that stand at the same place. */
typedef struct slice {
    replication *r;
    int64_t until_us;
    int64_t at;       /* lsn of the last record given, or where it began */
    int reading;      /* consumers that take more */
    bool record_made; /* r->record is of the record at hand */
    bool stopped;     /* before the records were over */
    outcome result;
    int64_t next; /* GAP_AHEAD: the lsn that came instead */
} slice;

/* ---- frames -----------------------------------------------------------------------------------
 */

/* What a consumer had, for the case that memory runs out half way. */
typedef struct mark {
    cursor_tx tx;
    size_t len;
    int events;
    int64_t lsn;
} mark;

static mark mark_of(const consumer *c)
{
    return (mark){c->tx, c->pending.len, c->pending_events, c->pending_lsn};
}

static void take_back(consumer *c, const mark *m)
{
    c->tx = m->tx;
    c->pending.len = m->len;
    c->pending.failed = false;
    c->pending_events = m->events;
    c->pending_lsn = m->lsn;
}

static bool add_frame(replication *r, consumer *c, const buf *text, int64_t lsn)
{
    r->config.render(&c->pending, c->form, text->data, text->len);
    c->pending_events++;
    c->pending_lsn = lsn;
    return !c->pending.failed;
}

/* Ends the transaction at the consumer's position, where it was begun. */
static bool add_commit(replication *r, consumer *c)
{
    const mark before = mark_of(c);
    if (!c->tx.begun)
        return true;
    c->tx.begun = false;
    if (text_commit(&r->edge, &c->tx, c->at) && add_frame(r, c, &r->edge, c->at))
        return true;
    take_back(c, &before);
    return false;
}

static bool is_listed(const consumer *c, const char *table)
{
    if (!c->tables)
        return true;
    for (int i = 0; i < c->n_tables; i++) {
        if (strcasecmp(c->tables[i], table) == 0)
            return true;
    }
    return false;
}

/* Whole tables only, and names of those. */
static bool may_have(const consumer *c, const log_record *rec)
{
    return !c->as || (viewer_sees(c->as, rec->shape->table) == SIGHT_PLAIN &&
                      (!rec->other || viewer_sees(c->as, rec->other) == SIGHT_PLAIN));
}

static bool wants(const consumer *c, const log_record *rec)
{
    if ((rec->kind == LOG_DDL && !c->ddl) || !may_have(c, rec))
        return false;
    return is_listed(c, rec->shape->table) ||
           (rec->op == OP_RENAME && rec->other && is_listed(c, rec->other));
}

static bool add_record(slice *s, consumer *c, const log_record *rec)
{
    replication *r = s->r;
    if (rec->tx != c->tx.number) {
        if (!add_commit(r, c))
            return false;
        c->tx = (cursor_tx){
            .number = rec->tx,
            .first = rec->lsn,
            .continued = c->tx.number == TX_UNKNOWN,
        };
    }
    c->tx.committed_at = rec->committed_at;
    if (!wants(c, rec))
        return true;
    if (!s->record_made && !text_record(&r->record, rec))
        return false;
    s->record_made = true;
    if (!c->tx.begun) {
        if (!text_begin(&r->edge, &c->tx) || !add_frame(r, c, &r->edge, c->tx.first))
            return false;
        c->tx.begun = true;
    }
    return add_frame(r, c, &r->record, rec->lsn);
}

/* All of the record or nothing of it. */
static bool give(slice *s, consumer *c, const log_record *rec)
{
    const mark before = mark_of(c);
    if (!add_record(s, c, rec)) {
        take_back(c, &before);
        return false;
    }
    c->at = rec->lsn;
    return true;
}

static bool on_record(void *arg, const log_record *rec)
{
    slice *s = arg;
    if (rec->lsn != s->at + 1) {
        s->result = GAP_AHEAD;
        s->next = rec->lsn;
        return false;
    }
    s->record_made = false;
    list_each(it, &s->r->consumers)
    {
        consumer *c = list_entry(it, consumer, link);
        if (!c->reading)
            continue;
        if (!give(s, c, rec)) {
            s->result = NO_MEMORY;
            return false;
        }
        c->reading = c->unacked + c->pending.len < FEED_REPLAY_WINDOW;
        s->reading -= !c->reading;
    }
    s->at = rec->lsn;
    s->stopped = s->reading == 0 || clock_mono_us() >= s->until_us;
    return !s->stopped;
}

/* ---- posting ----------------------------------------------------------------------------------
 */

static feed_msg *pending_message(const consumer *c)
{
    feed_msg *m = mem_zalloc(sizeof *m);
    refbuf *frames = m ? refbuf_new(c->pending.data, c->pending.len) : NULL;
    if (!frames) {
        mem_free(m);
        return NULL;
    }
    list_init(&m->link);
    m->tag = FEED_TAG;
    m->kind = FEED_REPLAY;
    m->sub = c->number;
    m->lsn = c->pending_lsn;
    m->events = c->pending_events;
    m->frames = frames;
    return m;
}

/* Posts what is pending. False when memory is out: it stays, and comes before anything else. */
static bool flush(replication *r, consumer *c)
{
    if (c->pending.len == 0)
        return true;
    feed_msg *m = pending_message(c);
    if (!m)
        return false;
    c->unacked += c->pending.len;
    c->events += c->pending_events;
    c->bytes += (int64_t)c->pending.len;
    pthread_mutex_lock(&r->lock);
    c->sent = c->pending_lsn; /* first, so that nobody can confirm it too early */
    pthread_mutex_unlock(&r->lock);
    replication_post(r, c->listener, m);
    if (c->pending.cap > KEEP_BUFFER)
        buf_free(&c->pending);
    buf_clear(&c->pending);
    c->pending_events = 0;
    return true;
}

/* Posts what the slice gave, and puts the consumer where it belongs. at_head: nothing comes behind
 * what it was given, so that its transaction has ended. False when memory is out: it stays ready,
 * and nothing is lost. */
static bool settle(replication *r, consumer *c, bool at_head)
{
    bool ok = !at_head || add_commit(r, c);
    if (!flush(r, c) || !ok)
        return false;
    c->state = at_head                           ? CONSUMER_AT_HEAD
               : c->unacked < FEED_REPLAY_WINDOW ? CONSUMER_READY
                                                 : CONSUMER_FULL;
    consumer_moved(r, c);
    return true;
}

/* ---- slices -----------------------------------------------------------------------------------
 */

/* Everyone who is ready and stands where the first one does. */
static bool choose(slice *s)
{
    consumer *first = NULL;
    list_each(it, &s->r->consumers)
    {
        consumer *c = list_entry(it, consumer, link);
        if (!first && c->state == CONSUMER_READY)
            first = c;
        c->chosen = c->reading = c->state == CONSUMER_READY && c->at == first->at;
        s->reading += c->reading;
    }
    if (first)
        s->at = first->at;
    return first != NULL;
}

/* What is behind their position is gone. */
static void end_gap(slice *s, consumer *c)
{
    error why;
    error_clear(&why);
    position_gap(&why, c->at + 1, s->next);
    consumer_end(s->r, c, &why);
}

/* Settles everyone who took part; those whom the slice served come last the next time. */
static bool settle_all(slice *s, bool at_head)
{
    replication *r = s->r;
    list served;
    bool ok = true;
    list_init(&served);
    list_each_safe(it, &r->consumers)
    {
        consumer *c = list_entry(it, consumer, link);
        if (!c->chosen)
            continue;
        bool settled = settle(r, c, at_head && c->reading);
        ok = ok && settled;
        if (settled && s->result == GAP_AHEAD && c->at == s->at) {
            end_gap(s, c);
        } else {
            list_unlink(&c->link);
            list_append(&served, &c->link);
        }
    }
    for (list *it; (it = list_pop(&served));)
        list_append(&r->consumers, it);
    return ok;
}

/* False after a failure, which was answered with a pause; nothing is lost by it. */
static bool read_slice(slice *s)
{
    replication *r = s->r;
    error e;
    error_clear(&e);
    int n = engine_log_read(r->reader, s->at, r->config.slice, on_record, s, &e);
    if (n < 0 && e.code == ERR_GAP) {
        s->result = GAP_AHEAD;
        s->next = e.detail;
        n = 0;
        error_clear(&e);
    }
    bool at_head = n >= 0 && n < r->config.slice && !s->stopped && s->result == GO_ON;
    if (settle_all(s, at_head) && n >= 0 && s->result != NO_MEMORY)
        return true;
    replication_back_off(r, "reading the change log", e.code == ERR_NONE ? NULL : &e);
    return false;
}

bool cursors_ready(const replication *r)
{
    list_each(it, &r->consumers)
    {
        if (list_entry(it, consumer, link)->state == CONSUMER_READY)
            return true;
    }
    return false;
}

void cursors_run(replication *r, int64_t until_us)
{
    do {
        slice s = {.r = r, .until_us = until_us};
        if (!choose(&s) || !read_slice(&s))
            return;
    } while (clock_mono_us() < until_us);
    if (r->record.cap > KEEP_BUFFER)
        buf_free(&r->record);
}

/* ---- where a cursor begins --------------------------------------------------------------------
 */

static bool note_tx(void *arg, const log_record *rec)
{
    *(int64_t *)arg = rec->tx;
    return false;
}

bool cursor_place(replication *r, consumer *c, int64_t at, error *e)
{
    int64_t tx = at > 0 ? TX_UNKNOWN : 0;
    error_clear(e);
    if (at > 0 && engine_log_read(r->reader, at - 1, 1, note_tx, &tx, e) < 0 && e->code != ERR_GAP)
        return false;
    c->tx = (cursor_tx){.number = tx, .first = at + 1, .continued = tx != 0};
    c->started = c->at = at;
    pthread_mutex_lock(&r->lock);
    c->sent = c->confirmed = at;
    pthread_mutex_unlock(&r->lock);
    return true;
}
