#include "cli/bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/bench/scenarios.h"

#define ANSWER_LIMIT (1u << 20) /* of an answer to a question beside the load */
#define ASK_TIMEOUT  120000000  /* us; filling a large table takes a while */

/* ---- questions beside the load -----------------------------------------------------------------
 */

typedef struct question {
    buf body;
    bool done;
    char why[200]; /* "" when answered */
} question;

static void keep_body(void *arg, const char *p, size_t n)
{
    question *q = arg;
    buf_add(&q->body, p, n);
}

static void question_done(bench_http *h, const char *why)
{
    bench_run *r = h->owner;
    question *q = h->answer.arg;
    snprintf(q->why, sizeof q->why, "%s", why ? why : "");
    q->done = true;
    bench_loop_stop(&r->loop);
}

static bool refused(const question *q, int status, const char *path, error *e)
{
    json_t *problem = json_loadb(q->body.data, q->body.len, 0, NULL);
    const char *name = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    error_code code = name ? error_by_name(name) : ERR_NONE;
    error_set(e, code ? code : ERR_INTERNAL_ERROR, "%s answered with status %d: %s", path, status,
              detail ? detail : "(no explanation)");
    json_decref(problem);
    return false;
}

static bool read_answer(const question *q, int status, const char *path, json_t **answer, error *e)
{
    if (status / 100 != 2)
        return refused(q, status, path, e);
    if (!answer)
        return true;
    *answer = json_loadb(q->body.data ? q->body.data : "", q->body.len, 0, NULL);
    if (*answer)
        return true;
    return error_set(e, ERR_INTERNAL_ERROR, "%s answered with something that is not JSON", path);
}

static bool unreachable(const bench_run *r, const question *q, error *e)
{
    error_set(e, ERR_SHUTTING_DOWN, "cannot talk to %s: %s", r->server.host, q->why);
    return error_hint(e, "Is a daemon running there? \"rustydb serve\" starts one.");
}

bool bench_ask(bench_run *r, const char *method, const char *path, const char *body,
               json_t **answer, error *e)
{
    question q = {.body.limit = ANSWER_LIMIT};
    bench_http *h = &r->control;
    h->answer.body = keep_body;
    h->answer.arg = &q;
    h->done = question_done;
    h->owner = r;
    bench_http_head(&h->sock.out, method, &r->server, path, r->auth,
                    body ? (long)strlen(body) : -1);
    if (body)
        buf_adds(&h->sock.out, body);
    bench_http_send(h);
    int64_t until = clock_mono_us() + ASK_TIMEOUT;
    while (!q.done && !bench_interrupted && clock_mono_us() < until)
        bench_loop_run(&r->loop, until);
    bool good;
    if (!q.done)
        good = error_set(e, bench_interrupted ? ERR_CANCELLED : ERR_TIMEOUT, "%s: no answer", path);
    else if (q.why[0])
        good = unreachable(r, &q, e);
    else
        good = read_answer(&q, h->answer.status, path, answer, e);
    if (!q.done)
        bench_http_close(h);
    h->answer.body = NULL;
    buf_free(&q.body);
    return good;
}

bool bench_sql(bench_run *r, error *e, const char *fmt, ...)
{
    char body[2048];
    int n = snprintf(body, sizeof body, "{\"timeout_ms\":100000,\"sql\":\"");
    va_list ap;
    va_start(ap, fmt);
    n += vsnprintf(body + n, sizeof body - (size_t)n, fmt, ap);
    va_end(ap);
    if ((size_t)n + 3 > sizeof body)
        return error_set(e, ERR_INTERNAL_ERROR, "a statement of the scenario is too long");
    memcpy(body + n, "\"}", 3);
    return bench_ask(r, "POST", "/api/v1/query", body, NULL, e);
}

bool bench_position(bench_run *r, int64_t *lsn, error *e)
{
    json_t *answer = NULL;
    if (!bench_ask(r, "POST", "/api/v1/query", "{\"sql\":\"SELECT 1\"}", &answer, e))
        return false;
    *lsn = json_integer_value(json_object_get(answer, "lsn"));
    json_decref(answer);
    return true;
}

