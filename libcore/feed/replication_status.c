#include "base/clock.h"
#include "feed/replication_state.h"
#include "json/writer.h"

/* A wall clock time, null for 0. */
static void put_time(json_writer *w, const char *key, int64_t us)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    if (us)
        clock_rfc3339(us, stamp);
    jw_key_str(w, key, us ? stamp : NULL);
}

/* ---- lag --------------------------------------------------------------------------------------
 */

static bool note_time(void *arg, const log_record *rec)
{
    *(int64_t *)arg = rec->committed_at;
    return false;
}

/* How far a position is behind the head: in events, and since when the oldest of them is there.
 * Both null where the log does not have what is behind it. */
static bool put_lag(replication *r, json_writer *w, const log_bounds *b, int64_t lsn, bool lost,
                    error *e)
{
    int64_t since = 0;
    bool behind = !lost && lsn < b->head;
    error_clear(e);
    if (behind && engine_log_read(r->reader, lsn, 1, note_time, &since, e) < 0) {
        if (e->code != ERR_GAP)
            return false;
        lost = true;
    }
    jw_key(w, "lag_events");
    if (lost)
        jw_null(w);
    else
        jw_int(w, b->head - lsn);
    int64_t lag = since ? clock_wall_us() - since : 0;
    jw_key(w, "lag_seconds");
    if (lost)
        jw_null(w);
    else
        jw_real(w, lag > 0 ? (double)lag / 1e6 : 0);
    return true;
}

/* ---- slots ------------------------------------------------------------------------------------
 */

static const char *slot_state_name(const slot *s, bool lost)
{
    if (s->state == SLOT_MAKING)
        return "making";
    if (s->state == SLOT_DROPPING)
        return "dropping";
    if (s->user)
        return "active";
    return lost ? "lost" : "idle";
}

/* The position that the consumer has been sent everything up to. */
static int64_t sent_lsn(const consumer *c)
{
    return c->pending.len ? c->sent : c->at;
}

static bool put_slot(replication *r, json_writer *w, const slot *s, const log_bounds *b, error *e)
{
    bool lost = !slot_check_kept(s, b, e);
    jw_begin_object(w);
    jw_key_str(w, "name", s->is.name);
    jw_key_str(w, "state", slot_state_name(s, lost));
    jw_key_str(w, "log_id", s->is.log_id);
    jw_key_int(w, "confirmed_lsn", s->is.lsn);
    jw_key(w, "sent_lsn");
    if (s->user)
        jw_int(w, sent_lsn(s->user));
    else
        jw_null(w);
    if (!put_lag(r, w, b, s->is.lsn, lost, e))
        return false;
    jw_key_str(w, "connection_id", s->user ? s->user->connection : NULL);
    put_time(w, "created_at", s->is.created_at);
    put_time(w, "last_seen_at", s->user ? clock_wall_us() : s->is.seen_at);
    jw_end_object(w);
    return true;
}

/* ---- consumers --------------------------------------------------------------------------------
 */

static const char *consumer_state_name(const consumer *c)
{
    switch (c->state) {
    case CONSUMER_AT_HEAD:
        return "streaming";
    case CONSUMER_FULL:
        return "waiting";
    case CONSUMER_READY:
        return "catching_up";
    default:
        return "starting";
    }
}

static void put_tables(json_writer *w, const consumer *c)
{
    jw_key(w, "tables");
    if (!c->tables) {
        jw_null(w);
        return;
    }
    jw_begin_array(w);
    for (int i = 0; i < c->n_tables; i++)
        jw_str(w, c->tables[i]);
    jw_end_array(w);
}

