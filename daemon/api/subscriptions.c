/* GET /ws/subscriptions, GET and DELETE /ws/subscriptions/{id}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/listing.h"
#include "daemon/sub_describe.h"
#include "daemon/survey.h"
#include "daemon/ws.h"

enum { TYPE_ROOM = 32, TOPIC_MAX = 1024, REASON_MAX = 200 };

/* ---- which -------------------------------------------------------------------------------------
 */

typedef struct sub_filter {
    uint64_t connection; /* 0: any */
    uint64_t after;      /* numbers above this */
    bool has_status;
    sub_state status;
    char type[TYPE_ROOM];   /* empty: any */
    char target[TOPIC_MAX]; /* empty: any */
} sub_filter;

static bool matches(const sub *s, const sub_filter *f)
{
    size_t type = strcspn(s->topic, ":");
    const char *target = s->topic[type] ? s->topic + type + 1 : "";
    return s->id > f->after && (!f->has_status || s->state == f->status) &&
           (!f->type[0] || (strlen(f->type) == type && strncmp(s->topic, f->type, type) == 0)) &&
           (!f->target[0] || strcmp(target, f->target) == 0);
}

static void collect_of(const conn *c, const sub_filter *f, buf *numbers)
{
    list_each(it, &c->ws->subs)
    {
        const sub *s = list_entry(it, sub, ws_link);
        if (matches(s, f))
            buf_add(numbers, &s->id, sizeof s->id);
    }
}

static void collect(reactor *r, const void *filter, buf *numbers)
{
    const sub_filter *f = filter;
    const conn *one = f->connection ? conn_table_find(&r->sockets, f->connection) : NULL;
    if (one)
        collect_of(one, f, numbers);
    if (f->connection)
        return;
    list_each(it, &r->conns)
    {
        const conn *c = list_entry(it, conn, link);
        if (c->ws)
            collect_of(c, f, numbers);
    }
}

