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
static bool read_format(const request *q, bool *prometheus, error *e)
{
    char format[16];
    *prometheus =
        strstr(q->accept, "text/plain") != NULL && strstr(q->accept, "application/json") == NULL;
    if (!http_query_param(q, "format", format, sizeof format))
        return true;
    *prometheus = strcmp(format, "prometheus") == 0;
    if (*prometheus || strcmp(format, "json") == 0)
        return true;
    return error_set(e, ERR_INVALID_MESSAGE, "format is neither json nor prometheus");
}

static bool read_names(const request *q, metric_set *set, error *e)
{
    char names[QUERY_MAX_LEN];
    if (http_query_param(q, "metrics", names, sizeof names))
        return metric_set_split(set, names, e);
    *set = metric_set_all();
    return true;
}

void api_metrics(request *q)
{
    static const char *const allowed[] = {"format", "metrics", NULL};
    error e;
    asked *a = xalloc(sizeof *a);
    if (!http_check_params(q, allowed, &e) || !read_format(q, &a->look.prometheus, &e) ||
        !read_names(q, &a->look.set, &e)) {
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

void api_metrics_catalog(request *q)
{
    error e;
    buf out;
    json_writer w;
    if (!http_check_params(q, (const char *const[]){NULL}, &e)) {
        http_reply_error(q, &e);
        return;
    }
    http_begin_json(&w, &out);
    jw_key(&w, "metrics");
    metrics_write_catalog(&w);
    http_end_json(q, 200, &w);
}
