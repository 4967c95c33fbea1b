#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "feed/position.h"
#include "feed/replication_state.h"
#include "engine/sink.h"

enum {
    WRITE_EVERY_US = 1000000, /* a slot's position is written once in this time */
    WRITE_LIMIT_US = 5000000, /* a write that takes longer has failed */
};

/* ---- finding ----------------------------------------------------------------------------------
 */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

bool slot_check_name(const char *name, error *e)
{
    size_t n = 0;
    while (is_name_char(name[n]))
        n++;
    if (n > 0 && n <= REPLICATION_NAME && !name[n])
        return true;
    error_set(e, ERR_INVALID_MESSAGE, "\"%.100s\" is no name for a slot", name);
    return error_hint(e, "1 to %d letters, digits, '_', '-' and '.'.", REPLICATION_NAME);
}

/* The place of the name, or where it would go. */
static int place_of(const replication *r, const char *name)
{
    int i = 0;
    while (i < r->n_slots && strcmp(r->slots[i]->is.name, name) < 0)
        i++;
    return i;
}

slot *slot_find(const replication *r, const char *name)
{
    int i = place_of(r, name);
    return i < r->n_slots && strcmp(r->slots[i]->is.name, name) == 0 ? r->slots[i] : NULL;
}

bool slot_check_kept(const slot *s, const log_bounds *b, error *e)
{
    if (strcmp(s->is.log_id, b->log_id) != 0) {
        position_other_log(e, b, s->is.log_id);
    } else if (s->is.lsn + 1 < b->oldest) {
        position_gap(e, s->is.lsn + 1, b->oldest);
    } else if (s->is.lsn > b->head) {
        error_set(e, ERR_GAP, "the slot's position %" PRId64 " is beyond the head %" PRId64,
                  s->is.lsn, b->head);
        e->detail = b->oldest;
    } else {
        return true;
    }
    return error_hint(e, "The slot is lost: read the tables anew, drop it and make another.");
}

/* ---- coming and going -------------------------------------------------------------------------
 */

static void insert(replication *r, slot *s)
{
    int at = place_of(r, s->is.name);
    memmove(r->slots + at + 1, r->slots + at, (size_t)(r->n_slots - at) * sizeof *r->slots);
    r->slots[at] = s;
    r->n_slots++;
}

static void drop(replication *r, slot *s)
{
    int at = place_of(r, s->is.name);
    r->n_slots--;
    memmove(r->slots + at, r->slots + at + 1, (size_t)(r->n_slots - at) * sizeof *r->slots);
    mem_free(s);
}

static void write_soon(slot *s, int64_t at_us)
{
    s->dirty = true;
    s->due_us = at_us;
}

