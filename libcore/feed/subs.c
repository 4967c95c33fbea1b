#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "feed/position.h"
#include "feed/state.h"

enum { ALL_OPS = 1U << OP_INSERT | 1U << OP_UPDATE | 1U << OP_DELETE };

void sub_free(sub *s)
{
    arena_free(&s->mem);
    viewer_release(s->as);
    feed_msg_free(s->answer);
    mem_free(s);
}

/* ---- from state to state ----------------------------------------------------------------------
 */

/* The one place where a subscription changes its state. */
static void move(feed *f, sub *s, sub_state to)
{
    outlet *o = s->outlet;
    int n = s->state == SUB_LIVE ? -1 : to == SUB_LIVE ? 1 : 0;
    if (n) {
        o->live_at[s->listener] += n;
        o->n_live += n;
        o->stream->n_live += n;
        f->n_live += n;
    }
    list_unlink(&s->link);
    if (o && list_empty(&o->behind_subs))
        list_unlink(&o->behind);
    s->state = to;
    switch (to) {
    case SUB_AHEAD:
        list_append(&f->ahead, &s->link);
        break;
    case SUB_BEHIND:
        list_append(&o->behind_subs, &s->link);
        if (list_empty(&o->behind))
            list_append(&f->behind, &o->behind);
        break;
    case SUB_FULL:
        list_append(&f->full, &s->link);
        break;
    case SUB_LIVE:
        list_append(&o->live_subs, &s->link);
        break;
    case SUB_NEW:
    case SUB_OVER:
        break;
    }
}

/* Lets go of a subscription that is not to hear anything more. It stays while its mail is under way
 * (a request may have been posted this moment). */
static void forget(feed *f, sub *s)
{
    struct {
        uint64_t listener, number;
    } key = {(uint64_t)s->listener, s->number};
    move(f, s, SUB_OVER);
    if (s->outlet && --s->outlet->stream->subs == 0)
        list_append(&f->idle, &s->outlet->stream->idle);
    s->outlet = NULL;
    pthread_mutex_lock(&f->lock);
    map_take(&f->subs, (const char *)&key, sizeof key);
    bool queued = s->queued;
    pthread_mutex_unlock(&f->lock);
    if (!queued)
        sub_free(s);
}

static bool join(feed *f, sub *s)
{
    feed_msg *m = feed_msg_new(FEED_LIVE, s);
    if (!m)
        return false;
    m->lsn = f->at;
    feed_post(f, s->listener, m);
    move(f, s, SUB_LIVE);
    return true;
}

/* Whether the stream's next frames are what comes next for it. They are not while it still leaves
 * out what it has read, nor when an attempt that memory ended has sent the next record already. */
static bool may_join(const feed *f, const sub *s)
{
    const outlet *o = s->outlet;
    return s->at == f->at && s->at >= s->apart_to && list_empty(&o->dirty) &&
           o->done_lsn <= f->at && o->stream->done_lsn <= f->at;
}

void sub_place(feed *f, sub *s)
{
    if (s->at < f->at)
        move(f, s, s->unacked < FEED_REPLAY_WINDOW ? SUB_BEHIND : SUB_FULL);
    else if (!may_join(f, s) || !join(f, s))
        move(f, s, SUB_AHEAD);
    if (s->state == SUB_AHEAD)
        f->has_more = true;
}

bool subs_join(feed *f)
{
    list_each_safe(it, &f->ahead)
    {
        sub *s = list_entry(it, sub, link);
        if (s->at < f->at) {
            sub_place(f, s);
        } else if (may_join(f, s) && !join(f, s)) {
            f->has_more = true;
            feed_back_off(f, "starting a subscription", NULL);
            return false;
        }
    }
    return true;
}

void sub_end_with(feed *f, sub *s, feed_msg *m, const error *why)
{
    m->err = *why;
    feed_post(f, s->listener, m);
    forget(f, s);
}

bool sub_end(feed *f, sub *s, const error *why)
{
    feed_msg *m = feed_msg_new(FEED_ENDED, s);
    if (m)
        sub_end_with(f, s, m, why);
    return m != NULL;
}

