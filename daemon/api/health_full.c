/* GET /health/full: every part of the daemon is looked at, all at once, within a time limit.
 *
 * The looks are a few small jobs of the engine, a survey of the reactors and a question to the
 * replication's thread. Each comes back as a message, and the last one, or the time limit, answers.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/survey.h"
#include "feed/replication.h"
#include "engine/sink.h"

enum {
    PROBE_US = 1000000,   /* for a job of the engine */
    ANSWER_US = 2000000,  /* for all looks together */
    REASON_ROOM = 256,    /* bytes */
    FEED_BEHIND = 10000,  /* events that are read too late */
    DISK_LOW = 256 << 20, /* bytes */
    DISK_OUT = 16 << 20,
};

typedef enum verdict { LOOK_MISSING, LOOK_OK, LOOK_DEGRADED, LOOK_FAILED } verdict;

typedef enum part {
    PART_ENGINE,
    PART_READERS,
    PART_WRITER,
    PART_FEED,
    PART_CHANGE_LOG,
    PART_DISK,
    PART_REACTORS,
    PART_LISTENER,
    PART_LIVE_QUERIES,
    PART_REPLICATION,
    PARTS,
} part;

static const char *const part_names[PARTS] = {
    "engine", "readers",  "writer",   "feed",         "change_log",
    "disk",   "reactors", "listener", "live_queries", "replication",
};

typedef struct look {
    verdict verdict;
    int64_t took_us;
    char reason[REASON_ROOM];
} look;

struct checkup;

/* A job of the engine that is to show that a part works. */
typedef struct probe {
    job job;
    job_sink sink;
    reactor_msg home;
    struct checkup *of;
    part part;
    bool failed;
    error err;
    int64_t lsn, ended_us;
} probe;

typedef struct checkup {
    conn *asker; /* held by n_runs */
    int64_t began_us;
    int waiting;   /* looks that have not come back */
    bool answered; /* by the time limit */
    lws_sorted_usec_list_t limit;
    look looks[PARTS];
    probe readers, writer, disk;
    replication_call call;
    reactor_msg call_home;
    int64_t call_ended_us;
} checkup;

/* ---- verdicts ----------------------------------------------------------------------------------
 */

__attribute__((format(printf, 4, 5))) static void say(look *l, verdict v, int64_t took_us,
                                                      const char *reason, ...)
{
    va_list args;
    l->verdict = v;
    l->took_us = took_us > 0 ? took_us : 0;
    l->reason[0] = '\0';
    if (v == LOOK_OK)
        return;
    va_start(args, reason);
    vsnprintf(l->reason, sizeof l->reason, reason, args);
    va_end(args);
}

static void say_ok(look *l, int64_t took_us)
{
    say(l, LOOK_OK, took_us, "%s", "");
}

/* What only waits is degraded: what has it will end. */
static verdict verdict_of(error_code code)
{
    return code == ERR_TIMEOUT || code == ERR_BUSY ? LOOK_DEGRADED : LOOK_FAILED;
}

/* What has no answer yet has failed. */
static verdict verdict_now(const look *l)
{
    return l->verdict == LOOK_MISSING ? LOOK_FAILED : l->verdict;
}

static const char *verdict_name(verdict v)
{
    return v == LOOK_OK ? "ok" : v == LOOK_DEGRADED ? "degraded" : "failed";
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static void put_look(json_writer *w, const checkup *k, part p)
{
    const look *l = &k->looks[p];
    bool missing = l->verdict == LOOK_MISSING;
    char reason[REASON_ROOM];
    int64_t took_us = missing ? clock_mono_us() - k->began_us : l->took_us;
    snprintf(reason, sizeof reason, "%s", l->reason);
    if (missing)
        snprintf(reason, sizeof reason, "no answer within %d ms", ANSWER_US / 1000);
    jw_keyn(w, part_names[p], strlen(part_names[p]));
    jw_begin_object(w);
    jw_key(w, "status");
    jw_str(w, verdict_name(verdict_now(l)));
    jw_key(w, "reason");
    jw_str(w, reason[0] ? reason : NULL);
    jw_key(w, "took_ms");
    jw_real(w, (double)took_us / 1000.0);
    jw_end_object(w);
}

static void answer(const checkup *k, request *q)
{
    verdict worst = LOOK_OK;
    buf out;
    json_writer w;
    for (int p = 0; p < PARTS; p++) {
        if (verdict_now(&k->looks[p]) > worst)
            worst = verdict_now(&k->looks[p]);
    }
    http_begin_json(&w, &out);
    jw_key(&w, "status");
    jw_str(&w, verdict_name(worst));
    describe_moment(&w, q->c->r->d, "checked_at", k->began_us);
    jw_key(&w, "took_ms");
    jw_real(&w, (double)(clock_mono_us() - k->began_us) / 1000.0);
    jw_key(&w, "components");
    jw_begin_object(&w);
    for (int p = 0; p < PARTS; p++)
        put_look(&w, k, (part)p);
    jw_end_object(&w);
    http_end_json(q, worst == LOOK_FAILED ? 503 : 200, &w);
}

static void answer_once(checkup *k)
{
    conn *c = k->asker;
    if (k->answered)
        return;
    k->answered = true;
    if (c->state != CONN_DEAD && c->req)
        answer(k, c->req);
}

/* While every reader thread is in the middle of a statement, none can even say that the time of a
 * waiting one is up: that is a daemon with much to do, not a broken one. */
static void excuse_readers(checkup *k)
{
    static const part read[] = {PART_READERS, PART_CHANGE_LOG, PART_DISK};
    engine_pool p;
    engine_pool_get(k->asker->r->d->engine, &p);
    if (p.readers.busy < p.readers.threads)
        return;
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        if (k->looks[read[i]].verdict == LOOK_MISSING)
            say(&k->looks[read[i]], LOOK_DEGRADED, clock_mono_us() - k->began_us,
                "all %d reader threads are busy with statements", p.readers.threads);
    }
}

