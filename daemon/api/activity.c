/* GET /monitoring/queries, GET and DELETE /monitoring/queries/{id}, POST /query/{id}/cancel: what
 * connections have run at the moment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/listing.h"
#include "daemon/query_events.h"
#include "daemon/survey.h"
#include "daemon/ws.h"

/* ---- one of them -------------------------------------------------------------------------------
 */

static bool is_running(const run *r)
{
    return atomic_load(&r->started_us) != 0;
}

static void put_sql_or_null(json_writer *w, const job *j)
{
    if (j->n_stmts)
        query_put_sql(w, j);
    else
        jw_key_str(w, "sql", NULL);
}

/* The engine writes the id of a transaction that begins while we look: those are left out. */
static const char *transaction_of(const job *j)
{
    return j->kind != JOB_TX_BEGIN && j->tx[0] ? j->tx : NULL;
}

static void describe_run(const run *r, json_writer *w)
{
    const server *d = r->home->d;
    const conn *c = r->c;
    const char *kind = query_kind(&r->job);
    char connection[24];
    snprintf(connection, sizeof connection, "c%llu", (unsigned long long)c->serial);
    jw_begin_object(w);
    jw_key_str(w, "id", r->job.id);
    jw_key_str(w, "kind", kind ? kind : "inspect");
    jw_key_str(w, "state", is_running(r) ? "running" : "waiting");
    put_sql_or_null(w, &r->job);
    jw_key_str(w, "user", r->who ? r->who->name : NULL);
    jw_key_str(w, "connection_id", connection);
    jw_key_str(w, "protocol", c->ws ? ws_protocol_called(c->ws->protocol) : "http");
    jw_key_str(w, "transaction_id", transaction_of(&r->job));
    describe_moment(w, d, "submitted_at", r->job.submitted_us);
    describe_moment(w, d, "started_at", atomic_load(&r->started_us));
    jw_key(w, "elapsed_ms");
    jw_real(w, (double)(clock_mono_us() - r->job.submitted_us) / 1000.0);
    jw_key(w, "rows");
    jw_int(w, atomic_load_explicit(&r->rows, memory_order_relaxed));
    jw_end_object(w);
}

/* ---- a page of them ----------------------------------------------------------------------------
 */

typedef struct run_filter {
    bool has_state, running;
    int64_t min_us;
    char user[64]; /* empty: any */
} run_filter;

static bool matches(const run *r, const run_filter *f, int64_t now)
{
    return (!f->has_state || is_running(r) == f->running) &&
           now - r->job.submitted_us >= f->min_us &&
           (!f->user[0] || (r->who && strcmp(r->who->name, f->user) == 0));
}

/* Calls `each` for every run of a reactor's connections. */
static void walk(reactor *r, void (*each)(run *of, void *arg), void *arg)
{
    list_each(it, &r->conns)
    {
        conn *c = list_entry(it, conn, link);
        list_each(at, &c->runs) each(list_entry(at, run, conn_link), arg);
    }
}

typedef struct gathering {
    const run_filter *filter;
    int64_t now;
    const uint64_t *wanted;
    size_t n;
    buf *to;
} gathering;

static void add_number(run *r, void *arg)
{
    const gathering *g = arg;
    if (matches(r, g->filter, g->now))
        buf_add(g->to, &r->number, sizeof r->number);
}