bool stream_end_live(feed *f, stream *s, const error *why)
{
    list_each(it, &s->outlets)
    {
        outlet *o = list_entry(it, outlet, link);
        if (!outlet_flush(f, o))
            return false;
        while (!list_empty(&o->live_subs)) {
            if (!sub_end(f, list_entry(o->live_subs.next, sub, link), why))
                return false;
        }
    }
    return true;
}

/* ---- reasons ----------------------------------------------------------------------------------
 */

void why_ddl(error *e, const log_record *rec)
{
    if (rec->op == OP_RENAME && rec->other) {
        error_set(e, ERR_TABLE_NOT_FOUND,
                  "the table \"%s\" was renamed to \"%s\" by the event %" PRId64, rec->shape->table,
                  rec->other, rec->lsn);
        error_hint(e, "Subscribe to the new name with since = %" PRId64 ".", rec->lsn);
    } else {
        error_set(e, ERR_TABLE_NOT_FOUND, "the table \"%s\" was %s by the event %" PRId64,
                  rec->shape->table, rec->op == OP_RENAME ? "renamed" : "dropped", rec->lsn);
    }
}

void why_filter(error *e, const error *cause, int64_t lsn)
{
    error_set(e, cause->code, "at the event %" PRId64 ": %s", lsn, cause->message);
    error_hint(e,
               "Subscribe again with a filter that copes, and since = %" PRId64 " or %" PRId64 ".",
               lsn - 1, lsn);
}

void why_lens(error *e, const error *cause, int64_t lsn)
{
    error_set(e, cause->code, "at the event %" PRId64 ": %s", lsn, cause->message);
    error_hint(e, "Nothing is sent where it cannot be said what may be seen: the role is to be "
                  "mended.");
}

/* ---- admission --------------------------------------------------------------------------------
 */

static bool check_request(const feed_request *q, error *e)
{
    if (q->ops & ~(op_set)ALL_OPS)
        return error_set(e, ERR_INVALID_MESSAGE, "ops: insert, update and delete are known");
    if (q->n_tables > FEED_MAX_TABLES)
        return error_set(e, ERR_INVALID_MESSAGE, "tables: at most %d can be named",
                         FEED_MAX_TABLES);
    if (q->n_columns > FEED_MAX_COLUMNS)
        return error_set(e, ERR_INVALID_MESSAGE, "columns: at most %d can be named",
                         FEED_MAX_COLUMNS);
    if (!q->n_tables && (q->where || q->n_columns)) {
        error_set(e, ERR_INVALID_MESSAGE, "where and columns need to know the tables");
        return error_hint(e, "Name the tables that have these columns.");
    }
    return true;
}

/* One table. What the viewer may not read is, for him, not there. */
static bool find_table(feed *f, const sub *s, const char *name, named_table *to, error *e)
{
    sight_kind kind;
    to->shape = engine_log_table(f->reader, name, e);
    if (!to->shape)
        return false;
    if (!viewer_table_key(s->as, to->shape->table, &kind, to->key))
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return kind != SIGHT_NONE || engine_no_table(name, e);
}

/* The tables, and their names as the schema spells them. */
static bool find_tables(feed *f, const sub *s, named_table *tables, const char **names, error *e)
{
    const feed_request *q = &s->ask;
    for (int i = 0; i < q->n_tables; i++) {
        if (!find_table(f, s, q->tables[i], &tables[i], e))
            return false;
        names[i] = tables[i].shape->table;
        for (int k = 0; k < i; k++) {
            if (strcmp(names[k], names[i]) == 0)
                return error_set(e, ERR_INVALID_MESSAGE, "tables: \"%s\" is named twice", names[i]);
        }
    }
    return true;
}

