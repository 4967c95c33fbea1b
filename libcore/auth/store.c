#include "auth/store.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "engine/sink.h"

enum { WAITING_MAX = 1000 }; /* changes */

/* Documents in the order of what they are found by. */
typedef struct table {
    struct entry {
        const char *key; /* in the document */
        auth_document *doc;
    } *entries;
    int n, room;
} table;

/* What a change does to one document. */
typedef struct auth_step {
    auth_document *was, *is; /* held; NULL: none */
} auth_step;

struct auth_store {
    engine *engine;
    pthread_mutex_t lock; /* guards the tables and `seen` of documents */
    table by_name[AUTH_KINDS];
    table by_mark; /* documents are held by by_name alone */
    atomic_ullong generation, versions[AUTH_KINDS];

    pthread_mutex_t queue_lock; /* guards what is below */
    list queue;                 /* of auth_call */
    int waiting;
    bool working;       /* a thread takes calls from the queue */
    auth_call *current; /* whose turn it is */
};

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

/* ---- tables ------------------------------------------------------------------------------------
 */

/* The place of the key, or where it would go. */
static int place_of(const table *t, const char *key)
{
    int from = 0, to = t->n;
    while (from < to) {
        int middle = from + (to - from) / 2;
        if (strcmp(t->entries[middle].key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static auth_document *look_up(const table *t, const char *key)
{
    int at = place_of(t, key);
    return at < t->n && strcmp(t->entries[at].key, key) == 0 ? t->entries[at].doc : NULL;
}

static bool reserve(table *t, int more)
{
    int room = t->room ? t->room : 16;
    while (room < t->n + more)
        room *= 2;
    if (room == t->room)
        return true;
    struct entry *entries = mem_realloc(t->entries, (size_t)room * sizeof *entries);
    if (!entries)
        return false;
    t->entries = entries;
    t->room = room;
    return true;
}

/* There is room for it, and no such key. */
static void insert(table *t, const char *key, auth_document *d)
{
    int at = place_of(t, key);
    memmove(t->entries + at + 1, t->entries + at, (size_t)(t->n - at) * sizeof *t->entries);
    t->entries[at] = (struct entry){key, d};
    t->n++;
}

static void erase(table *t, const char *key)
{
    int at = place_of(t, key);
    t->n--;
    memmove(t->entries + at, t->entries + at + 1, (size_t)(t->n - at) * sizeof *t->entries);
}

/* ---- the tables together, under the lock -------------------------------------------------------
 */

static bool reserve_for(auth_store *s, const auth_document *d)
{
    return reserve(&s->by_name[d->kind], 1) && reserve(&s->by_mark, d->n_marks);
}

/* There is room for it; it is held from now on. */
static void enter(auth_store *s, auth_document *d)
{
    insert(&s->by_name[d->kind], d->name, auth_document_hold(d));
    for (int i = 0; i < d->n_marks; i++)
        insert(&s->by_mark, d->marks[i], d);
}

/* The store holds it no more: that is the caller's to release, outside of the lock. */
static void leave(auth_store *s, auth_document *d)
{
    erase(&s->by_name[d->kind], d->name);
    for (int i = 0; i < d->n_marks; i++)
        erase(&s->by_mark, d->marks[i]);
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static auth_document *find_in(auth_store *s, const table *t, const char *key)
{
    pthread_mutex_lock(&s->lock);
    auth_document *d = auth_document_hold(look_up(t, key));
    pthread_mutex_unlock(&s->lock);
    return d;
}

auth_document *auth_store_find(auth_store *s, auth_kind kind, const char *name)
{
    return find_in(s, &s->by_name[kind], name);
}

auth_document *auth_store_marked(auth_store *s, const char *mark)
{
    return find_in(s, &s->by_mark, mark);
}

int auth_store_page(auth_store *s, auth_kind kind, int64_t offset, int limit, auth_document **out,
                    int64_t *total)
{
    const table *t = &s->by_name[kind];
    int n = 0;
    pthread_mutex_lock(&s->lock);
    for (int64_t i = offset; i < t->n && n < limit; i++)
        out[n++] = auth_document_hold(t->entries[i].doc);
    *total = t->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

auth_document *auth_store_search(auth_store *s, auth_kind kind,
                                 bool (*fits)(const auth_document *d, const void *arg),
                                 const void *arg)
{
    const table *t = &s->by_name[kind];
    auth_document *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < t->n && !found; i++) {
        if (fits(t->entries[i].doc, arg))
            found = auth_document_hold(t->entries[i].doc);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

uint64_t auth_store_generation(const auth_store *s)
{
    return atomic_load_explicit(&s->generation, memory_order_acquire);
}

uint64_t auth_store_version(const auth_store *s, auth_kind kind)
{
    return atomic_load_explicit(&s->versions[kind], memory_order_acquire);
}

atomic_ullong *auth_store_counter(auth_store *s)
{
    return &s->generation;
}

identity *auth_store_seen(auth_store *s, auth_document *d, uint64_t generation)
{
    pthread_mutex_lock(&s->lock);
    identity *who = d->seen && d->seen->generation == generation ? identity_hold(d->seen) : NULL;
    pthread_mutex_unlock(&s->lock);
    return who;
}

void auth_store_note(auth_store *s, auth_document *d, identity *who)
{
    pthread_mutex_lock(&s->lock);
    identity *before = d->seen;
    d->seen = identity_hold(who);
    pthread_mutex_unlock(&s->lock);
    identity_release(before);
}

/* ---- deciding ----------------------------------------------------------------------------------
 */

static bool add_step(auth_call *c, auth_step step, error *e)
{
    if (c->n == c->room) {
        int room = c->room ? 2 * c->room : 4;
        auth_step *more = mem_realloc(c->steps, (size_t)room * sizeof *more);
        if (!more)
            return no_memory(e);
        c->steps = more;
        c->room = room;
    }
    auth_document_hold(step.was);
    auth_document_hold(step.is);
    c->steps[c->n++] = step;
    return true;
}

/* Nobody else has a mark of the document. */
static bool marks_are_free(auth_store *s, const auth_document *d, error *e)
{
    bool ok = true;
    for (int i = 0; ok && i < d->n_marks; i++) {
        auth_document *has = auth_store_marked(s, d->marks[i]);
        if (has && (has->kind != d->kind || strcmp(has->name, d->name) != 0))
            ok = error_set(e, ERR_CONFLICT, "the %s is the one of the %s \"%s\"", d->marks[i],
                           auth_kind_name(has->kind), has->name);
        auth_document_release(has);
    }
    return ok;
}

static bool may_be_one_more(auth_store *s, auth_kind kind, error *e)
{
    int64_t total;
    auth_store_page(s, kind, 0, 0, NULL, &total);
    if (total < auth_kind_max(kind))
        return true;
    return error_set(e, ERR_CONFLICT, "there are %lld %ss already, which is the most there can be",
                     (long long)total, auth_kind_name(kind));
}

bool auth_call_put(auth_call *c, auth_document *d, error *e)
{
    auth_store *s = c->owner;
    auth_document *was = auth_store_find(s, d->kind, d->name);
    error_clear(e);
    bool ok = (was || may_be_one_more(s, d->kind, e)) && marks_are_free(s, d, e) &&
              add_step(c, (auth_step){was, d}, e);
    auth_document_release(was);
    return ok;
}

bool auth_call_drop(auth_call *c, auth_kind kind, const char *name, error *e)
{
    auth_document *was = auth_store_find(c->owner, kind, name);
    bool ok = !was || add_step(c, (auth_step){was, NULL}, e);
    auth_document_release(was);
    return ok;
}

/* ---- changing ----------------------------------------------------------------------------------
 */

/* So that nothing can fail once it is durable. */
static bool reserve_all(auth_store *s, const auth_call *c, error *e)
{
    bool ok = true;
    int marks = 0;
    int made[AUTH_KINDS] = {0};
    for (int i = 0; i < c->n; i++) {
        if (c->steps[i].is) {
            marks += c->steps[i].is->n_marks;
            made[c->steps[i].is->kind]++;
        }
    }
    pthread_mutex_lock(&s->lock);
    for (int i = 0; ok && i < AUTH_KINDS; i++)
        ok = reserve(&s->by_name[i], made[i]);
    ok = ok && reserve(&s->by_mark, marks);
    pthread_mutex_unlock(&s->lock);
    return ok || no_memory(e);
}

static bool describe(auth_call *c, error *e)
{
    c->changes = mem_alloc((size_t)(c->n + 1) * sizeof *c->changes);
    if (!c->changes)
        return no_memory(e);
    for (int i = 0; i < c->n; i++) {
        const auth_step *step = &c->steps[i];
        const auth_document *d = step->is ? step->is : step->was;
        c->changes[i] = (auth_change){
            .drop = !step->is,
            .expect = step->was ? AUTH_PRESENT : AUTH_NOTHING,
            .text = {auth_kind_name(d->kind), d->name, d->json, d->len},
        };
    }
    return true;
}

/* The tables become what the database is. */
static void follow(auth_store *s, const auth_call *c)
{
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < c->n; i++) {
        const auth_step *step = &c->steps[i];
        if (step->was)
            leave(s, step->was);
    }
    for (int i = 0; i < c->n; i++) {
        if (c->steps[i].is)
            enter(s, c->steps[i].is);
    }
    for (int i = 0; i < c->n; i++) {
        const auth_step *step = &c->steps[i];
        atomic_fetch_add(&s->versions[(step->is ? step->is : step->was)->kind], 1);
    }
    atomic_fetch_add(&s->generation, 1);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < c->n; i++)
        auth_document_release(c->steps[i].was); /* which the tables held */
}

static void free_steps(auth_call *c)
{
    for (int i = 0; i < c->n; i++) {
        auth_document_release(c->steps[i].was);
        auth_document_release(c->steps[i].is);
    }
    mem_free(c->steps);
    mem_free(c->changes);
    c->steps = NULL;
    c->changes = NULL;
    c->n = c->room = 0;
}

static void work(auth_store *s);

/* e: what became of it; NULL: it is durable. */
static void finish(auth_store *s, auth_call *c, const error *e)
{
    c->failed = e != NULL;
    if (e)
        c->err = *e;
    else if (c->n)
        follow(s, c);
    free_steps(c);
    pthread_mutex_lock(&s->queue_lock);
    s->current = NULL;
    pthread_mutex_unlock(&s->queue_lock);
    c->done(c);
    work(s);
}

static void on_done(job_sink *sink, int index, const error *e)
{
    auth_call *c = list_entry(sink, auth_call, sink);
    (void)index;
    finish(c->owner, c, e);
}

/* It is the call's turn. */
static void begin(auth_store *s, auth_call *c)
{
    static const job_sink_ops ops = {
        .begin = sink_ignore_begin,
        .restart = sink_ignore_restart,
        .end = sink_ignore_end,
        .done = on_done,
    };
    error e;
    error_clear(&e);
    c->owner = s;
    if (!c->decide(c, s, &e) || !reserve_all(s, c, &e) || !describe(c, &e)) {
        finish(s, c, &e);
        return;
    }
    if (!c->n) {
        finish(s, c, NULL);
        return;
    }
    c->sink.ops = &ops;
    c->job = (job){.kind = JOB_AUTH, .sink = &c->sink, .n_auth = c->n, .auth = c->changes};
    engine_submit(s->engine, &c->job);
}

/* The next call, which is the current one from now on; NULL when none waits, or its turn has not
 * come. */
static auth_call *next(auth_store *s)
{
    list *first = s->current ? NULL : list_pop(&s->queue);
    if (!first)
        return NULL;
    s->waiting--;
    s->current = list_entry(first, auth_call, link);
    return s->current;
}

/* Begins calls as long as they end at once. One thread does so at a time: a call that ends on
 * another meanwhile, or within begin, is followed by the next one here. */
static void work(auth_store *s)
{
    pthread_mutex_lock(&s->queue_lock);
    if (!s->working) {
        s->working = true;
        for (auth_call *c = next(s); c; c = next(s)) {
            pthread_mutex_unlock(&s->queue_lock);
            begin(s, c);
            pthread_mutex_lock(&s->queue_lock);
        }
        s->working = false;
    }
    pthread_mutex_unlock(&s->queue_lock);
}

void auth_store_change(auth_store *s, auth_call *c)
{
    pthread_mutex_lock(&s->queue_lock);
    bool full = s->waiting >= WAITING_MAX;
    if (!full) {
        list_append(&s->queue, &c->link);
        s->waiting++;
    }
    pthread_mutex_unlock(&s->queue_lock);
    if (!full) {
        work(s);
        return;
    }
    error_clear(&c->err);
    c->failed = !error_set(&c->err, ERR_BUSY, "too many changes of users and roles wait");
    c->done(c);
}

/* ---- start and end -----------------------------------------------------------------------------
 */

auth_store *auth_store_new(engine *g)
{
    auth_store *s = mem_zalloc(sizeof *s);
    if (!s)
        return NULL;
    s->engine = g;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->queue_lock, NULL);
    list_init(&s->queue);
    return s;
}

bool auth_store_load(auth_store *s, const auth_text *t, error *e)
{
    error why;
    auth_kind kind = auth_kind_of(t->kind);
    auth_document *d = kind == AUTH_KINDS
                           ? NULL
                           : auth_document_make(kind, json_loadb(t->json, t->len, 0, NULL), &why);
    if (!d) {
        error_clear(e);
        error_set(e, ERR_CORRUPT, "the %s \"%.80s\" of the database cannot be read%s%s", t->kind,
                  t->name, kind == AUTH_KINDS ? "" : ": ", kind == AUTH_KINDS ? "" : why.message);
        return false;
    }
    bool ok = reserve_for(s, d) || no_memory(e);
    if (ok)
        enter(s, d);
    auth_document_release(d);
    return ok;
}

void auth_store_free(auth_store *s)
{
    if (!s)
        return;
    for (int k = 0; k < AUTH_KINDS; k++) {
        for (int i = 0; i < s->by_name[k].n; i++)
            auth_document_release(s->by_name[k].entries[i].doc);
        mem_free(s->by_name[k].entries);
    }
    mem_free(s->by_mark.entries);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->queue_lock);
    mem_free(s);
}
