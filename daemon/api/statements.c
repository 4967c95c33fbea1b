/* GET and DELETE /monitoring/statements and /monitoring/slow-queries: what statements cost. */
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/errand.h"
#include "daemon/slow_queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- statistics --------------------------------------------------------------------------------
 */

typedef int (*order)(const void *a, const void *b);

typedef struct statistics {
    errand k;
    order by;
    int64_t limit;
    engine_statements found;
} statistics;

static double mean_us(const engine_statement *s)
{
    return s->calls ? (double)s->total_us / (double)s->calls : 0;
}

/* The larger first. */
static int compare(double a, double b)
{
    return a > b ? -1 : a < b;
}

#define ORDER(name, of)                                                                            \
    static int name(const void *a, const void *b)                                                  \
    {                                                                                              \
        const engine_statement *x = a, *y = b;                                                     \
        return compare(of(x), of(y));                                                              \
    }
#define TOTAL(s) ((double)(s)->total_us)
#define CALLS(s) ((double)(s)->calls)
#define P99(s)   ((double)(s)->p99_us)
ORDER(by_total, TOTAL)
ORDER(by_mean, mean_us)
ORDER(by_calls, CALLS)
ORDER(by_p99, P99)

static void put_ms(json_writer *w, const char *key, double us)
{
    jw_keyn(w, key, strlen(key));
    jw_real(w, us / 1000.0);
}

static void put_statement(json_writer *w, const server *d, const engine_statement *s)
{
    char id[24];
    snprintf(id, sizeof id, "%016llx", (unsigned long long)s->id);
    jw_begin_object(w);
    jw_key(w, "id");
    jw_str(w, id);
    jw_key(w, "sql");
    jw_str(w, s->text);
    jw_key_int(w, "calls", s->calls);
    jw_key_int(w, "errors", s->errors);
    jw_key_int(w, "rows", s->rows);
    put_ms(w, "total_ms", (double)s->total_us);
    put_ms(w, "mean_ms", mean_us(s));
    put_ms(w, "min_ms", (double)s->min_us);
    put_ms(w, "max_ms", (double)s->max_us);
    put_ms(w, "p99_ms", (double)s->p99_us);
    describe_moment(w, d, "last_at", s->last_us);
    jw_end_object(w);
}

static void look(errand *k, server *d)
{
    statistics *s = list_entry(k, statistics, k);
    k->failed = !engine_statements_get(d->engine, &s->found, &k->err);
    if (s->found.n > 1)
        qsort(s->found.items, (size_t)s->found.n, sizeof *s->found.items, s->by);
}

static void reply_statistics(errand *k, request *q)
{
    const statistics *s = list_entry(k, statistics, k);
    const server *d = q->c->r->d;
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    describe_moment(&w, d, "since", s->found.since_us);
    jw_key_int(&w, "total", s->found.n);
    jw_key_int(&w, "dropped", s->found.dropped);
    jw_key(&w, "statements");
    jw_begin_array(&w);
    for (int i = 0; i < s->found.n && i < s->limit; i++)
        put_statement(&w, d, &s->found.items[i]);
    jw_end_array(&w);
    http_end_json(q, 200, &w);
}

static void statistics_end(errand *k)
{
    statistics *s = list_entry(k, statistics, k);
    engine_statements_free(&s->found);
    mem_free(s);
}

static order order_called(const char *name)
{
    if (!name || strcmp(name, "total") == 0)
        return by_total;
    if (strcmp(name, "mean") == 0)
        return by_mean;
    return strcmp(name, "calls") == 0 ? by_calls : by_p99;
}

void api_list_statements(request *q)
{
    statistics *s = xalloc(sizeof *s);
    s->by = order_called(http_param(q, "sort"));
    s->limit = http_int(q, "limit");
    s->k.work = look;
    s->k.answer = reply_statistics;
    s->k.end = statistics_end;
    errand_start(q, &s->k);
}

/* ---- what took long ----------------------------------------------------------------------------
 */

typedef struct slow_page {
    errand k;
    int64_t offset, limit;
    buf text;
} slow_page;

static void write_slow(errand *k, server *d)
{
    slow_page *s = list_entry(k, slow_page, k);
    json_writer w;
    jw_init(&w, &s->text);
    slow_queries_write(d->slow, d, s->offset, s->limit, &w);
    if (s->text.failed)
        k->failed = !error_set(&k->err, ERR_INTERNAL_ERROR, "out of memory");
}

static void reply_slow(errand *k, request *q)
{
    const slow_page *s = list_entry(k, slow_page, k);
    http_reply(q, 200, s->text.data, s->text.len);
}

static void slow_end(errand *k)
{
    slow_page *s = list_entry(k, slow_page, k);
    buf_free(&s->text);
    mem_free(s);
}

void api_list_slow_queries(request *q)
{
    slow_page *s = xalloc(sizeof *s);
    s->offset = http_int(q, "offset");
    s->limit = http_int(q, "limit");
    s->k.work = write_slow;
    s->k.answer = reply_slow;
    s->k.end = slow_end;
    errand_start(q, &s->k);
}

/* ---- forgetting --------------------------------------------------------------------------------
 */

typedef struct forgetting {
    errand k;
    int64_t forgotten;
} forgetting;

static void reset_statistics(errand *k, server *d)
{
    forgetting *f = list_entry(k, forgetting, k);
    engine_statements all;
    k->failed = !engine_statements_get(d->engine, &all, &k->err);
    if (k->failed)
        return;
    f->forgotten = all.n;
    engine_statements_free(&all);
    engine_statements_reset(d->engine);
}

static void clear_slow(errand *k, server *d)
{
    list_entry(k, forgetting, k)->forgotten = slow_queries_clear(d->slow);
}

static void reply_forgotten(errand *k, request *q)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key_int(&w, "forgotten", list_entry(k, forgetting, k)->forgotten);
    http_end_json(q, 200, &w);
}

static void forget(request *q, void (*work)(errand *k, server *d))
{
    forgetting *f = xalloc(sizeof *f);
    f->k.work = work;
    f->k.answer = reply_forgotten;
    errand_start(q, &f->k);
}

void api_reset_statements(request *q)
{
    forget(q, reset_statistics);
}

void api_clear_slow_queries(request *q)
{
    forget(q, clear_slow);
}