slot *slot_make(replication *r, const char *name, const char *log_id, int64_t lsn, error *e)
{
    if (r->n_slots >= r->config.max_slots) {
        error_set(e, ERR_CONFLICT, "there are %d slots already", r->n_slots);
        error_hint(e, "Drop one, or raise max_replication_slots.");
        return NULL;
    }
    slot *s = mem_zalloc(sizeof *s);
    if (!s) {
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    snprintf(s->is.name, sizeof s->is.name, "%s", name);
    snprintf(s->is.log_id, sizeof s->is.log_id, "%s", log_id);
    s->is.lsn = lsn;
    s->is.created_at = clock_wall_us();
    s->state = SLOT_MAKING;
    write_soon(s, clock_mono_us());
    insert(r, s);
    return s;
}

void slot_move(replication *r, slot *s, int64_t lsn, bool soon)
{
    (void)r;
    int64_t now = clock_mono_us();
    if (lsn > s->is.lsn)
        s->is.lsn = lsn;
    else if (!soon)
        return;
    if (!s->dirty || soon)
        write_soon(s, soon || now - s->written_us >= WRITE_EVERY_US
                          ? now
                          : s->written_us + WRITE_EVERY_US);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static slot *create(replication *r, const replication_call *c, error *e)
{
    log_bounds b;
    if (!slot_check_name(c->name, e) || !engine_log_bounds(r->reader, &b, e) ||
        !position_check(&b, c->log_id, c->has_since, c->since, e))
        return NULL;
    if (slot_find(r, c->name)) {
        error_set(e, ERR_CONFLICT, "there is a slot \"%s\" already", c->name);
        return NULL;
    }
    int64_t lsn = !c->has_since ? b.head : c->since > 0 ? c->since : b.oldest - 1;
    return slot_make(r, c->name, b.log_id, lsn, e);
}

void slot_create_call(replication *r, replication_call *c)
{
    error e;
    error_clear(&e);
    slot *s = create(r, c, &e);
    if (s)
        s->call = c;
    else
        replication_answer(c, &e);
}

static slot *to_be_dropped(replication *r, const replication_call *c, error *e)
{
    slot *s = slot_find(r, c->name);
    if (!s)
        error_set(e, ERR_NOT_FOUND, "there is no slot \"%.100s\"", c->name);
    else if (s->user)
        error_set(e, ERR_CONFLICT, "the slot \"%s\" is in use by the connection %s", s->is.name,
                  s->user->connection);
    else if (s->state != SLOT_KEPT)
        error_set(e, ERR_CONFLICT, "the slot \"%s\" is being %s", s->is.name,
                  s->state == SLOT_MAKING ? "made" : "dropped");
    else
        return s;
    return NULL;
}

void slot_drop_call(replication *r, replication_call *c)
{
    error e;
    error_clear(&e);
    slot *s = to_be_dropped(r, c, &e);
    if (!s) {
        replication_answer(c, &e);
        return;
    }
    s->call = c;
    s->state = SLOT_DROPPING;
    write_soon(s, clock_mono_us());
}

/* ---- writing ----------------------------------------------------------------------------------
 */

int64_t slots_wait_us(const replication *r)
{
    int64_t wait = -1;
    if (r->writing)
        return -1; /* its letter wakes */
    for (int i = 0; i < r->n_slots; i++) {
        const slot *s = r->slots[i];
        int64_t left = s->due_us - clock_mono_us();
        if (s->dirty && (wait < 0 || left < wait))
            wait = left > 0 ? left : 0;
    }
    return wait;
}

static void add(slot_write *w, slot *s)
{
    w->slots[w->n] = s;
    w->changes[w->n] = (slot_change){.drop = s->state == SLOT_DROPPING, .slot = s->is};
    w->n++;
}

static void submit(replication *r, slot_write *w)
{
    w->failed = false;
    w->job = (job){
        .kind = JOB_SLOTS,
        .sink = &w->sink,
        .n_slots = w->n,
        .slots = w->changes,
        .timeout_us = WRITE_LIMIT_US,
    };
    engine_submit(r->engine, &w->job);
}

void slots_write_due(replication *r)
{
    slot_write *w = &r->writes[0];
    int64_t now = clock_mono_us();
    if (r->writing)
        return;
    w->n = 0;
    for (int i = 0; i < r->n_slots; i++) {
        slot *s = r->slots[i];
        if (!s->dirty || s->due_us > now)
            continue;
        s->dirty = false;
        s->writing = true;
        s->written_us = now;
        add(w, s);
    }
    if (w->n == 0)
        return;
    r->writing = true;
    submit(r, w);
}

void slots_write_last(replication *r)
{
    slot_write *w = &r->writes[1];
    w->n = 0;
    for (int i = 0; i < r->n_slots; i++) {
        slot *s = r->slots[i];
        if (s->state == SLOT_KEPT && (s->dirty || s->writing))
            add(w, s);
    }
    if (w->n > 0)
        submit(r, w);
}

static void made(replication *r, slot *s, const error *e)
{
    replication_call *call = s->call;
    consumer *user = s->user;
    s->call = NULL;
    if (e && user) { /* before the slot goes that it points to */
        s->user = NULL;
        user->slot = NULL;
    }
    if (!e)
        s->state = SLOT_KEPT;
    if (e && call)
        replication_answer(call, e);
    else if (call)
        status_call(r, call); /* shows it */
    if (user)
        consumer_slot_made(r, user, e);
    if (e)
        drop(r, s);
}

static void dropped(replication *r, slot *s, const error *e)
{
    replication_call *call = s->call;
    s->call = NULL;
    s->state = SLOT_KEPT;
    if (e)
        write_soon(s, clock_mono_us()); /* its position may be newer than what is kept */
    else
        drop(r, s);
    replication_answer(call, e);
}

static void kept(slot *s, const error *e)
{
    if (e)
        write_soon(s, clock_mono_us() + WRITE_EVERY_US);
}

void slots_written(replication *r, slot_write *w)
{
    const error *e = w->failed ? &w->err : NULL;
    r->writing = false;
    if (e)
        log_warn("slots_not_written", "%s", e->message);
    for (int i = 0; i < w->n; i++) {
        slot *s = w->slots[i];
        s->writing = false;
        if (s->state == SLOT_MAKING)
            made(r, s, e);
        else if (w->changes[i].drop)
            dropped(r, s, e);
        else if (s->state == SLOT_KEPT)
            kept(s, e);
    }
}

/* ---- the write's sink -------------------------------------------------------------------------
 */

static void on_done(job_sink *s, int index, const error *e)
{
    slot_write *w = list_entry(s, slot_write, sink);
    (void)index;
    w->failed = e != NULL;
    if (e)
        w->err = *e;
    mailbox_post(&w->owner->box, &w->letter.link);
}

/* ---- loading ----------------------------------------------------------------------------------
 */

static bool load_one(void *arg, const log_slot *is)
{
    replication *r = arg;
    if (r->n_slots == r->max_kept) { /* the setting was higher once */
        int room = r->max_kept * 2;
        slot **more = mem_realloc(r->slots, (size_t)room * sizeof *more);
        if (!more)
            return false;
        r->slots = more;
        r->max_kept = room;
    }
    slot *s = mem_zalloc(sizeof *s);
    if (!s)
        return false;
    s->is = *is;
    s->state = SLOT_KEPT;
    insert(r, s);
    return true;
}

static bool prepare(replication *r, slot_write *w)
{
    static const job_sink_ops ops = {
        .begin = sink_ignore_begin,
        .restart = sink_ignore_restart,
        .end = sink_ignore_end,
        .done = on_done,
    };
    w->letter.tag = LETTER_WRITTEN;
    list_init(&w->letter.link);
    w->owner = r;
    w->sink.ops = &ops;
    w->changes = mem_zalloc((size_t)r->max_kept * sizeof *w->changes);
    w->slots = mem_zalloc((size_t)r->max_kept * sizeof(slot *));
    return w->changes && w->slots;
}

bool slots_load(replication *r, error *e)
{
    r->max_kept = r->config.max_slots > 0 ? r->config.max_slots : 1;
    r->slots = mem_zalloc((size_t)r->max_kept * sizeof(slot *));
    if (!r->slots)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (!engine_slots_read(r->engine, load_one, r, e))
        return false;
    return (prepare(r, &r->writes[0]) && prepare(r, &r->writes[1])) ||
           error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

void slots_free(replication *r)
{
    for (int i = 0; i < r->n_slots; i++)
        mem_free(r->slots[i]);
    mem_free(r->slots);
    for (int i = 0; i < 2; i++) {
        mem_free(r->writes[i].changes);
        mem_free(r->writes[i].slots);
    }
}
