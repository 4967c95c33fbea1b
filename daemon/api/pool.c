/* GET and PATCH /pool, GET /pool/readers, /pool/writer, GET and DELETE /pool/statements, POST
 * /pool/drain and /pool/resume: how work is shared out among reader threads and the writer. */
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/tx_describe.h"

#include <string.h>

enum { MAX_CONNECTIONS = 1024 }; /* as max_read_connections may be */

static void put_ms(json_writer *w, const char *key, int64_t us)
{
    jw_keyn(w, key, strlen(key));
    jw_real(w, us > 0 ? (double)us / 1000.0 : 0);
}

/* Its members alone. */
static void put_cache(json_writer *w, const engine_cache *c)
{
    jw_key_int(w, "kept", c->kept);
    jw_key_int(w, "capacity", c->capacity);
    jw_key_int(w, "hits", c->hits);
    jw_key_int(w, "misses", c->misses);
}

static void put_readers(json_writer *w, const engine_pool *p)
{
    jw_begin_object(w);
    jw_key_int(w, "threads", p->readers.threads);
    jw_key_int(w, "wanted_threads", p->readers.wanted);
    jw_key_int(w, "busy_threads", p->readers.busy);
    jw_key_int(w, "connections", p->readers.connections);
    jw_key_int(w, "max_read_connections", p->readers.max_connections);
    jw_key_int(w, "queued", p->readers.queued);
    jw_key_int(w, "waiting_for_connection", p->readers.waiting);
    jw_key_int(w, "max_queue", p->max_queue);
    jw_end_object(w);
}

/* Its members alone. */
static void put_writer(json_writer *w, const server *d, const engine_pool *p)
{
    double commits = (double)p->writer.commits;
    jw_key(w, "busy");
    jw_bool(w, p->writer.busy);
    jw_key_int(w, "queued", p->writer.queued);
    jw_key_int(w, "max_queue", p->max_queue);
    jw_key(w, "transaction");
    describe_transaction(w, d, p);
    jw_key_int(w, "commits", p->writer.commits);
    jw_key_int(w, "committed_statements", p->writer.commit_statements);
    jw_key(w, "mean_group");
    if (p->writer.commits)
        jw_real(w, (double)p->writer.commit_statements / commits);
    else
        jw_null(w);
}

static engine_cache both(const engine_pool *p)
{
    engine_cache sum = p->readers.cache;
    sum.kept += p->writer.cache.kept;
    sum.hits += p->writer.cache.hits;
    sum.misses += p->writer.cache.misses;
    return sum;
}

static const char *state_of(const engine_pool *p)
{
    if (!p->draining)
        return "open";
    return p->active || p->writer.tx[0] ? "draining" : "drained";
}

static void reply_pool(request *q)
{
    const server *d = q->c->r->d;
    engine_pool p;
    buf out;
    json_writer w;
    engine_pool_get(d->engine, &p);
    const engine_cache cache = both(&p);
    http_begin_json(&w, &out);
    jw_key(&w, "state");
    jw_str(&w, state_of(&p));
    jw_key_int(&w, "active", p.active);
    jw_key(&w, "readers");
    put_readers(&w, &p);
    jw_key(&w, "writer");
    jw_begin_object(&w);
    put_writer(&w, d, &p);
    jw_end_object(&w);
    jw_key(&w, "statements");
    jw_begin_object(&w);
    put_cache(&w, &cache);
    jw_end_object(&w);
    http_end_json(q, 200, &w);
}

void api_get_pool(request *q)
{
    reply_pool(q);
}

void api_get_pool_writer(request *q)
{
    const server *d = q->c->r->d;
    engine_pool p;
    buf out;
    json_writer w;
    engine_pool_get(d->engine, &p);
    http_begin_json(&w, &out);
    put_writer(&w, d, &p);
    http_end_json(q, 200, &w);
}

/* ---- connections that read ---------------------------------------------------------------------
 */

static void put_conn(json_writer *w, const server *d, const engine_conn *c)
{
    static const char *const states[] = {"idle", "running", "paused"};
    jw_begin_object(w);
    jw_key_int(w, "number", c->number);
    jw_key(w, "state");
    jw_str(w, states[c->state]);
    jw_key(w, "query_id");
    jw_str(w, c->job[0] ? c->job : NULL);
    put_ms(w, "state_ms", clock_mono_us() - c->since_us);
    describe_moment(w, d, "opened_at", c->opened_us);
    jw_key_int(w, "jobs", c->jobs);
    jw_key(w, "statements");
    jw_begin_object(w);
    put_cache(w, &c->cache);
    jw_end_object(w);
    jw_end_object(w);
}

void api_list_pool_readers(request *q)
{
    const server *d = q->c->r->d;
    int64_t offset = http_int(q, "offset"), limit = http_int(q, "limit");
    engine_conn *all = xalloc(MAX_CONNECTIONS * sizeof *all);
    int n = engine_pool_conns(d->engine, all, MAX_CONNECTIONS);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "total", n);
    jw_key_int(&w, "offset", offset);
    jw_key_int(&w, "limit", limit);
    jw_key(&w, "readers");
    jw_begin_array(&w);
    for (int64_t i = offset; i < n && i - offset < limit; i++)
        put_conn(&w, d, &all[i]);
    jw_end_array(&w);
    http_end_json(q, 200, &w);
    mem_free(all);
}

/* ---- prepared statements -----------------------------------------------------------------------
 */

static void put_named_cache(json_writer *w, const char *key, const engine_cache *c)
{
    jw_keyn(w, key, strlen(key));
    jw_begin_object(w);
    put_cache(w, c);
    jw_end_object(w);
}

void api_get_pool_statements(request *q)
{
    engine_pool p;
    buf out;
    json_writer w;
    engine_pool_get(q->c->r->d->engine, &p);
    const engine_cache cache = both(&p);
    http_begin_json(&w, &out);
    put_named_cache(&w, "all", &cache);
    put_named_cache(&w, "readers", &p.readers.cache);
    put_named_cache(&w, "writer", &p.writer.cache);
    http_end_json(q, 200, &w);
}

void api_forget_pool_statements(request *q)
{
    engine *g = q->c->r->d->engine;
    engine_pool p;
    buf out;
    json_writer w;
    engine_pool_get(g, &p);
    engine_pool_forget_statements(g);
    http_begin_json(&w, &out);
    jw_key_int(&w, "forgotten", both(&p).kept);
    http_end_json(q, 200, &w);
}

/* ---- changes -----------------------------------------------------------------------------------
 */

void api_resize_pool(request *q)
{
    int readers = (int)json_integer_value(json_object_get(q->doc, "readers"));
    int most = (int)json_integer_value(json_object_get(q->doc, "max_read_connections"));
    error e;
    if (!readers && !most) {
        error_set(&e, ERR_INVALID_MESSAGE, "the body names nothing to change");
        error_hint(&e, "Give readers, max_read_connections, or both.");
        http_reply_error(q, &e);
    } else if (engine_pool_resize(q->c->r->d->engine, readers, most, &e)) {
        reply_pool(q);
    } else {
        http_reply_error(q, &e);
    }
}

void api_drain_pool(request *q)
{
    engine_pool_drain(q->c->r->d->engine, true);
    reply_pool(q);
}

void api_resume_pool(request *q)
{
    engine_pool_drain(q->c->r->d->engine, false);
    reply_pool(q);
}
