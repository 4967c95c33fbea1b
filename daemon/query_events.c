#include "daemon/query_events.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/http.h"
#include "daemon/own_topics.h"
#include "daemon/ws.h"

#include <stdio.h>
#include <string.h>

enum {
    SQL_SHOWN = 1000,      /* bytes of a statement's text */
    PROGRESS_US = 1000000, /* what runs for as long is told of, and again after as long */
};

/* Who has a statement run. */
typedef struct query_watch {
    char user[IDENTITY_NAME];
    char connection[24];
    const char *protocol;
    int64_t submitted_us;
    int64_t progress_us;   /* when progress was told last; the reactor's */
    atomic_bool announced; /* something was told: its end is, too */
} query_watch;

const char *query_kind(const job *j)
{
    switch (j->kind) {
    case JOB_QUERY:
    case JOB_TX_QUERY:
        return "query";
    case JOB_BATCH:
        return "batch";
    case JOB_ATOMIC:
        return "atomic";
    case JOB_TX_BEGIN:
        return "begin";
    case JOB_TX_COMMIT:
        return "commit";
    case JOB_TX_ROLLBACK:
        return "rollback";
    default:
        return NULL;
    }
}

void query_submitted(run *r)
{
    const conn *c = r->c;
    if (!own_topic_wanted(r->home->d, OWN_QUERIES) || !query_kind(&r->job))
        return;
    query_watch *w = xalloc(sizeof *w);
    snprintf(w->user, sizeof w->user, "%s", r->who ? r->who->name : "");
    snprintf(w->connection, sizeof w->connection, "c%llu", (unsigned long long)c->serial);
    w->protocol = c->ws ? ws_protocol_called(c->ws->protocol) : "http";
    w->submitted_us = clock_mono_us();
    r->watch = w;
}

void query_watch_free(query_watch *w)
{
    mem_free(w);
}

/* ---- writing -----------------------------------------------------------------------------------
 */

void query_put_sql(json_writer *w, const job *j)
{
    if (!j->n_stmts)
        return;
    const char *sql = j->stmts[0].sql;
    size_t n = strlen(sql);
    jw_key(w, "sql");
    jw_strn(w, sql, n > SQL_SHOWN ? utf8_valid(sql, SQL_SHOWN) : n);
    if (n > SQL_SHOWN) {
        jw_key(w, "sql_bytes");
        jw_uint(w, n);
    }
    if (j->n_stmts > 1) {
        jw_key(w, "statements");
        jw_int(w, j->n_stmts);
    }
}

static void put_ms(json_writer *w, const char *key, int64_t us)
{
    jw_keyn(w, key, strlen(key));
    jw_real(w, (double)us / 1000.0);
}

static void begin(json_writer *w, buf *out, const run *r, const char *event)
{
    const query_watch *q = r->watch;
    own_event_begin(w, out, OWN_QUERIES, event);
    jw_key(w, "query_id");
    jw_str(w, r->job.id);
    jw_key(w, "kind");
    jw_str(w, query_kind(&r->job));
    jw_key(w, "user");
    jw_str(w, q->user);
    jw_key(w, "connection_id");
    jw_str(w, q->connection);
    jw_key(w, "protocol");
    jw_str(w, q->protocol);
    if (r->job.tx[0]) {
        jw_key(w, "transaction");
        jw_str(w, r->job.tx);
    }
    query_put_sql(w, &r->job);
}

/* ---- moments -----------------------------------------------------------------------------------
 */

/* A start and its end are paid for together. */
static bool may_start(server *d)
{
    return event_gate_pass(&d->gates[OWN_QUERIES], 2, daemon_config(d)->max_daemon_events,
                           clock_mono_us());
}

static bool may_tell(server *d)
{
    int64_t most = daemon_config(d)->max_daemon_events;
    return event_gate_pass(&d->gates[OWN_QUERIES], 1, most + most / 4, clock_mono_us());
}

void query_started(run *r)
{
    query_watch *q = r->watch;
    buf out = BUF_INIT;
    json_writer w;
    if (!q || !may_start(r->home->d))
        return;
    atomic_store(&q->announced, true);
    begin(&w, &out, r, "start");
    put_ms(&w, "waited_ms", clock_mono_us() - q->submitted_us);
    own_event_send(&w, OWN_QUERIES, r->home->d);
}

void query_still_runs(run *r, int64_t now)
{
    query_watch *q = r->watch;
    int64_t started = atomic_load(&r->started_us);
    buf out = BUF_INIT;
    json_writer w;
    if (!q || !started || now - started < PROGRESS_US || now - q->progress_us < PROGRESS_US)
        return;
    q->progress_us = now;
    if (!may_tell(r->home->d))
        return;
    atomic_store(&q->announced, true);
    begin(&w, &out, r, "progress");
    put_ms(&w, "elapsed_ms", now - started);
    jw_key(&w, "rows");
    jw_int(&w, atomic_load(&r->rows));
    own_event_send(&w, OWN_QUERIES, r->home->d);
}

static void put_outcome(json_writer *w, const run *r, const error *e)
{
    jw_key(w, "rows");
    jw_int(w, atomic_load(&r->rows));
    if (e) {
        jw_key(w, "code");
        jw_str(w, error_describe(e->code)->name);
        jw_key(w, "message");
        jw_str(w, e->message);
        return;
    }
    jw_key(w, "changes");
    jw_int(w, r->changes);
    jw_key(w, "lsn");
    jw_int(w, r->sum.lsn);
}

void query_ended(run *r, const error *e)
{
    query_watch *q = r->watch;
    int64_t now = clock_mono_us(), started = atomic_load(&r->started_us);
    buf out = BUF_INIT;
    json_writer w;
    if (!q)
        return;
    bool matters = e || (started && now - started >= PROGRESS_US);
    if (!atomic_load(&q->announced) && !matters)
        event_gate_leave_out(&r->home->d->gates[OWN_QUERIES]);
    if (!atomic_load(&q->announced) && (!matters || !may_tell(r->home->d)))
        return;
    begin(&w, &out, r, !e ? "end" : e->code == ERR_CANCELLED ? "cancel" : "error");
    put_ms(&w, "elapsed_ms", started ? now - started : 0);
    put_outcome(&w, r, e);
    own_event_send(&w, OWN_QUERIES, r->home->d);
}
