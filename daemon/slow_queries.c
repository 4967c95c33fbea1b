#include "daemon/slow_queries.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/conn_describe.h"
#include "daemon/http.h"
#include "daemon/query_events.h"
#include "daemon/ws.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SQL_KEPT = 2000 }; /* bytes of a statement's text */

typedef struct slow_query {
    int64_t ended_us; /* monotonic */
    int64_t elapsed_us, rows;
    char id[ENGINE_ID_MAX + 1];
    const char *kind, *protocol; /* literals */
    char *sql;                   /* its beginning; owned; NULL: there is none */
    size_t sql_bytes;            /* of all of it */
    int statements;
    error_code code; /* ERR_NONE: it ended well */
    char user[IDENTITY_NAME];
    char connection[24];
} slow_query;

struct slow_queries {
    pthread_mutex_t lock;
    slow_query ring[SLOW_QUERIES_KEPT];
    int n;    /* entries in it */
    int next; /* where the next one goes */
};

slow_queries *slow_queries_new(void)
{
    slow_queries *s = xalloc(sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

int slow_queries_clear(slow_queries *s)
{
    pthread_mutex_lock(&s->lock);
    int n = s->n;
    for (int i = 0; i < SLOW_QUERIES_KEPT; i++) {
        mem_free(s->ring[i].sql);
        s->ring[i].sql = NULL;
    }
    s->n = s->next = 0;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void slow_queries_free(slow_queries *s)
{
    if (!s)
        return;
    slow_queries_clear(s);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

/* ---- noting ------------------------------------------------------------------------------------
 */

static void take_sql(slow_query *to, const job *j)
{
    if (!j->n_stmts)
        return;
    const char *sql = j->stmts[0].sql;
    to->sql_bytes = strlen(sql);
    to->sql =
        mem_strndup(sql, to->sql_bytes > SQL_KEPT ? utf8_valid(sql, SQL_KEPT) : to->sql_bytes);
    to->statements = j->n_stmts;
}

static void take_asker(slow_query *to, const run *r)
{
    const conn *c = r->c;
    to->protocol = c && c->ws ? ws_protocol_called(c->ws->protocol) : "http";
    if (c)
        snprintf(to->connection, sizeof to->connection, "c%llu", (unsigned long long)c->serial);
    if (r->who)
        snprintf(to->user, sizeof to->user, "%s", r->who->name);
}

void slow_queries_note(slow_queries *s, const run *r)
{
    int64_t limit_us = daemon_config(r->home->d)->slow_query * 1000;
    const char *kind = query_kind(&r->job);
    if (!limit_us || r->elapsed_us < limit_us || !kind)
        return;
    slow_query q = {
        .ended_us = clock_mono_us(),
        .elapsed_us = r->elapsed_us,
        .rows = atomic_load(&r->rows),
        .kind = kind,
        .code = r->failed ? r->err.code : ERR_NONE,
    };
    memcpy(q.id, r->job.id, sizeof q.id);
    take_sql(&q, &r->job);
    take_asker(&q, r);
    pthread_mutex_lock(&s->lock);
    char *old = s->ring[s->next].sql;
    s->ring[s->next] = q;
    s->next = (s->next + 1) % SLOW_QUERIES_KEPT;
    s->n += s->n < SLOW_QUERIES_KEPT;
    pthread_mutex_unlock(&s->lock);
    mem_free(old);
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static void write_one(const slow_query *q, const server *d, json_writer *w)
{
    jw_begin_object(w);
    jw_key_str(w, "id", q->id);
    jw_key_str(w, "kind", q->kind);
    jw_key_str(w, "sql", q->sql);
    jw_key_int(w, "sql_bytes", (int64_t)q->sql_bytes);
    jw_key_int(w, "statements", q->statements);
    describe_moment(w, d, "ended_at", q->ended_us);
    jw_key(w, "elapsed_ms");
    jw_real(w, (double)q->elapsed_us / 1000.0);
    jw_key_int(w, "rows", q->rows);
    jw_key_str(w, "error", q->code == ERR_NONE ? NULL : error_describe(q->code)->name);
    jw_key_str(w, "user", q->user[0] ? q->user : NULL);
    jw_key_str(w, "connection_id", q->connection[0] ? q->connection : NULL);
    jw_key_str(w, "protocol", q->protocol);
    jw_end_object(w);
}

void slow_queries_write(slow_queries *s, const server *d, int64_t offset, int64_t limit,
                        json_writer *w)
{
    pthread_mutex_lock(&s->lock);
    jw_begin_object(w);
    jw_key_int(w, "total", s->n);
    jw_key_int(w, "offset", offset);
    jw_key_int(w, "limit", limit);
    jw_key(w, "slow_queries");
    jw_begin_array(w);
    for (int64_t i = offset; i < s->n && i - offset < limit; i++)
        write_one(&s->ring[(s->next - 1 - (int)i + 2 * SLOW_QUERIES_KEPT) % SLOW_QUERIES_KEPT], d,
                  w);
    jw_end_array(w);
    jw_end_object(w);
    pthread_mutex_unlock(&s->lock);
}
