#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "feed/position.h"
#include "feed/replication_state.h"

/* ---- made and freed ---------------------------------------------------------------------------
 */

static feed_msg *message_new(feed_msg_kind kind, uint64_t sub)
{
    feed_msg *m = mem_zalloc(sizeof *m);
    if (!m)
        return NULL;
    list_init(&m->link);
    m->tag = FEED_TAG;
    m->kind = kind;
    m->sub = sub;
    m->stream = REPLICATION_STREAM;
    return m;
}

/* True when there was nothing to copy, or it was copied. */
static bool copy(char **to, const char *from)
{
    if (from)
        *to = mem_strndup(from, strlen(from));
    return !from || *to;
}

static bool copy_tables(consumer *c, const replication_request *q)
{
    if (!q->tables)
        return true;
    c->tables = mem_zalloc((size_t)(q->n_tables + 1) * sizeof *c->tables);
    if (!c->tables)
        return false;
    for (; c->n_tables < q->n_tables; c->n_tables++) {
        if (!copy(&c->tables[c->n_tables], q->tables[c->n_tables]))
            return false;
    }
    return true;
}

static bool copy_viewer(consumer *c, const replication_request *q)
{
    bool restricted = q->as && q->as->access;
    c->as = restricted ? viewer_keep(q->as) : NULL;
    return c->as || !restricted;
}

consumer *consumer_new(const replication_request *q)
{
    consumer *c = mem_zalloc(sizeof *c);
    if (!c)
        return NULL;
    c->letter.tag = LETTER_CONSUMER;
    list_init(&c->letter.link);
    list_init(&c->known);
    list_init(&c->link);
    c->listener = q->listener;
    c->number = q->sub;
    c->form = q->form;
    c->create = q->create;
    c->has_since = q->has_since;
    c->since = q->since;
    c->ddl = q->ddl;
    snprintf(c->connection, sizeof c->connection, "%s", q->connection ? q->connection : "");
    snprintf(c->user, sizeof c->user, "%s", q->user ? q->user : "");
    c->answer = message_new(FEED_REFUSED, q->sub);
    c->end = message_new(FEED_ENDED, q->sub);
    if (c->answer && c->end && copy(&c->slot_name, q->slot) && copy(&c->log_id, q->log_id) &&
        copy_tables(c, q) && copy_viewer(c, q))
        return c;
    consumer_free(c);
    return NULL;
}

void consumer_free(consumer *c)
{
    viewer_release(c->as);
    mem_free(c->slot_name);
    mem_free(c->log_id);
    for (int i = 0; i < c->n_tables; i++)
        mem_free(c->tables[i]);
    mem_free(c->tables);
    feed_msg_free(c->answer);
    feed_msg_free(c->end);
    buf_free(&c->pending);
    mem_free(c);
}

/* ---- where it is ------------------------------------------------------------------------------
 */

int64_t consumer_position(replication *r, consumer *c)
{
    pthread_mutex_lock(&r->lock);
    bool all = c->confirmed >= c->sent && c->pending.len == 0;
    int64_t confirmed = c->confirmed;
    pthread_mutex_unlock(&r->lock);
    return all && c->at > confirmed ? c->at : confirmed;
}

void consumer_moved(replication *r, consumer *c)
{
    if (c->slot)
        slot_move(r, c->slot, consumer_position(r, c), false);
}

void consumers_wake(replication *r)
{
    list_each(it, &r->consumers)
    {
        consumer *c = list_entry(it, consumer, link);
        if (c->state == CONSUMER_AT_HEAD)
            c->state = CONSUMER_READY;
    }
}

/* ---- its end ----------------------------------------------------------------------------------
 */

static void leave_slot(replication *r, consumer *c)
{
    slot *s = c->slot;
    if (!s)
        return;
    if (s->state == SLOT_KEPT) {
        s->is.seen_at = clock_wall_us();
        slot_move(r, s, consumer_position(r, c), true);
    }
    s->user = NULL;
    c->slot = NULL;
}

void consumer_forget(replication *r, consumer *c)
{
    leave_slot(r, c);
    if (c->state != CONSUMER_NEW)
        r->n_consumers--;
    list_unlink(&c->link);
    c->state = CONSUMER_OVER;
    pthread_mutex_lock(&r->lock);
    list_unlink(&c->known);
    bool queued = c->queued;
    pthread_mutex_unlock(&r->lock);
    if (!queued)
        consumer_free(c);
}

void consumer_end(replication *r, consumer *c, const error *why)
{
    feed_msg *m = c->end;
    c->end = NULL;
    m->err = *why;
    replication_post(r, c->listener, m);
    consumer_forget(r, c);
}

static void refuse(replication *r, consumer *c, const error *why)
{
    feed_msg *m = c->answer;
    c->answer = NULL;
    m->err = *why;
    replication_post(r, c->listener, m);
    consumer_forget(r, c);
}

