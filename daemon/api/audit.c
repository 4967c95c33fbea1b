/* /admin/audit: what the audit log holds, all of it as a file, and whether it is whole. */
#include "audit/chain.h"
#include "audit/search.h"
#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/audit.h"
#include "daemon/errand.h"
#include "daemon/jobs.h"
#include "json/read.h"

#include <string.h>

enum { FAULTS_SHOWN = 100, PIECE = 131072 };

static bool is_on(const server *d, error *e)
{
    if (d->audit)
        return true;
    error_set(e, ERR_NOT_FOUND, "there is no audit log");
    return error_hint(e, "The setting audit is off.");
}

static bool read_filter(const request *q, audit_filter *f, error *e)
{
    return audit_filter_read(f, http_param(q, "since"), http_param(q, "until"),
                             http_param(q, "user"), http_param(q, "action"),
                             http_param(q, "outcome"), e) &&
           is_on(q->c->r->d, e);
}

/* ---- the list ----------------------------------------------------------------------------------
 */

typedef struct page {
    errand k;
    audit_filter filter;
    int64_t offset, limit, below;
    int64_t total, matches; /* all that fit; those of them below `below`, which are paged */
    int64_t at;             /* of the second pass */
    buf text, ends;         /* records of the page, oldest first; where each ends (size_t) */
    buf out;
} page;

static int64_t number_of(const char *line)
{
    return strtoll(line + strlen("{\"n\":"), NULL, 10);
}

static bool count_one(void *arg, const char *line, size_t n)
{
    page *p = arg;
    (void)n;
    p->total++;
    if (!p->below || number_of(line) < p->below)
        p->matches++;
    return true;
}

/* A line is put into the answer as it is, when it is JSON; what somebody has made of it is not. */
static void put_line(page *p, const char *line, size_t n)
{
    error e;
    json_t *doc = json_read_text(line, n, &e);
    json_writer w;
    if (doc) {
        buf_add(&p->text, line, n);
    } else {
        jw_init(&w, &p->text);
        jw_begin_object(&w);
        jw_key(&w, "n");
        jw_null(&w);
        jw_key(&w, "malformed");
        jw_strn(&w, line, n);
        jw_end_object(&w);
    }
    json_decref(doc);
    buf_add(&p->ends, &p->text.len, sizeof p->text.len);
}

/* Newest first: the page is at the end of what fits. */
static bool take_one(void *arg, const char *line, size_t n)
{
    page *p = arg;
    int64_t end = p->matches - p->offset, start = end - p->limit;
    if (p->at >= start && p->at < end)
        put_line(p, line, n);
    return ++p->at < end;
}

static void put_page(page *p)
{
    json_writer w;
    const size_t *ends = (const size_t *)(const void *)p->ends.data;
    jw_init(&w, &p->out);
    jw_begin_object(&w);
    jw_key_int(&w, "total", p->total);
    jw_key_int(&w, "offset", p->offset);
    jw_key_int(&w, "limit", p->limit);
    jw_key(&w, "records");
    jw_begin_array(&w);
    for (size_t i = p->ends.len / sizeof *ends; i-- > 0;) {
        size_t from = i ? ends[i - 1] : 0;
        jw_raw(&w, p->text.data + from, ends[i] - from);
    }
    jw_end_array(&w);
    jw_end_object(&w);
}

static void page_work(errand *k, server *d)
{
    page *p = list_entry(k, page, k);
    audit_files files;
    audit_anchor a;
    k->failed = !audit_snapshot(d->audit, &files, &a, &k->err);
    if (k->failed)
        return;
    k->failed = !audit_search(&files, &p->filter, count_one, p, &k->err);
    p->filter.below = p->below;
    if (!k->failed && p->matches > p->offset)
        k->failed = !audit_search(&files, &p->filter, take_one, p, &k->err);
    audit_files_close(&files);
    put_page(p);
    if (!k->failed && (p->out.failed || p->text.failed || p->ends.failed))
        k->failed = !error_set(&k->err, ERR_INTERNAL_ERROR, "out of memory");
}