char *bench_filler(int64_t count)
{
    static const char words[] = "every committed change is an event and none is ever missed ";
    char *text = xalloc((size_t)count + 1);
    for (int64_t i = 0; i < count; i++)
        text[i] = words[i % (int64_t)(sizeof words - 1)];
    return text;
}

/* ---- what the server says of itself ------------------------------------------------------------
 */

static int64_t number_at(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? (int64_t)json_number_value(v) : -1;
}

static bool ask_engine(bench_run *r, bench_sample *s, error *e)
{
    json_t *info = NULL;
    if (!bench_ask(r, "GET", "/api/v1/server/info", NULL, &info, e))
        return false;
    const json_t *engine = json_object_get(info, "engine_stats");
    s->commits = number_at(engine, "commits");
    s->commit_statements = number_at(engine, "commit_statements");
    json_decref(info);
    return true;
}

static bool ask_hub(bench_run *r, bench_sample *s, error *e)
{
    json_t *status = NULL;
    if (!bench_ask(r, "GET", "/api/v1/ws/status", NULL, &status, e))
        return false;
    s->frames = number_at(status, "frames_delivered");
    s->sends = number_at(status, "send_calls");
    json_decref(status);
    return true;
}

bool bench_sample_take(bench_run *r, bench_sample *s, error *e)
{
    *s = (bench_sample){.commits = -1, .commit_statements = -1, .frames = -1, .sends = -1};
    if (!r->foreign && (!ask_engine(r, s, e) || !ask_hub(r, s, e)))
        return false;
    s->rss = bench_probe_rss(&r->probe);
    s->own_cpu_ns = bench_own_cpu_ns();
    s->server_cpu_ns = bench_probe_cpu_ns(&r->probe);
    s->at_us = clock_mono_us();
    return true;
}

double bench_seconds(const bench_sample *from, const bench_sample *to)
{
    return (double)(to->at_us - from->at_us) / 1e6;
}

static void add_ratio(bench_report *report, const char *name, int64_t above_from, int64_t above_to,
                      int64_t below_from, int64_t below_to)
{
    if (above_from >= 0 && below_from >= 0 && below_to > below_from)
        bench_report_add(report, name, NULL, 2,
                         (double)(above_to - above_from) / (double)(below_to - below_from));
}

void bench_sample_report(bench_run *r, const bench_sample *from, const bench_sample *to,
                         double done, const char *thing)
{
    bench_report *report = &r->report;
    double wall_ns = bench_seconds(from, to) * 1e9;
    char name[56];
    if (from->server_cpu_ns >= 0 && to->server_cpu_ns >= 0) {
        double cpu = (double)(to->server_cpu_ns - from->server_cpu_ns);
        snprintf(name, sizeof name, "server_cpu_per_%s", thing);
        bench_report_add(report, name, "us", 3, done > 0 ? cpu / done / 1e3 : 0);
        bench_report_add(report, "server_cpu", "percent", 0, cpu / wall_ns * 100);
        bench_report_add(report, "server_memory", "bytes", 0, (double)to->rss);
    }
    bench_report_add(report, "generator_cpu", "percent", 0,
                     (double)(to->own_cpu_ns - from->own_cpu_ns) / wall_ns * 100);
    add_ratio(report, "statements_per_commit", from->commit_statements, to->commit_statements,
              from->commits, to->commits);
    add_ratio(report, "deliveries_per_send", from->frames, to->frames, from->sends, to->sends);
}

bool bench_measure(bench_run *r, bench_sample *from, bench_sample *to, void (*at_start)(void *),
                   void *arg, error *e)
{
    if (r->opt.warmup_ms)
        bench_loop_run(&r->loop, clock_mono_us() + r->opt.warmup_ms * 1000);
    if (!bench_sample_take(r, from, e))
        return false;
    at_start(arg);
    bench_loop_run(&r->loop, from->at_us + r->opt.duration_ms * 1000);
    if (!bench_sample_take(r, to, e))
        return false;
    return !bench_interrupted || error_set(e, ERR_CANCELLED, "interrupted");
}

/* ---- running -----------------------------------------------------------------------------------
 */

const bench_scenario *bench_scenario_find(const char *name)
{
    for (int i = 0; i < bench_n_scenarios; i++)
        if (strcmp(bench_scenarios[i].name, name) == 0)
            return &bench_scenarios[i];
    return NULL;
}