static int by_id(const void *a, const void *b)
{
    const sub *x = *(const sub *const *)a, *y = *(const sub *const *)b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_wanted(const uint64_t *wanted, size_t n, uint64_t id)
{
    size_t from = 0;
    while (from < n) {
        size_t middle = from + (n - from) / 2;
        if (wanted[middle] == id)
            return true;
        if (wanted[middle] < id)
            from = middle + 1;
        else
            n = middle;
    }
    return false;
}

/* Appends pointers to those subscriptions of this reactor that are wanted. */
static void find_wanted(reactor *r, const uint64_t *wanted, size_t n, buf *found)
{
    list_each(it, &r->conns)
    {
        const conn *c = list_entry(it, conn, link);
        if (!c->ws)
            continue;
        list_each(at, &c->ws->subs)
        {
            sub *s = list_entry(at, sub, ws_link);
            if (is_wanted(wanted, n, s->id))
                buf_add(found, &s, sizeof(sub *));
        }
    }
}

static void describe(reactor *r, const uint64_t *wanted, size_t n, listing_rows *to)
{
    buf found = BUF_INIT;
    json_writer w;
    find_wanted(r, wanted, n, &found);
    size_t count = found.len / sizeof(sub *);
    sub **subs = (sub **)(void *)found.data;
    if (count > 1)
        qsort(subs, count, sizeof(sub *), by_id);
    for (size_t i = 0; i < count; i++) {
        listing_begin(to, &w);
        sub_describe(subs[i], &w);
        listing_end(to, subs[i]->id);
    }
    to->text.failed = to->text.failed || found.failed;
    buf_free(&found);
}

static const listing_kind subscriptions = {"subscriptions", "subscription", collect, describe};

static bool take_text(const request *q, const char *name, char *to, size_t room, error *e)
{
    const char *text = http_param(q, name);
    if (text && (!*text || strlen(text) >= room))
        return error_set(e, ERR_INVALID_MESSAGE, "%s has %zu bytes; 1 to %zu are allowed", name,
                         strlen(text), room - 1);
    if (text)
        snprintf(to, room, "%s", text);
    return true;
}

static bool take_id(const request *q, const char *name, uint64_t (*parse)(const char *),
                    uint64_t *to, const char *what, error *e)
{
    const char *text = http_param(q, name);
    if (text && !(*to = parse(text)))
        return error_set(e, ERR_INVALID_MESSAGE, "%s is not the id of a %s", name, what);
    return true;
}

static bool read_filter(const request *q, sub_filter *f, error *e)
{
    const char *status = http_param(q, "status");
    f->has_status = status != NULL;
    return (!status || sub_parse_status(status, &f->status, e)) &&
           take_id(q, "connection_id", conn_parse_id, &f->connection, "connection", e) &&
           take_id(q, "after", sub_parse_id, &f->after, "subscription", e) &&
           take_text(q, "subscription_type", f->type, sizeof f->type, e) &&
           take_text(q, "target", f->target, sizeof f->target, e);
}

void api_list_subscriptions(request *q)
{
    error e;
    sub_filter *f = xalloc(sizeof *f);
    if (read_filter(q, f, &e)) {
        listing_reply(q, &subscriptions, f, http_int(q, "offset"), http_int(q, "limit"));
        return;
    }
    mem_free(f);
    http_reply_error(q, &e);
}

static void not_found(request *q, const char *id)
{
    error e;
    error_set(&e, ERR_NOT_FOUND, "there is no subscription %.60s", id);
    http_reply_error(q, &e);
}

void api_get_subscription(request *q)
{
    uint64_t number = sub_parse_id(q->params[0]);
    if (number)
        listing_reply_one(q, &subscriptions, number, q->params[0]);
    else
        not_found(q, q->params[0]);
}

/* ---- ending a subscription ---------------------------------------------------------------------
 */

typedef struct cancelling {
    uint64_t number;
    char reason[REASON_MAX + 1];
} cancelling;

static void cancel_here(survey *s, reactor *r, void *part)
{
    const cancelling *want = s->arg;
    buf found = BUF_INIT;
    error why;
    find_wanted(r, &want->number, 1, &found);
    if (found.len) {
        error_set(&why, ERR_CANCELLED, "%s", want->reason);
        hub_cancel(*(sub **)(void *)found.data, &why);
        *(bool *)part = true;
    }
    buf_free(&found);
}

static void cancelling_done(survey *s, conn *asker)
{
    cancelling *want = s->arg;
    request *q = asker->state == CONN_DEAD ? NULL : asker->req;
    bool found = false;
    char id[32];
    buf out;
    json_writer w;
    snprintf(id, sizeof id, "s%llu", (unsigned long long)want->number);
    for (int i = 0; i < s->n_parts; i++)
        found = found || *(bool *)survey_part(s, i);
    if (q && !found)
        not_found(q, id);
    if (q && found) {
        http_begin_json(&w, &out);
        jw_key(&w, "subscription_id");
        jw_str(&w, id);
        jw_key(&w, "cancelled");
        jw_bool(&w, true);
        jw_key(&w, "reason");
        jw_str(&w, want->reason);
        http_end_json(q, 200, &w);
    }
    mem_free(want);
}

static const survey_kind cancellings = {sizeof(bool), cancel_here, cancelling_done};

void api_delete_subscription(request *q)
{
    error e;
    cancelling *want = xalloc(sizeof *want);
    snprintf(want->reason, sizeof want->reason, "%s", "ended by the administration");
    want->number = sub_parse_id(q->params[0]);
    if (!take_text(q, "reason", want->reason, sizeof want->reason, &e)) {
        http_reply_error(q, &e);
    } else if (!want->number) {
        not_found(q, q->params[0]);
    } else {
        survey_start(q->c, &cancellings, want);
        return;
    }
    mem_free(want);
}
