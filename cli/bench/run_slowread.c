/* A large SELECT to a client that reads slowly: what the server's memory does meanwhile. After the
 * measured time the rest is read at full speed, and the rows are counted. */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench/scenarios.h"

#define SIDE     1000   /* the table has as many rows; it is joined with itself */
#define LOOK_US  200000 /* between looks at the server's memory */
#define TAIL     256    /* last bytes of the answer that are kept */
#define READ_BUF 65536  /* receive buffer of the socket, so that the kernel does not read for us */

typedef struct slow {
    bench_timer look;   /* first */
    bench_timer resume; /* reading goes on */
    bench_run *run;
    bench_http http;
    int64_t began, slow_until; /* us */
    int64_t taken;             /* bytes of the body so far */
    int64_t slow_taken;        /* of them during the slow part */
    int64_t lines;
    int64_t most; /* memory of the server, bytes */
    char tail[TAIL];
    size_t tail_len;
    bool done;
    char failure[200];
} slow;

static void look(bench_timer *t)
{
    slow *s = (slow *)(void *)t;
    int64_t rss = bench_probe_rss(&s->run->probe);
    if (rss > s->most)
        s->most = rss;
    s->look.at_us = clock_mono_us() + LOOK_US;
}

static void resume(bench_timer *t)
{
    slow *s = (slow *)(void *)((char *)t - offsetof(slow, resume));
    bench_loop_watch(&s->run->loop, &s->http.sock.io, EPOLLIN);
}

static void keep_tail(slow *s, const char *p, size_t n)
{
    size_t take = n < TAIL ? n : TAIL;
    size_t keep = s->tail_len < TAIL - take ? s->tail_len : TAIL - take;
    memmove(s->tail, s->tail + s->tail_len - keep, keep);
    memcpy(s->tail + keep, p + n - take, take);
    s->tail_len = keep + take;
}

static void body(void *arg, const char *p, size_t n)
{
    slow *s = arg;
    for (const char *at = p, *end = p + n; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        s->lines++;
    keep_tail(s, p, n);
    s->taken += (int64_t)n;
    int64_t now = clock_mono_us();
    if (now >= s->slow_until)
        return;
    s->slow_taken = s->taken;
    s->resume.at_us = s->began + s->taken * 1000000 / s->run->opt.rate;
    bench_loop_watch(&s->run->loop, &s->http.sock.io, 0);
}

static void done(bench_http *h, const char *why)
{
    slow *s = h->owner;
    if (why)
        snprintf(s->failure, sizeof s->failure, "%s", why);
    else if (h->answer.status != 200)
        snprintf(s->failure, sizeof s->failure, "status %d", h->answer.status);
    s->done = true;
    bench_loop_stop(&s->run->loop);
}

static void send_query(slow *s, int64_t rows)
{
    bench_run *r = s->run;
    char sql[300];
    int n = snprintf(sql, sizeof sql,
                     "{\"sql\":\"SELECT a.id * %d + b.id AS id, a.body FROM bench_slowread a, "
                     "bench_slowread b LIMIT %lld\",\"timeout_ms\":600000,\"max_rows\":%lld}",
                     SIDE, (long long)rows, (long long)rows);
    buf *out = &s->http.sock.out;
    buf_addf(out,
             "POST /api/v1/query HTTP/1.1\r\nHost: %s\r\nAccept: application/x-ndjson\r\n"
             "Content-Type: application/json\r\nContent-Length: %d\r\n",
             r->server.host, n);
    if (r->auth)
        buf_addf(out, "Authorization: %s\r\n", r->auth);
    buf_addf(out, "\r\n%s", sql);
    s->lines = s->taken = 0;
    s->tail_len = 0;
    s->done = false;
    bench_http_send(&s->http);
    if (bench_sock_is_open(&s->http.sock))
        setsockopt(s->http.sock.io.fd, SOL_SOCKET, SO_RCVBUF, &(int){READ_BUF}, sizeof(int));
}

/* Runs until the answer is complete and was whole. */
static bool whole(slow *s, int64_t rows, error *e)
{
    while (!s->done && !bench_interrupted)
        if (!bench_loop_run(&s->run->loop, clock_mono_us() + 300000000) && !s->done)
            return error_set(e, bench_interrupted ? ERR_CANCELLED : ERR_TIMEOUT,
                             "the answer did not end");
    if (s->failure[0])
        return error_set(e, ERR_INTERNAL_ERROR, "the SELECT failed: %s", s->failure);
    if (s->lines != rows + 2 || !memmem(s->tail, s->tail_len, "\"end\"", 5))
        return error_set(e, ERR_INTERNAL_ERROR, "%lld lines came for %lld rows, the last: %.*s",
                         (long long)s->lines, (long long)rows, (int)s->tail_len, s->tail);
    return true;
}

static bool make_table(bench_run *r, error *e)
{
    char *filler = bench_filler(r->opt.payload < 1000 ? r->opt.payload : 1000);
    bool good =
        bench_sql(r, e, "DROP TABLE IF EXISTS bench_slowread") &&
        bench_sql(r, e, "CREATE TABLE bench_slowread(id INTEGER PRIMARY KEY, body TEXT)") &&
        bench_sql(r, e,
                  "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM c WHERE n < %d) "
                  "INSERT INTO bench_slowread SELECT n, '%s' FROM c",
                  SIDE - 1, filler);
    mem_free(filler);
    return good;
}

static bool measure(slow *s, error *e)
{
    bench_run *r = s->run;
    int64_t warm = r->opt.rows < SIDE ? r->opt.rows : SIDE;
    send_query(s, warm);
    if (!whole(s, warm, e))
        return false;
    int64_t before = bench_probe_rss(&r->probe);
    int64_t start = clock_mono_us();
    s->most = before;
    s->began = start;
    s->slow_until = start + r->opt.duration_ms * 1000;
    s->look.at_us = start;
    bench_loop_timer(&r->loop, &s->look);
    bench_loop_timer(&r->loop, &s->resume);
    send_query(s, r->opt.rows);
    bool good = whole(s, r->opt.rows, e);
    double seconds = (double)(clock_mono_us() - start) / 1e6;
    if (!good)
        return false;
    snprintf(r->report.with, sizeof r->report.with, "%lld rows, %lld bytes/s for %.1f s",
             (long long)r->opt.rows, (long long)r->opt.rate, (double)r->opt.duration_ms / 1e3);
    bench_report_add(&r->report, "read_slowly", "bytes", 0, (double)s->slow_taken);
    bench_report_add(&r->report, "read_in_all", "bytes", 0, (double)s->taken);
    bench_report_add(&r->report, "took", "s", 2, seconds);
    if (before >= 0) {
        bench_report_add(&r->report, "memory_before", "bytes", 0, (double)before);
        bench_report_add(&r->report, "memory_growth", "bytes", 0, (double)(s->most - before));
    }
    return true;
}

bool bench_run_slowread(bench_run *r, error *e)
{
    slow *s = xalloc(sizeof *s);
    s->run = r;
    s->look.fire = look;
    s->resume.fire = resume;
    bench_http_init(&s->http, &r->loop, &r->server, 0);
    s->http.done = done;
    s->http.owner = s;
    s->http.answer.body = body;
    s->http.answer.arg = s;
    bool good = make_table(r, e) && measure(s, e);
    bench_loop_timer_gone(&r->loop, &s->look);
    bench_loop_timer_gone(&r->loop, &s->resume);
    bench_http_close(&s->http);
    mem_free(s);
    return good;
}