static void collect(reactor *r, const void *filter, buf *numbers)
{
    gathering g = {.filter = filter, .now = clock_mono_us(), .to = numbers};
    walk(r, add_number, &g);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static int by_number_of(const void *a, const void *b)
{
    const run *x = *(const run *const *)a, *y = *(const run *const *)b;
    return by_number(&x->number, &y->number);
}

static void add_wanted(run *r, void *arg)
{
    const gathering *g = arg;
    if (bsearch(&r->number, g->wanted, g->n, sizeof *g->wanted, by_number))
        buf_add(g->to, &r, sizeof(run *));
}

static void describe(reactor *r, const uint64_t *wanted, size_t n, listing_rows *to)
{
    buf found = BUF_INIT;
    json_writer w;
    gathering g = {.wanted = wanted, .n = n, .to = &found};
    walk(r, add_wanted, &g);
    run **runs = (run **)(void *)found.data;
    size_t count = found.len / sizeof(run *);
    if (count > 1)
        qsort(runs, count, sizeof(run *), by_number_of);
    for (size_t i = 0; i < count; i++) {
        listing_begin(to, &w);
        describe_run(runs[i], &w);
        listing_end(to, runs[i]->number);
    }
    to->text.failed = to->text.failed || found.failed;
    buf_free(&found);
}

static const listing_kind queries_kind = {"queries", "query", collect, describe};

void api_list_active_queries(request *q)
{
    const char *state = http_param(q, "state"), *user = http_param(q, "user");
    run_filter *f = xalloc(sizeof *f);
    f->has_state = state != NULL;
    f->running = state && strcmp(state, "running") == 0;
    f->min_us = http_int(q, "min_ms") * 1000;
    snprintf(f->user, sizeof f->user, "%s", user ? user : "");
    listing_reply(q, &queries_kind, f, http_int(q, "offset"), http_int(q, "limit"));
}

/* ---- one by its id -----------------------------------------------------------------------------
 */

static void not_found(request *q, const char *id)
{
    error e;
    error_set(&e, ERR_NOT_FOUND, "no query with the id '%.64s' runs or waits", id);
    http_reply_error(q, &e);
}

typedef struct search {
    const char *id;
    buf text; /* its description; empty: not here */
} search;

static void describe_if_named(run *r, void *arg)
{
    search *s = arg;
    json_writer w;
    if (s->text.len || strcmp(r->job.id, s->id) != 0)
        return;
    jw_init(&w, &s->text);
    describe_run(r, &w);
}

static void search_here(survey *s, reactor *r, void *part)
{
    search *here = part;
    here->id = s->arg;
    walk(r, describe_if_named, here);
}

static void search_done(survey *s, conn *asker)
{
    request *q = asker->state == CONN_DEAD ? NULL : asker->req;
    const buf *found = NULL;
    for (int i = 0; i < s->n_parts && !found; i++) {
        const search *there = survey_part(s, i);
        found = there->text.len ? &there->text : NULL;
    }
    if (q && found && !found->failed)
        http_reply(q, 200, found->data, found->len);
    else if (q)
        not_found(q, s->arg);
    for (int i = 0; i < s->n_parts; i++)
        buf_free(&((search *)survey_part(s, i))->text);
    mem_free(s->arg);
}

static const survey_kind searches = {sizeof(search), search_here, search_done};

void api_get_active_query(request *q)
{
    survey_start(q->c, &searches, xstrdup(q->params[0]));
}

/* ---- cancelling ---- */

/* Who wants to cancel which. */
typedef struct cancelling {
    const char *id;     /* owned */
    const identity *by; /* held */
    bool found;         /* of a part: here */
} cancelling;

static void cancel_if_own(run *r, void *arg)
{
    cancelling *c = arg;
    if (strcmp(r->job.id, c->id) != 0 || !identity_same(r->who, c->by))
        return;
    engine_cancel(r->home->d->engine, &r->job, ERR_CANCELLED);
    c->found = true;
}

static void cancel_here(survey *s, reactor *r, void *part)
{
    const cancelling *wanted = s->arg;
    cancelling *here = part;
    here->id = wanted->id;
    here->by = wanted->by;
    walk(r, cancel_if_own, here);
}

static void reply_cancelled(request *q, const char *id)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_str(&w, "id", id);
    jw_key(&w, "cancelled");
    jw_bool(&w, true);
    http_end_json(q, 200, &w);
}

static void cancel_done(survey *s, conn *asker)
{
    cancelling *wanted = s->arg;
    request *q = asker->state == CONN_DEAD ? NULL : asker->req;
    bool found = false;
    for (int i = 0; i < s->n_parts; i++)
        found = found || ((cancelling *)survey_part(s, i))->found;
    if (q && found)
        reply_cancelled(q, wanted->id);
    else if (q)
        not_found(q, wanted->id);
    mem_free((char *)(uintptr_t)wanted->id);
    identity_release(wanted->by);
    mem_free(wanted);
}

/* His own; those of others are the matter of api_cancel_active_query, unless he may that too. */
void api_cancel_query(request *q)
{
    static const survey_kind own = {sizeof(cancelling), cancel_here, cancel_done};
    if (identity_may(q->who, SCOPE_connections)) {
        api_cancel_active_query(q);
        return;
    }
    cancelling *wanted = xalloc(sizeof *wanted);
    wanted->id = xstrdup(q->params[0]);
    wanted->by = identity_hold(q->who);
    survey_start(q->c, &own, wanted);
}

void api_cancel_active_query(request *q)
{
    if (engine_cancel_id(q->c->r->d->engine, q->params[0], ERR_CANCELLED))
        reply_cancelled(q, q->params[0]);
    else
        not_found(q, q->params[0]);
}
