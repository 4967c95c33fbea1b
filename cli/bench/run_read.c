/* Point reads by key over keep-alive connections; or, for comparison, GETs of any plain address. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/bench/clients.h"
#include "cli/bench/resp.h"
#include "cli/bench/scenarios.h"

#define FIRST_KEY  1000000 /* keys have as many digits, so that all requests are equally long */
#define KEY_DIGITS 7

/* One request, made once; each client's key is written into its own copy as it goes out. */
typedef struct request {
    buf text;
    size_t key_at; /* 0: nothing to fill in */
    int64_t rows;
} request;

static void put_digits(char *to, uint32_t v)
{
    for (int i = KEY_DIGITS - 1; i >= 0; i--, v /= 10)
        to[i] = (char)('0' + v % 10);
}

static void ask(bench_client *c, buf *out)
{
    const request *q = c->all->arg;
    size_t at = out->len;
    buf_add(out, q->text.data, q->text.len);
    if (q->key_at && !out->failed)
        put_digits(out->data + at + q->key_at,
                   FIRST_KEY + bench_random(&c->random) % (uint32_t)q->rows);
}

static void make_request(bench_run *r, request *q)
{
    static const char sql[] = "{\"sql\":\"SELECT id, body FROM bench_read WHERE id = ?\","
                              "\"params\":[0000000]}";
    q->rows = r->opt.rows;
    if (r->server.redis) {
        bench_redis_command(&q->text, "GET", &r->server, NULL);
        return;
    }
    if (r->foreign) {
        bench_http_head(&q->text, "GET", &r->server, r->server.path, r->auth, -1);
        return;
    }
    bench_http_head(&q->text, "POST", &r->server, "/api/v1/query", r->auth, sizeof sql - 1);
    q->key_at = q->text.len + (size_t)(strstr(sql, "0000000") - sql);
    buf_adds(&q->text, sql);
}

static bool make_table(bench_run *r, error *e)
{
    char *filler = bench_filler(r->opt.payload < 1000 ? r->opt.payload : 1000);
    bool good =
        bench_sql(r, e, "DROP TABLE IF EXISTS bench_read") &&
        bench_sql(r, e, "CREATE TABLE bench_read(id INTEGER PRIMARY KEY, body TEXT)") &&
        bench_sql(r, e,
                  "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM c WHERE n < %lld) "
                  "INSERT INTO bench_read SELECT %d + n, '%s' FROM c",
                  (long long)r->opt.rows - 1, FIRST_KEY, filler);
    mem_free(filler);
    return good;
}

static bool measure(bench_run *r, bench_clients *c, error *e)
{
    bench_sample from, to;
    if (!bench_clients_start(c, r, e) || !bench_measure(r, &from, &to, bench_clients_clear, c, e) ||
        !bench_clients_good(c, e))
        return false;
    double done = (double)c->answers;
    snprintf(r->report.with, sizeof r->report.with, "%d clients, %.1f s", c->n,
             bench_seconds(&from, &to));
    bench_report_add(&r->report, "requests_per_second", NULL, 0, done / bench_seconds(&from, &to));
    bench_report_hist(&r->report, "latency", &c->hist[BENCH_READ]);
    bench_report_add(&r->report, "answer", "bytes", 0, done > 0 ? (double)c->body_bytes / done : 0);
    bench_sample_report(r, &from, &to, done, "request");
    return bench_clients_stop(c, e);
}

bool bench_run_read(bench_run *r, error *e)
{
    if (!r->foreign && !make_table(r, e))
        return false;
    request q = {.text = BUF_INIT};
    make_request(r, &q);
    bench_clients c = {.n = (int)r->opt.clients, .ask = ask, .arg = &q};
    bool good = measure(r, &c, e);
    bench_clients_free(&c);
    buf_free(&q.text);
    return good;
}