static void page_answer(errand *k, request *q)
{
    const page *p = list_entry(k, page, k);
    http_reply(q, 200, p->out.data, p->out.len);
}

static void page_end(errand *k)
{
    page *p = list_entry(k, page, k);
    audit_filter_free(&p->filter);
    buf_free(&p->text);
    buf_free(&p->ends);
    buf_free(&p->out);
    mem_free(p);
}

void api_list_audit_records(request *q)
{
    page *p = xalloc(sizeof *p);
    error e;
    if (!read_filter(q, &p->filter, &e)) {
        page_end(&p->k);
        http_reply_error(q, &e);
        return;
    }
    p->offset = http_int(q, "offset");
    p->limit = http_int(q, "limit");
    p->below = http_param(q, "after") ? http_int(q, "after") : 0;
    p->k.work = page_work;
    p->k.answer = page_answer;
    p->k.end = page_end;
    errand_start(q, &p->k);
}

/* ---- the export --------------------------------------------------------------------------------
 */

/* Where an export has come to. Its request's (q->arg), or the errand's that reads on. */
typedef struct export
{
    audit_filter filter;
    audit_files files;
    int file;   /* the one being read */
    int64_t at; /* in it */
    buf text;   /* the piece that comes next */
}
export;

typedef struct export_step {
    errand k;
    export *x;
} export_step;

static void export_free(export *x)
{
    if (!x)
        return;
    audit_files_close(&x->files);
    audit_filter_free(&x->filter);
    buf_free(&x->text);
    mem_free(x);
}

static bool export_line(void *arg, const char *p, size_t n, int64_t at)
{
    export *x = arg;
    if (n <= AUDIT_LINE_MAX && audit_filter_match(&x->filter, p, n)) {
        buf_add(&x->text, p, n);
        buf_addc(&x->text, '\n');
    }
    x->at = at + (int64_t)n + 1;
    return x->text.len < PIECE;
}

static void export_work(errand *k, server *d)
{
    export *x = list_entry(k, export_step, k)->x;
    audit_anchor a;
    int64_t torn;
    buf_clear(&x->text);
    if (!x->files.all)
        k->failed = !audit_snapshot(d->audit, &x->files, &a, &k->err);
    while (!k->failed && x->file < x->files.n && x->text.len < PIECE) {
        const audit_file *f = &x->files.all[x->file];
        k->failed = !audit_file_lines(f->fd, x->at, f->size, export_line, x, &torn, &k->err);
        if (x->text.len < PIECE) {
            x->file++;
            x->at = 0;
        }
    }
    if (!k->failed && x->text.failed)
        k->failed = !error_set(&k->err, ERR_INTERNAL_ERROR, "out of memory");
}

static void export_end(errand *k)
{
    export_step *s = list_entry(k, export_step, k);
    export_free(s->x);
    mem_free(s);
}

static void export_arg_free(request *q)
{
    export_free(q->arg);
}

static void export_more(request *q);

static void export_answer(errand *k, request *q)
{
    export_step *s = list_entry(k, export_step, k);
    bool last = s->x->file >= s->x->files.n;
    q->arg = s->x; /* until the piece has left */
    q->free_arg = export_arg_free;
    q->more = last ? NULL : export_more;
    s->x = NULL;
    const export *x = q->arg;
    http_put_piece(q, "application/x-ndjson",
                   "Content-Disposition: attachment; filename=\"audit.jsonl\"\r\n", x->text.data,
                   x->text.len, last);
}

static void export_more(request *q)
{
    export_step *s = xalloc(sizeof *s);
    s->x = q->arg;
    q->arg = NULL;
    s->k.work = export_work;
    s->k.answer = export_answer;
    s->k.end = export_end;
    errand_start(q, &s->k);
}

