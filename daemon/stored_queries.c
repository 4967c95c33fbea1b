#include "daemon/stored_queries.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/sink.h"

/* A name that is there, or is about to be. */
typedef struct entry {
    stored_query *is;          /* a reference; NULL: it is being made */
    const stored_call *change; /* under way; NULL: none */
} entry;

struct stored_queries {
    engine *engine;
    pthread_mutex_t lock; /* guards the table */
    entry *entries;       /* in the order of their names */
    int n, room;
    int n_made; /* of them, those that are there */
    atomic_uint_fast64_t generation;
};

/* ---- the table, under the lock ----------------------------------------------------------------
 */

static const char *name_of(const entry *x)
{
    return x->is ? x->is->name : x->change->is->name;
}

/* The place of the name, or where it would go. */
static int place_of(const stored_queries *s, const char *name)
{
    int from = 0, to = s->n;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (strcmp(name_of(&s->entries[middle]), name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static entry *find(const stored_queries *s, const char *name)
{
    int at = place_of(s, name);
    return at < s->n && strcmp(name_of(&s->entries[at]), name) == 0 ? &s->entries[at] : NULL;
}

static entry *insert(stored_queries *s, const char *name)
{
    int at = place_of(s, name);
    if (s->n == s->room) {
        int room = s->room ? 2 * s->room : 16;
        entry *more = mem_realloc(s->entries, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        s->entries = more;
        s->room = room;
    }
    memmove(s->entries + at + 1, s->entries + at, (size_t)(s->n - at) * sizeof *s->entries);
    s->n++;
    s->entries[at] = (entry){0};
    return &s->entries[at];
}

static void drop(stored_queries *s, entry *x)
{
    size_t behind = (size_t)(s->entries + s->n - (x + 1));
    memmove(x, x + 1, behind * sizeof *x);
    s->n--;
}

/* ---- looking ----------------------------------------------------------------------------------
 */

stored_query *stored_queries_find(stored_queries *s, const char *name)
{
    pthread_mutex_lock(&s->lock);
    const entry *x = find(s, name);
    stored_query *q = x && x->is ? stored_query_ref(x->is) : NULL;
    pthread_mutex_unlock(&s->lock);
    return q;
}

int stored_queries_page(stored_queries *s, int64_t offset, int limit, stored_query **out,
                        int64_t *total)
{
    int64_t at = 0;
    int n = 0;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->n && n < limit; i++) {
        if (s->entries[i].is && at++ >= offset)
            out[n++] = stored_query_ref(s->entries[i].is);
    }
    *total = s->n_made;
    pthread_mutex_unlock(&s->lock);
    return n;
}

uint64_t stored_queries_generation(const stored_queries *s)
{
    return atomic_load(&s->generation);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

/* Takes the name for the call. */
static bool take(stored_queries *s, const stored_call *c, error *e)
{
    const char *name = c->change.text.name;
    entry *x = find(s, name);
    error_clear(e);
    if (x && x->change)
        return error_set(e, ERR_CONFLICT, "the stored query \"%s\" is being changed", name);
    if (x && !c->was)
        return error_set(e, ERR_CONFLICT, "there is a stored query \"%s\" already", name);
    if (c->was && (!x || x->is != c->was))
        return error_set(e, ERR_CONFLICT, "the stored query \"%s\" was changed meanwhile", name);
    if (!x && s->n >= c->max) {
        error_set(e, ERR_CONFLICT, "there are %d stored queries already", s->n);
        return error_hint(e, "Delete one, or raise max_stored_queries.");
    }
    if (!x)
        x = insert(s, name);
    if (!x)
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    x->change = c;
    return true;
}

/* The change is durable, or was not made. What was there is returned, to be given back. */
static stored_query *settle(stored_queries *s, const stored_call *c)
{
    entry *x = find(s, c->change.text.name);
    stored_query *before = x->is;
    x->change = NULL;
    if (c->failed) {
        if (!before)
            drop(s, x);
        return NULL;
    }
    s->n_made += (c->is != NULL) - (before != NULL);
    atomic_fetch_add(&s->generation, 1);
    if (c->is)
        x->is = stored_query_ref(c->is);
    else
        drop(s, x);
    return before;
}

static void on_done(job_sink *sink, int index, const error *e)
{
    stored_call *c = list_entry(sink, stored_call, sink);
    stored_queries *s = c->owner;
    (void)index;
    c->failed = e != NULL;
    if (e)
        c->err = *e;
    pthread_mutex_lock(&s->lock);
    stored_query *before = settle(s, c);
    pthread_mutex_unlock(&s->lock);
    stored_query_unref(before);
    c->done(c);
}

void stored_queries_change(stored_queries *s, stored_call *c)
{
    static const job_sink_ops ops = {
        .begin = sink_ignore_begin,
        .restart = sink_ignore_restart,
        .end = sink_ignore_end,
        .done = on_done,
    };
    const stored_query *of = c->is ? c->is : c->was;
    c->owner = s;
    c->sink.ops = &ops;
    c->change = (stored_change){
        .drop = !c->is,
        .text = {of->name, of->version, of->json, of->len},
    };
    pthread_mutex_lock(&s->lock);
    c->failed = !take(s, c, &c->err);
    pthread_mutex_unlock(&s->lock);
    if (c->failed) {
        c->done(c);
        return;
    }
    c->job = (job){.kind = JOB_STORE, .sink = &c->sink, .store = &c->change};
    engine_submit(s->engine, &c->job);
}

/* ---- start and end ----------------------------------------------------------------------------
 */

static bool load_one(void *arg, const stored_text *t, error *e)
{
    stored_queries *s = arg;
    stored_query *q = stored_query_read(t->json, t->len, e);
    if (!q)
        return false;
    entry *x = insert(s, q->name);
    if (!x) {
        stored_query_unref(q);
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    x->is = q;
    s->n_made++;
    return true;
}

stored_queries *stored_queries_open(engine *g, error *e)
{
    stored_queries *s = xalloc(sizeof *s);
    s->engine = g;
    pthread_mutex_init(&s->lock, NULL);
    if (engine_stored_read(g, load_one, s, e))
        return s;
    stored_queries_free(s);
    return NULL;
}

void stored_queries_free(stored_queries *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        stored_query_unref(s->entries[i].is);
    mem_free(s->entries);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}
