/* GET /monitoring/storage and /monitoring/tables: where the room went. */
#include "daemon/api/api.h"
#include "daemon/encode.h"

#include <string.h>

static void put_int(json_writer *w, const char *key, int64_t n)
{
    jw_keyn(w, key, strlen(key));
    if (n < 0)
        jw_null(w);
    else
        jw_int(w, n);
}

static void put_log(json_writer *w, engine *g)
{
    engine_stats s;
    engine_stats_get(g, &s);
    jw_key(w, "change_log");
    jw_begin_object(w);
    put_int(w, "events", s.log_head - s.log_oldest + 1);
    put_int(w, "oldest", s.log_oldest);
    put_int(w, "head", s.log_head);
    jw_end_object(w);
}

static void reply_storage(request *q, const engine_storage *s)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    put_int(&w, "database_bytes", s->database);
    put_int(&w, "wal_bytes", s->wal);
    put_int(&w, "page_size", s->page_size);
    put_int(&w, "pages", s->pages);
    put_int(&w, "free_pages", s->free_pages);
    put_int(&w, "free_bytes", s->free_pages * s->page_size);
    put_int(&w, "disk_free_bytes", s->disk_free);
    put_int(&w, "disk_total_bytes", s->disk_total);
    put_log(&w, q->c->r->d->engine);
    http_end_json(q, 200, &w);
}

static void storage_told(run *r)
{
    request *q = r->c->req;
    if (r->failed)
        http_reply_error(q, &r->err);
    else
        reply_storage(q, &r->job.storage);
    run_free(r);
}

void api_get_storage(request *q)
{
    run *r = run_new(q->c, &encode_none, JOB_STORAGE);
    r->on_done = storage_told;
    run_submit(r);
}

void api_list_table_sizes(request *q)
{
    int64_t timeout_ms = http_int(q, "timeout_ms");
    run *r = run_new(q->c, &encode_none, JOB_SIZES);
    r->on_done = http_answer_text;
    r->job.offset = http_int(q, "offset");
    r->job.limit = http_int(q, "limit");
    r->job.internal = http_flag(q, "internal");
    if (timeout_ms)
        r->job.timeout_us = timeout_ms * 1000;
    run_submit(r);
}