static void fill_in(bench_options *o, const bench_options *fallback)
{
#define DEFAULT(field)                                                                             \
    do {                                                                                           \
        if (!o->field)                                                                             \
            o->field = fallback->field;                                                            \
    } while (0)
    DEFAULT(clients);
    DEFAULT(duration_ms);
    DEFAULT(payload);
    DEFAULT(subscribers);
    DEFAULT(in_flight);
    DEFAULT(rows);
    DEFAULT(writes);
    DEFAULT(rate);
    DEFAULT(topic);
    DEFAULT(via);
    DEFAULT(where);
#undef DEFAULT
}

/* Room for the sockets; where the limit stays lower, opening them tells. */
static void raise_descriptors(const bench_options *o)
{
    struct rlimit now;
    rlim_t need = (rlim_t)(o->clients + o->subscribers + o->in_flight + 64);
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= need)
        return;
    struct rlimit more = {.rlim_cur = need, .rlim_max = need > now.rlim_max ? need : now.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    now.rlim_cur = now.rlim_max;
    setrlimit(RLIMIT_NOFILE, &now);
}

static bool resolve(bench_run *r, const char *url, error *e)
{
    const bench_options *o = &r->opt;
    r->foreign = o->target || o->publish_url;
    if (!o->publish_url != !o->subscribe_url)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "--publish-url and --subscribe-url belong together");
    if (o->publish_url && (!bench_target_parse(&r->publish, o->publish_url, e) ||
                           !bench_target_parse(&r->subscribe, o->subscribe_url, e)))
        return false;
    const char *where = o->target ? o->target : o->publish_url ? o->publish_url : url;
    if (!bench_target_parse(&r->server, where, e))
        return false;
    r->server.deflate = r->subscribe.deflate = o->deflate;
    if (!r->foreign && strcmp(r->server.path, "/") != 0)
        return error_set(e, ERR_INVALID_MESSAGE, "the daemon's URL has a path; load cannot use it");
    return true;
}

/* The daemon's own word on its process counts only where that process is on this machine. */
static bool find_process(bench_run *r, error *e)
{
    int pid = (int)r->opt.pid;
    if (!pid && !r->foreign) {
        json_t *info = NULL;
        if (!bench_ask(r, "GET", "/api/v1/server/info", NULL, &info, e))
            return false;
        int64_t told = number_at(info, "pid");
        pid = r->server.loopback && told > 0 ? (int)told : 0;
        json_decref(info);
    }
    bench_probe_open(&r->probe, pid);
    return true;
}

static void drop_tables(bench_run *r, const bench_scenario *s)
{
    error ignored;
    bench_interrupted = 0;
    if (s->tables && !r->foreign)
        bench_sql(r, &ignored, "%s", s->tables);
}

bool bench_execute(const bench_scenario *s, const bench_options *o, const char *url,
                   const char *token, bench_report *report, error *e)
{
    bench_run *r = xalloc(sizeof *r);
    r->opt = *o;
    r->loop.epfd = -1;
    fill_in(&r->opt, &s->defaults);
    raise_descriptors(&r->opt);
    buf auth = BUF_INIT;
    if (token)
        buf_addf(&auth, "Bearer %s", token);
    r->auth = token ? (char *)buf_cstr(&auth) : NULL;
    r->report.scenario = s->name;
    bool good = resolve(r, url, e) && bench_loop_open(&r->loop, e);
    if (good) {
        r->loop.spin = o->spin;
        snprintf(r->report.against, sizeof r->report.against, "%s", r->server.host);
        bench_http_init(&r->control, &r->loop, &r->server, 0);
        good = find_process(r, e);
        if (good) {
            good = s->run(r, e);
            bool stopped = bench_interrupted;
            drop_tables(r, s);
            if (stopped)
                good = error_set(e, ERR_CANCELLED, "interrupted");
        }
        bench_http_close(&r->control);
        bench_loop_close(&r->loop);
    }
    *report = r->report;
    buf_free(&auth);
    mem_free(r);
    return good;
}

void bench_interrupt(void)
{
    bench_interrupted = 1;
}