/* What of each table is seen, for the answer. */
static bool tell_shown(feed *f, const sub *s, const stream *st, const named_table *tables, int n,
                       error *e)
{
    buf names = BUF_INIT;
    for (int i = 0; s->as && i < n; i++) {
        const table_shape *all = tables[i].shape;
        const table_shape *seen = topic_shape(f, stream_leg(st, all->table)->topic, all, e);
        for (int k = 0; seen && seen != all && k < seen->n_columns; k++)
            buf_add(&names, seen->names[k], strlen(seen->names[k]) + 1);
        buf_addc(&names, '\0');
        names.failed |= !seen;
    }
    s->answer->shown = names.len && !names.failed ? mem_strndup(names.data, names.len) : NULL;
    bool ok = s->answer->shown || (!names.len && !names.failed);
    buf_free(&names);
    return ok || error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static outlet *find_outlet(feed *f, sub *s, error *e)
{
    named_table tables[FEED_MAX_TABLES];
    const char *names[FEED_MAX_TABLES];
    feed_request q = s->ask;
    q.tables = names;
    if (!find_tables(f, s, tables, names, e))
        return NULL;
    if (q.n_tables == 1) {
        s->answer->table = mem_strndup(names[0], strlen(names[0]));
        if (!s->answer->table) {
            error_set(e, ERR_INTERNAL_ERROR, "out of memory");
            return NULL;
        }
    }
    stream *st = stream_get(f, &q, tables, s->as, e);
    if (st && !tell_shown(f, s, st, tables, q.n_tables, e))
        return NULL; /* the stream is idle, and goes at the end of the round */
    outlet *o = st ? outlet_get(f, st, s->ask.form) : NULL;
    if (st && !o)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return o;
}

/* Reads the bounds before the tables, so that one that goes in between is seen to go. */
static bool admit(feed *f, sub *s, log_bounds *b, error *e)
{
    const feed_request *q = &s->ask;
    if (!check_request(q, e) || !engine_log_bounds(f->reader, b, e) ||
        !position_check(b, q->log_id, q->has_since, q->since, e))
        return false;
    s->outlet = find_outlet(f, s, e);
    if (!s->outlet)
        return false;
    s->outlet->stream->subs++;
    list_unlink(&s->outlet->stream->idle);
    s->known_at = b->head;
    s->at = !q->has_since ? b->head : q->since > 0 ? q->since : b->oldest - 1;
    for (int i = 0; q->read_to && i < q->n_tables; i++) {
        if (q->read_to[i] > s->apart_to)
            s->apart_to = q->read_to[i];
    }
    return true;
}

static void post_answer(feed *f, sub *s)
{
    feed_msg *m = s->answer;
    s->answer = NULL;
    feed_post(f, s->listener, m);
}

static void subscribe(feed *f, sub *s)
{
    feed_msg *m = s->answer;
    log_bounds bounds;
    error_clear(&m->err);
    if (!admit(f, s, &bounds, &m->err)) {
        post_answer(f, s);
        forget(f, s);
        return;
    }
    m->kind = FEED_SUBSCRIBED;
    m->stream = s->outlet->id;
    m->lsn = bounds.head;
    memcpy(m->filter, s->outlet->stream->filter_id, sizeof m->filter);
    memcpy(m->log_id, bounds.log_id, sizeof m->log_id);
    post_answer(f, s);
    viewer_release(s->as);
    s->as = NULL;
    if (!s->ask.read_to) {
        s->ask = (feed_request){0};
        arena_free(&s->mem);
    }
    sub_place(f, s);
}

/* ---- mail -------------------------------------------------------------------------------------
 */

void sub_on_mail(feed *f, sub *s)
{
    pthread_mutex_lock(&f->lock);
    unsigned asked = s->asked;
    size_t acked = s->acked;
    s->asked = 0;
    s->acked = 0;
    s->queued = false;
    pthread_mutex_unlock(&f->lock);

    if (s->state == SUB_OVER) {
        sub_free(s); /* nobody can ask about it any more */
        return;
    }
    if (asked & ASK_UNSUBSCRIBE) { /* unheard, where it was not yet admitted */
        forget(f, s);
        return;
    }
    s->unacked -= acked < s->unacked ? acked : s->unacked;
    if (asked & ASK_SUBSCRIBE)
        subscribe(f, s);
    else if (s->state == SUB_FULL)
        sub_place(f, s);
}
