/* GET /cluster, /cluster/nodes and /cluster/nodes/{id}: this daemon as the one node there is. */
#include <string.h>

#include "daemon/api/api.h"
#include "daemon/conn_describe.h"

static const char *state_of(server *d)
{
    switch (atomic_load(&d->phase)) {
    case PHASE_STARTING:
        return "starting";
    case PHASE_STOPPING:
        return "stopping";
    default:
        return engine_is_draining(d->engine) ? "draining" : "ready";
    }
}

/* The members of a node. */
static void put_node(json_writer *w, server *d)
{
    engine_stats s;
    engine_stats_get(d->engine, &s);
    jw_key_str(w, "id", d->node_id);
    jw_key_str(w, "role", "primary");
    jw_key_str(w, "state", state_of(d));
    jw_key_str(w, "address", d->listen);
    jw_key_str(w, "version", RUSTYDB_VERSION);
    jw_key_str(w, "engine", engine_version(d->engine));
    jw_key_str(w, "log_id", d->log_id);
    jw_key_int(w, "lsn", s.log_head);
    jw_key_int(w, "lag_events", 0); /* it is where changes are made */
    describe_moment(w, d, "started_at", d->started_mono_us);
    jw_key(w, "self");
    jw_bool(w, true);
}

void api_get_cluster(request *q)
{
    server *d = q->c->r->d;
    engine_stats s;
    buf out;
    json_writer w;
    engine_stats_get(d->engine, &s);
    http_begin_json(&w, &out);
    jw_key_str(&w, "role", "single");
    jw_key_str(&w, "node_id", d->node_id);
    jw_key_str(&w, "primary_id", d->node_id);
    jw_key_int(&w, "nodes", 1);
    jw_key_str(&w, "engine", engine_version(d->engine));
    jw_key_str(&w, "log_id", d->log_id);
    jw_key_int(&w, "head", s.log_head);
    http_end_json(q, 200, &w);
}

void api_list_cluster_nodes(request *q)
{
    int64_t offset = http_int(q, "offset");
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "total", 1);
    jw_key_int(&w, "offset", offset);
    jw_key_int(&w, "limit", http_int(q, "limit"));
    jw_key(&w, "nodes");
    jw_begin_array(&w);
    if (offset == 0) {
        jw_begin_object(&w);
        put_node(&w, q->c->r->d);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    http_end_json(q, 200, &w);
}

void api_get_cluster_node(request *q)
{
    server *d = q->c->r->d;
    error e;
    buf out;
    json_writer w;
    if (strcmp(q->params[0], d->node_id) != 0 && strcmp(q->params[0], "self") != 0) {
        error_set(&e, ERR_NOT_FOUND, "there is no node %.60s", q->params[0]);
        error_hint(&e, "GET /api/v1/cluster/nodes lists them; self is the one that answers.");
        http_reply_error(q, &e);
        return;
    }
    http_begin_json(&w, &out);
    put_node(&w, d);
    http_end_json(q, 200, &w);
}