static void time_is_up(lws_sorted_usec_list_t *sul)
{
    checkup *k = list_entry(sul, checkup, limit);
    excuse_readers(k);
    answer_once(k);
}

/* One look has come back. Frees the checkup with the last. */
static void came_back(checkup *k)
{
    conn *c = k->asker;
    if (--k->waiting > 0)
        return;
    lws_sul_cancel(&k->limit);
    answer_once(k);
    buf_free(&k->call.json);
    arena_free(&k->readers.job.mem);
    buf_free(&k->readers.job.origin.tables);
    mem_free(k);
    c->n_runs--;
    conn_reap(c);
}

/* ---- jobs of the engine ------------------------------------------------------------------------
 */

static probe *of_sink(job_sink *s)
{
    return list_entry(s, probe, sink);
}

static void sink_end(job_sink *s, int index, const engine_summary *sum)
{
    (void)index;
    of_sink(s)->lsn = sum->lsn;
}

static void sink_done(job_sink *s, int index, const error *e)
{
    probe *p = of_sink(s);
    (void)index;
    p->ended_us = clock_mono_us();
    p->failed = e != NULL;
    if (e)
        p->err = *e;
    reactor_post(p->of->asker->r, &p->home);
}

static const job_sink_ops sink_ops = {
    sink_ignore_begin, sink_ignore_restart, sink_ignore_columns, sink_ignore_row,
    sink_end,          sink_ignore_failed,  sink_done,
};

/* The probe of the readers has read the head of the log in its own snapshot. */
static void judge_log(checkup *k, const probe *p, int64_t took_us)
{
    look *l = &k->looks[PART_CHANGE_LOG];
    engine_stats s;
    engine_stats_get(k->asker->r->d->engine, &s);
    if (p->failed)
        say(l, verdict_of(p->err.code), took_us, "it could not be read: %.180s", p->err.message);
    else if (s.log_oldest > s.log_head + 1 || p->lsn > s.log_head)
        say(l, LOOK_FAILED, took_us, "its bounds contradict each other");
    else
        say_ok(l, took_us);
}

static void judge_disk(look *l, const engine_storage *s, int64_t took_us)
{
    long long mb = (long long)(s->disk_free >> 20);
    if (s->disk_free < 0)
        say(l, LOOK_DEGRADED, took_us, "the room on the disk is not known");
    else if (s->disk_free < DISK_OUT)
        say(l, LOOK_FAILED, took_us, "the disk is full: %lld MiB are left", mb);
    else if (s->disk_free < DISK_LOW)
        say(l, LOOK_DEGRADED, took_us, "the disk is nearly full: %lld MiB are left", mb);
    else
        say_ok(l, took_us);
}

static void probe_home(reactor *r, reactor_msg *m)
{
    probe *p = list_entry(m, probe, home);
    checkup *k = p->of;
    look *l = &k->looks[p->part];
    int64_t took_us = p->ended_us - k->began_us;
    (void)r;
    if (p->failed)
        say(l, verdict_of(p->err.code), took_us, "%.200s", p->err.message);
    else if (p->part == PART_DISK)
        judge_disk(l, &p->job.storage, took_us);
    else
        say_ok(l, took_us);
    if (p->part == PART_READERS)
        judge_log(k, p, took_us);
    came_back(k);
}

static void start_probe(checkup *k, probe *p, part of, job_kind kind)
{
    p->of = k;
    p->part = of;
    p->sink.ops = &sink_ops;
    p->home.handle = probe_home;
    p->job.kind = kind;
    p->job.sink = &p->sink;
    p->job.timeout_us = PROBE_US;
    k->waiting++;
    engine_submit(k->asker->r->d->engine, &p->job);
}

