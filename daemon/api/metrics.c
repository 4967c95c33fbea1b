/* GET /metrics and /metrics/catalog. */
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/metrics_sampler.h"

#include <string.h>

/* A request that waits for the sampler. */
typedef struct asked {
    metrics_look look;
    conn *c; /* held by n_runs */
} asked;

static void reply(request *q, const metrics_look *l)
{
    error e;
    if (l->text.failed) {
        error_set(&e, ERR_INTERNAL_ERROR, "the figures could not be written");
        http_reply_error(q, &e);
    } else if (l->prometheus) {
        http_reply_with(q, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, l->text.data,
                        l->text.len);
    } else {
        http_reply(q, 200, l->text.data, l->text.len);
    }
}

static void look_done(reactor *r, reactor_msg *m)
{
    asked *a = list_entry(m, asked, look.answer);
    conn *c = a->c;
    (void)r;
    c->n_runs--;
    if (c->state != CONN_DEAD && c->req)
        reply(c->req, &a->look);
    buf_free(&a->look.text);
    mem_free(a);
    conn_reap(c);
}

/* By `format`, else by what is accepted: text is what Prometheus asks for. */
static bool wants_prometheus(const request *q)
{
    const char *format = http_param(q, "format");
    if (format)
        return strcmp(format, "prometheus") == 0;
    return strstr(q->accept, "text/plain") && !strstr(q->accept, "application/json");
}

static bool read_names(const request *q, metric_set *set, error *e)
{
    char names[QUERY_MAX_LEN];
    if (http_query_param(q, "metrics", names, sizeof names))
        return metric_set_split(set, names, e);
    *set = metric_set_all();
    return true;
}

void api_get_metrics(request *q)
{
    error e;
    asked *a = xalloc(sizeof *a);
    a->look.prometheus = wants_prometheus(q);
    if (!read_names(q, &a->look.set, &e)) {
        mem_free(a);
        http_reply_error(q, &e);
        return;
    }
    a->c = q->c;
    a->c->n_runs++;
    a->look.home = q->c->r;
    a->look.answer.handle = look_done;
    sampler_look(q->c->r->d->sampler, &a->look);
}

void api_get_metrics_catalog(request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "metrics");
    metrics_write_catalog(&w);
    http_end_json(q, 200, &w);
}
