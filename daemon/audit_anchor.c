#include "daemon/audit_anchor.h"

#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/sink.h"
#include "json/read.h"
#include "json/writer.h"

static const char kind[] = "audit", name[] = "anchor";

enum { WRITE_LIMIT_US = 30000000 };

/* An anchor on its way into the database. */
typedef struct write {
    job job;
    job_sink sink;
    auth_change change;
    buf text;
    atomic_bool under_way; /* it is the engine's */
} write;

struct audit_anchors {
    server *d;
    write next; /* one at a time: a newer anchor comes soon */
    write last; /* the stop's, which may be queued behind it */
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
    write *w = list_entry(s, write, sink);
    (void)index;
    if (e)
        log_warn("audit", "the database does not remember the end of the audit log: %s",
                 e->message);
    atomic_store(&w->under_way, false);
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

static const job_sink_ops sink_ops = {
    sink_ignore_begin, sink_ignore_restart, sink_ignore_columns,
    sink_ignore_row,   sink_ignore_end,     sink_ignore_failed,
    written,
};

static void submit(server *d, write *w, const audit_anchor *a)
{
    buf_clear(&w->text);
    put_anchor(&w->text, d, a);
    w->sink.ops = &sink_ops;
    w->change = (auth_change){
        .expect = AUTH_ANYTHING,
        .text = {.kind = kind, .name = name, .json = buf_cstr(&w->text), .len = w->text.len},
    };
    w->job = (job){
        .kind = JOB_AUTH,
        .sink = &w->sink,
        .n_auth = 1,
        .auth = &w->change,
        .timeout_us = WRITE_LIMIT_US,
    };
    engine_submit(d->engine, &w->job);
}

static void keep(void *arg, const audit_anchor *a)
{
    audit_anchors *k = arg;
    if (!atomic_exchange(&k->next.under_way, true))
        submit(k->d, &k->next, a);
}

/* ---- the interface -----------------------------------------------------------------------------
 */

audit_anchors *audit_anchors_open(server *d, audit_config *c, error *e)
{
    reading r = {d, &c->known};
    if (!engine_auth_read(d->engine, each_text, &r, e))
        return NULL;
    audit_anchors *k = xalloc(sizeof *k);
    k->d = d;
    c->anchor = keep;
    c->arg = k;
    return k;
}

void audit_anchors_stop(audit_anchors *k, const audit_anchor *last)
{
    submit(k->d, &k->last, last);
}

void audit_anchors_free(audit_anchors *k)
{
    if (!k)
        return;
    buf_free(&k->next.text);
    buf_free(&k->last.text);
    mem_free(k);
}