/* ---- its beginning ----------------------------------------------------------------------------
 */

static bool check_free(const slot *s, error *e)
{
    if (s->user)
        return error_set(e, ERR_CONFLICT, "the slot \"%s\" is in use by the connection %s",
                         s->is.name, s->user->connection);
    if (s->state != SLOT_KEPT)
        return error_set(e, ERR_CONFLICT, "the slot \"%s\" is being %s", s->is.name,
                         s->state == SLOT_MAKING ? "made" : "dropped");
    return true;
}

/* Where it starts without a slot, or with a new one. */
static int64_t first_position(const consumer *c, const log_bounds *b)
{
    return !c->has_since ? b->head : c->since > 0 ? c->since : b->oldest - 1;
}

/* Finds the slot, or makes it, and takes it; c->at says where it starts. */
static bool take_slot(replication *r, consumer *c, const log_bounds *b, error *e)
{
    slot *s = slot_find(r, c->slot_name);
    if (s) {
        if (!check_free(s, e) || !slot_check_kept(s, b, e))
            return false;
        c->at = c->has_since && c->since > s->is.lsn ? c->since : s->is.lsn;
    } else if (!c->create) {
        error_set(e, ERR_NOT_FOUND, "there is no slot \"%s\"", c->slot_name);
        return error_hint(e, "Subscribe with \"create\": true, or POST /replication/slots.");
    } else {
        c->at = first_position(c, b);
        s = slot_make(r, c->slot_name, b->log_id, c->at, e);
        if (!s)
            return false;
    }
    c->slot = s;
    s->user = c;
    return true;
}

static bool admit(replication *r, consumer *c, error *e)
{
    log_bounds b;
    if (r->n_consumers >= r->config.max_consumers) {
        error_set(e, ERR_SUBSCRIPTION_LIMIT, "there are %d consumers of replication already",
                  r->n_consumers);
        return error_hint(e, "The setting max_replication_consumers allows no more.");
    }
    if (c->slot_name && !slot_check_name(c->slot_name, e))
        return false;
    if (!engine_log_bounds(r->reader, &b, e) ||
        !position_check(&b, c->log_id, c->has_since, c->since, e))
        return false;
    memcpy(c->answer->log_id, b.log_id, sizeof b.log_id);
    if (!c->slot_name) {
        c->at = first_position(c, &b);
        return true;
    }
    return take_slot(r, c, &b, e);
}

/* Everything is there: it is told so, and gets what is behind its position. */
static void start(replication *r, consumer *c)
{
    error e;
    if (!cursor_place(r, c, c->at, &e)) {
        refuse(r, c, &e);
        return;
    }
    if (c->slot) {
        c->slot->is.seen_at = clock_wall_us();
        slot_move(r, c->slot, c->at, false);
    }
    feed_msg *m = c->answer;
    c->answer = NULL;
    m->kind = FEED_SUBSCRIBED;
    m->lsn = c->at;
    replication_post(r, c->listener, m);
    c->connected_at = clock_wall_us();
    c->state = CONSUMER_READY;
}

static void subscribe(replication *r, consumer *c)
{
    error e;
    error_clear(&e);
    if (!admit(r, c, &e)) {
        refuse(r, c, &e);
        return;
    }
    r->n_consumers++;
    list_append(&r->consumers, &c->link);
    c->state = CONSUMER_WAITING;
    if (!c->slot || c->slot->state == SLOT_KEPT)
        start(r, c);
}

void consumer_slot_made(replication *r, consumer *c, const error *e)
{
    if (e)
        refuse(r, c, e);
    else
        start(r, c);
}

/* ---- letters ----------------------------------------------------------------------------------
 */

static void confirmed(replication *r, consumer *c)
{
    c->confirmed_at = clock_wall_us();
    consumer_moved(r, c);
}

void consumer_on_letter(replication *r, consumer *c)
{
    pthread_mutex_lock(&r->lock);
    unsigned asked = c->asked;
    size_t acked = c->acked;
    c->asked = 0;
    c->acked = 0;
    c->queued = false;
    pthread_mutex_unlock(&r->lock);

    if (c->state == CONSUMER_OVER) {
        consumer_free(c); /* nobody can ask about it any more */
        return;
    }
    if (asked & ASK_CONFIRM)
        confirmed(r, c);
    if (asked & ASK_UNSUBSCRIBE) { /* unheard, where it was not yet admitted */
        consumer_forget(r, c);
        return;
    }
    c->unacked -= acked < c->unacked ? acked : c->unacked;
    if (asked & ASK_SUBSCRIBE)
        subscribe(r, c);
    else if (c->state == CONSUMER_FULL && c->unacked < FEED_REPLAY_WINDOW)
        c->state = CONSUMER_READY;
}