static void start_probes(checkup *k)
{
    static const engine_stmt one = {.sql = "SELECT 1"};
    k->readers.job.stmts = &one;
    k->readers.job.n_stmts = 1;
    k->readers.job.origin.wanted = true; /* an exact lsn, and let in while the pool is drained */
    start_probe(k, &k->readers, PART_READERS, JOB_QUERY);
    start_probe(k, &k->writer, PART_WRITER, JOB_SLOTS); /* of none: an empty commit */
    start_probe(k, &k->disk, PART_DISK, JOB_STORAGE);
}

/* ---- reactors ----------------------------------------------------------------------------------
 */

typedef struct reactor_look {
    bool listens;
} reactor_look;

static void look_here(survey *s, reactor *r, void *here)
{
    (void)s;
    ((reactor_look *)here)->listens = (r->listener_wsi || r->unix_wsi) && !r->stopping;
}

static void reactors_done(survey *s, conn *asker)
{
    checkup *k = s->arg;
    int64_t took_us = clock_mono_us() - k->began_us;
    int listening = 0;
    (void)asker;
    for (int i = 0; i < s->n_parts; i++)
        listening += ((reactor_look *)survey_part(s, i))->listens;
    say_ok(&k->looks[PART_REACTORS], took_us);
    if (listening == s->n_parts)
        say_ok(&k->looks[PART_LISTENER], took_us);
    else
        say(&k->looks[PART_LISTENER], listening ? LOOK_DEGRADED : LOOK_FAILED, took_us,
            "%d of %d sockets listen", listening, s->n_parts);
    came_back(k);
}

static const survey_kind reactors_kind = {sizeof(reactor_look), look_here, reactors_done};

/* ---- replication -------------------------------------------------------------------------------
 */

static void call_home(reactor *r, reactor_msg *m)
{
    checkup *k = list_entry(m, checkup, call_home);
    int64_t took_us = k->call_ended_us - k->began_us;
    look *l = &k->looks[PART_REPLICATION];
    (void)r;
    if (k->call.failed)
        say(l, LOOK_FAILED, took_us, "%.200s", k->call.err.message);
    else
        say_ok(l, took_us);
    came_back(k);
}

static void call_done(replication_call *call)
{
    checkup *k = list_entry(call, checkup, call);
    k->call_ended_us = clock_mono_us();
    reactor_post(k->asker->r, &k->call_home);
}

static void ask_replication(checkup *k)
{
    k->call.op = REPLICATION_STATUS;
    k->call.done = call_done;
    k->call_home.handle = call_home;
    k->waiting++;
    replication_ask(k->asker->r->d->replication, &k->call);
}

/* ---- what can be seen from here ----------------------------------------------------------------
 */

static void look_at_engine(checkup *k, const server *d)
{
    look *l = &k->looks[PART_ENGINE];
    int64_t began = clock_mono_us();
    engine_pool p;
    engine_pool_get(d->engine, &p);
    int64_t took_us = clock_mono_us() - began;
    if (p.draining)
        say(l, LOOK_DEGRADED, took_us, "the pool is drained: no new statements are taken");
    else if (p.readers.queued >= p.max_queue || p.writer.queued >= p.max_queue)
        say(l, LOOK_DEGRADED, took_us, "a queue is full: %lld wait for readers, %lld to write",
            (long long)p.readers.queued, (long long)p.writer.queued);
    else
        say_ok(l, took_us);
}

static void look_at_feed(checkup *k, const server *d)
{
    look *l = &k->looks[PART_FEED];
    int64_t began = clock_mono_us(), position = feed_position(d->feed);
    engine_stats s;
    engine_stats_get(d->engine, &s);
    int64_t took_us = clock_mono_us() - began;
    if (s.log_head - position > FEED_BEHIND)
        say(l, LOOK_DEGRADED, took_us, "it is %lld events behind the change log",
            (long long)(s.log_head - position));
    else
        say_ok(l, took_us);
}

static void look_at_live(checkup *k, const server *d)
{
    look *l = &k->looks[PART_LIVE_QUERIES];
    int64_t began = clock_mono_us(), most = daemon_config((server *)d)->live_memory;
    queries_stats s;
    queries_stats_get(d->live, &s);
    int64_t took_us = clock_mono_us() - began;
    if (s.memory > most - most / 10)
        say(l, LOOK_DEGRADED, took_us, "their results take %lld of %lld bytes", (long long)s.memory,
            (long long)most);
    else
        say_ok(l, took_us);
}

void api_get_full_health(request *q)
{
    server *d = q->c->r->d;
    checkup *k = xalloc(sizeof *k);
    k->asker = q->c;
    k->began_us = clock_mono_us();
    k->waiting = 1; /* the survey */
    q->c->n_runs++;
    look_at_engine(k, d);
    look_at_feed(k, d);
    look_at_live(k, d);
    lws_sul_schedule(q->c->r->ctx, 0, &k->limit, time_is_up, ANSWER_US);
    start_probes(k);
    ask_replication(k);
    survey_start(q->c, &reactors_kind, k);
}