static bool put_consumer(replication *r, json_writer *w, consumer *c, const log_bounds *b, error *e)
{
    bool confirms = c->slot || c->confirmed_at;
    int64_t position = consumer_position(r, c), sent = sent_lsn(c);
    jw_begin_object(w);
    jw_key_str(w, "connection_id", c->connection);
    jw_key_str(w, "user", c->user);
    jw_key_str(w, "slot_name", c->slot_name);
    jw_key_str(w, "state", consumer_state_name(c));
    put_tables(w, c);
    jw_key(w, "ddl");
    jw_bool(w, c->ddl);
    jw_key_int(w, "started_lsn", c->started);
    jw_key_int(w, "sent_lsn", sent);
    jw_key(w, "confirmed_lsn");
    if (confirms)
        jw_int(w, position);
    else
        jw_null(w);
    if (!put_lag(r, w, b, confirms ? position : sent, false, e))
        return false;
    jw_key_int(w, "messages_sent", c->events);
    jw_key_int(w, "bytes_sent", c->bytes);
    jw_key_int(w, "unread_bytes", (int64_t)c->unacked);
    put_time(w, "connected_at", c->connected_at);
    put_time(w, "confirmed_at", c->confirmed_at);
    jw_end_object(w);
    return true;
}

/* ---- calls ------------------------------------------------------------------------------------
 */

/* Begins {"total","offset","limit",NAME:[ */
static void begin_list(json_writer *w, const replication_call *c, const char *name, int total)
{
    jw_begin_object(w);
    jw_key_int(w, "total", total);
    jw_key_int(w, "offset", c->offset);
    jw_key_int(w, "limit", c->limit);
    jw_key(w, name);
    jw_begin_array(w);
}

static void end_list(json_writer *w)
{
    jw_end_array(w);
    jw_end_object(w);
}

static bool on_page(const replication_call *c, int i)
{
    return i >= c->offset && i - c->offset < c->limit;
}

static bool list_slots(replication *r, const replication_call *c, json_writer *w,
                       const log_bounds *b, error *e)
{
    begin_list(w, c, "slots", r->n_slots);
    for (int i = 0; i < r->n_slots; i++) {
        if (on_page(c, i) && !put_slot(r, w, r->slots[i], b, e))
            return false;
    }
    end_list(w);
    return true;
}

static bool list_consumers(replication *r, const replication_call *c, json_writer *w,
                           const log_bounds *b, error *e)
{
    int i = 0;
    begin_list(w, c, "consumers", r->n_consumers);
    list_each(it, &r->consumers)
    {
        if (on_page(c, i++) && !put_consumer(r, w, list_entry(it, consumer, link), b, e))
            return false;
    }
    end_list(w);
    return true;
}

static bool show_slot(replication *r, const replication_call *c, json_writer *w,
                      const log_bounds *b, error *e)
{
    const slot *s = slot_find(r, c->name);
    if (s)
        return put_slot(r, w, s, b, e);
    return error_set(e, ERR_NOT_FOUND, "there is no slot \"%.100s\"", c->name);
}

static void show_status(const replication *r, json_writer *w, const log_bounds *b)
{
    jw_begin_object(w);
    jw_key_str(w, "role", "primary");
    jw_key_str(w, "log_id", b->log_id);
    jw_key_int(w, "lsn", b->head);
    jw_key_int(w, "oldest_lsn", b->oldest);
    jw_key_int(w, "slots", r->n_slots);
    jw_key_int(w, "max_slots", r->config.max_slots);
    jw_key_int(w, "consumers", r->n_consumers);
    jw_key_int(w, "max_consumers", r->config.max_consumers);
    jw_end_object(w);
}

static bool write_answer(replication *r, replication_call *c, error *e)
{
    log_bounds b;
    json_writer w;
    jw_init(&w, &c->json);
    if (!engine_log_bounds(r->reader, &b, e))
        return false;
    switch (c->op) {
    case REPLICATION_STATUS:
        show_status(r, &w, &b);
        return true;
    case REPLICATION_SLOTS:
        return list_slots(r, c, &w, &b, e);
    case REPLICATION_CONSUMERS:
        return list_consumers(r, c, &w, &b, e);
    default:
        return show_slot(r, c, &w, &b, e);
    }
}

void status_call(replication *r, replication_call *c)
{
    error e;
    error_clear(&e);
    bool ok = write_answer(r, c, &e);
    if (ok && c->json.failed)
        ok = error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    replication_answer(c, ok ? NULL : &e);
}