void api_export_audit(request *q)
{
    export *x = xalloc(sizeof *x);
    error e;
    if (!read_filter(q, &x->filter, &e)) {
        export_free(x);
        http_reply_error(q, &e);
        return;
    }
    q->arg = x;
    q->free_arg = export_arg_free;
    export_more(q);
}

/* ---- verifying ---------------------------------------------------------------------------------
 */

typedef struct checking {
    admin_job *j;
    audit_chain chain;
    json_writer *w;
    int64_t before; /* bytes of the files that were read */
    bool stopped;
} checking;

static void put_fault(void *arg, const audit_fault *f)
{
    const checking *c = arg;
    json_writer *w = c->w;
    if (c->chain.faults > FAULTS_SHOWN)
        return;
    jw_begin_object(w);
    jw_key_str(w, "kind", audit_fault_name(f->kind));
    jw_key_int(w, "file", f->file);
    jw_key_int(w, "line", f->line);
    jw_key(w, "n");
    if (f->n)
        jw_int(w, f->n);
    else
        jw_null(w);
    jw_key_str(w, "message", f->text);
    jw_end_object(w);
}

static bool check_line(void *arg, const char *p, size_t n, int64_t at)
{
    checking *c = arg;
    audit_chain_line(&c->chain, p, n);
    atomic_store(&c->j->progress, c->before + at);
    c->stopped = atomic_load(&c->j->stop);
    return !c->stopped;
}

static bool check_files(checking *c, const audit_files *files, error *e)
{
    int64_t torn, total = 0;
    bool ok = true;
    for (int i = 0; i < files->n; i++)
        total += files->all[i].size;
    atomic_store(&c->j->total, total);
    for (int i = 0; ok && i < files->n; i++) {
        const audit_file *f = &files->all[i];
        audit_chain_file(&c->chain, f->number);
        ok = audit_file_lines(f->fd, 0, f->size, check_line, c, &torn, e);
        if (ok && torn && !c->stopped && i < files->n - 1) /* at the end one is being written */
            audit_chain_torn(&c->chain);
        c->before += f->size;
    }
    if (ok && c->stopped)
        ok = !admin_job_stopped(c->j, e);
    audit_chain_end(&c->chain);
    return ok;
}

static void put_verdict(const checking *c, int files)
{
    char hash[2 * AUDIT_HASH + 1];
    json_writer *w = c->w;
    audit_hash_text(c->chain.record.hash, hash);
    jw_key_bool(w, "ok", c->chain.faults == 0);
    jw_key_int(w, "fault_count", c->chain.faults);
    jw_key_int(w, "files", files);
    jw_key_int(w, "records", c->chain.records);
    jw_key_int(w, "first", c->chain.first);
    jw_key_int(w, "last", c->chain.record.n);
    jw_key_str(w, "last_hash", hash);
    jw_key_str(w, "log_id", c->chain.log_id);
}

static bool verify(admin_job *j, json_writer *w, error *e)
{
    audit_files files;
    audit_anchor a;
    checking c = {.j = j, .w = w};
    if (!is_on(j->d, e) || !audit_snapshot(j->d->audit, &files, &a, e))
        return false;
    c.chain = (audit_chain){.anchor = &a, .fault = put_fault, .arg = &c};
    jw_begin_object(w);
    jw_key(w, "faults");
    jw_begin_array(w);
    bool ok = check_files(&c, &files, e);
    jw_end_array(w);
    put_verdict(&c, files.n);
    jw_end_object(w);
    audit_files_close(&files);
    return ok;
}

void api_verify_audit(request *q)
{
    static const admin_job_kind kind = {
        .name = "audit-verify", .unit = "bytes", .status = 200, .run = verify};
    error e;
    if (is_on(q->c->r->d, &e))
        jobs_submit(q, &kind, NULL, NULL);
    else
        http_reply_error(q, &e);
}
