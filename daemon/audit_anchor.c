#include "daemon/audit_anchor.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/sink.h"
#include "json/read.h"
#include "json/writer.h"

static const char kind[] = "audit", name[] = "anchor";

enum { WRITE_LIMIT_US = 30000000 };

struct audit_anchors {
    server *d;
    pthread_mutex_t lock; /* guards writing */
    pthread_cond_t idle;
    bool writing; /* the job is the engine's; one at a time: a newer anchor comes soon */
    job job;
    job_sink sink;
    auth_change change;
    buf text;
};

/* ---- reading -----------------------------------------------------------------------------------
 */

typedef struct reading {
    const server *d;
    audit_anchor *to;
} reading;

static bool take_hash(const char *text, unsigned char out[AUDIT_HASH])
{
    return text && audit_hash_parse(text, strlen(text), out);
}

/* What does not fit is no anchor: the log then stands for itself. */
static void parse(const reading *r, const json_t *doc)
{
    const char *life = json_string_value(json_object_get(doc, "change_log"));
    const char *id = json_string_value(json_object_get(doc, "log_id"));
    audit_anchor a = {
        .at.n = json_integer_value(json_object_get(doc, "n")),
        .first = json_integer_value(json_object_get(doc, "first")),
    };
    if (!life || strcmp(life, r->d->log_id) != 0 || !id || strlen(id) != AUDIT_ID ||
        !take_hash(json_string_value(json_object_get(doc, "hash")), a.at.hash))
        return;
    memcpy(a.log_id, id, sizeof a.log_id);
    *r->to = a;
}

static bool each_text(void *arg, const auth_text *t, error *e)
{
    error unreadable;
    (void)e;
    if (strcmp(t->kind, kind) != 0 || strcmp(t->name, name) != 0)
        return true;
    json_t *doc = json_read_text(t->json, t->len, &unreadable);
    parse(arg, doc);
    json_decref(doc);
    return true;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static void written(job_sink *s, int index, const error *e)
{
    audit_anchors *k = list_entry(s, audit_anchors, sink);
    (void)index;
    if (e)
        log_warn("audit", "the database does not remember the end of the audit log: %s",
                 e->message);
    pthread_mutex_lock(&k->lock);
    k->writing = false;
    pthread_cond_signal(&k->idle);
    pthread_mutex_unlock(&k->lock);
}

static void put_anchor(buf *out, const server *d, const audit_anchor *a)
{
    char hash[2 * AUDIT_HASH + 1];
    json_writer w;
    audit_hash_text(a->at.hash, hash);
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key_str(&w, "change_log", d->log_id);
    jw_key_str(&w, "log_id", a->log_id);
    jw_key_int(&w, "n", a->at.n);
    jw_key_str(&w, "hash", hash);
    jw_key_int(&w, "first", a->first);
    jw_end_object(&w);
}

static void submit(audit_anchors *k, const audit_anchor *a)
{
    buf_clear(&k->text);
    put_anchor(&k->text, k->d, a);
    k->change = (auth_change){
        .expect = AUTH_ANYTHING,
        .text = {.kind = kind, .name = name, .json = buf_cstr(&k->text), .len = k->text.len},
    };
    k->job = (job){
        .kind = JOB_AUTH,
        .sink = &k->sink,
        .n_auth = 1,
        .auth = &k->change,
        .timeout_us = WRITE_LIMIT_US,
    };
    engine_submit(k->d->engine, &k->job);
}

static void keep(void *arg, const audit_anchor *a)
{
    audit_anchors *k = arg;
    pthread_mutex_lock(&k->lock);
    bool free_now = !k->writing;
    k->writing = true;
    pthread_mutex_unlock(&k->lock);
    if (free_now)
        submit(k, a);
}

static void wait_idle(audit_anchors *k)
{
    pthread_mutex_lock(&k->lock);
    while (k->writing)
        pthread_cond_wait(&k->idle, &k->lock);
    pthread_mutex_unlock(&k->lock);
}

/* ---- the interface -----------------------------------------------------------------------------
 */

audit_anchors *audit_anchors_open(server *d, audit_config *c, error *e)
{
    static const job_sink_ops ops = {
        sink_ignore_begin, sink_ignore_restart, sink_ignore_columns,
        sink_ignore_row,   sink_ignore_end,     sink_ignore_failed,
        written,
    };
    reading r = {d, &c->known};
    if (!engine_auth_read(d->engine, each_text, &r, e))
        return NULL;
    audit_anchors *k = xalloc(sizeof *k);
    k->d = d;
    k->sink.ops = &ops;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->idle, NULL);
    c->anchor = keep;
    c->arg = k;
    return k;
}

void audit_anchors_close(audit_anchors *k, const audit_anchor *last)
{
    wait_idle(k);
    if (last)
        keep(k, last);
    wait_idle(k);
    buf_free(&k->text);
    pthread_cond_destroy(&k->idle);
    pthread_mutex_destroy(&k->lock);
    mem_free(k);
}
