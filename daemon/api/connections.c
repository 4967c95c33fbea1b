/* GET /ws/connections, GET and DELETE /ws/connections/{id}. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/listing.h"
#include "daemon/survey.h"
#include "daemon/ws.h"

enum { REASON_MAX = 123 }; /* bytes, by RFC 6455 */

/* ---- which ------------------------------------------------------------------------------------
 */

typedef struct conn_filter {
    bool has_phase;
    conn_phase phase;
    uint64_t after;   /* numbers above this */
    char user_id[64]; /* empty: any */
} conn_filter;

static bool matches(const conn *c, const conn_filter *f)
{
    conn_phase phase;
    if (c->serial <= f->after || !conn_phase_of(c, &phase) || (f->has_phase && phase != f->phase))
        return false;
    return !f->user_id[0] || (c->ws->who && strcmp(c->ws->who->name, f->user_id) == 0);
}

static void collect(reactor *r, const void *filter, buf *numbers)
{
    list_each(it, &r->conns)
    {
        const conn *c = list_entry(it, conn, link);
        if (matches(c, filter))
            buf_add(numbers, &c->serial, sizeof c->serial);
    }
}

static void describe(reactor *r, const uint64_t *wanted, size_t n, listing_rows *to)
{
    json_writer w;
    for (size_t i = 0; i < n; i++) {
        conn *c = conn_table_find(&r->sockets, wanted[i]);
        if (!c)
            continue;
        listing_begin(to, &w);
        conn_describe(c, &w);
        listing_end(to, wanted[i]);
    }
}

static const listing_kind connections = {"connections", "connection", collect, describe};

static bool read_filter(const request *q, conn_filter *f, error *e)
{
    const char *state = http_param(q, "state"), *user = http_param(q, "user_id");
    const char *after = http_param(q, "after");
    f->has_phase = state != NULL;
    if (state && !conn_phase_parse(state, &f->phase, e))
        return false;
    if (after && !(f->after = conn_parse_id(after)))
        return error_set(e, ERR_INVALID_MESSAGE, "after is not the id of a connection");
    if (user && (!*user || strlen(user) >= sizeof f->user_id))
        return error_set(e, ERR_INVALID_MESSAGE, "user_id has %zu bytes; 1 to %zu are allowed",
                         strlen(user), sizeof f->user_id - 1);
    snprintf(f->user_id, sizeof f->user_id, "%s", user ? user : "");
    return true;
}

void api_list_connections(request *q)
{
    error e;
    conn_filter *f = xalloc(sizeof *f);
    if (read_filter(q, f, &e)) {
        listing_reply(q, &connections, f, http_int(q, "offset"), http_int(q, "limit"));
        return;
    }
    mem_free(f);
    http_reply_error(q, &e);
}

static void not_found(request *q, const char *id)
{
    error e;
    error_set(&e, ERR_NOT_FOUND, "there is no connection %.60s", id);
    http_reply_error(q, &e);
}

void api_get_connection(request *q)
{
    uint64_t number = conn_parse_id(q->params[0]);
    if (number)
        listing_reply_one(q, &connections, number, q->params[0]);
    else
        not_found(q, q->params[0]);
}

/* ---- ending one -------------------------------------------------------------------------------
 */

typedef struct ending {
    uint64_t number;
    char id[24];
    int close_code;
    char reason[REASON_MAX + 1];
} ending;

/* What the connection ends with: an earlier close stays what it was. */
typedef struct ended {
    bool found;
    int close_code;
    char reason[REASON_MAX + 1];
} ended;

static void end_here(survey *s, reactor *r, void *part)
{
    const ending *want = s->arg;
    ended *got = part;
    conn *c = conn_table_find(&r->sockets, want->number);
    if (!c)
        return;
    conn_end(c, want->close_code, want->reason);
    got->found = true;
    got->close_code = (int)c->close_code;
    snprintf(got->reason, sizeof got->reason, "%s", c->close_reason);
}

static void reply_ended(request *q, const ending *want, const ended *got)
{
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "connection_id");
    jw_str(&w, want->id);
    jw_key(&w, "closed");
    jw_bool(&w, true);
    jw_key(&w, "close_code");
    jw_int(&w, got->close_code);
    jw_key(&w, "reason");
    jw_str(&w, got->reason);
    http_end_json(q, 200, &w);
}

static void ending_done(survey *s, conn *asker)
{
    ending *want = s->arg;
    const ended *got = NULL;
    for (int i = 0; i < s->n_parts && !(got && got->found); i++)
        got = survey_part(s, i);
    request *q = asker->state == CONN_DEAD ? NULL : asker->req;
    if (q && got && got->found)
        reply_ended(q, want, got);
    else if (q)
        not_found(q, want->id);
    mem_free(want);
}

static const survey_kind endings = {sizeof(ended), end_here, ending_done};

/* The codes that a server may close with (RFC 6455, 7.4, and the registry it set up). */
static bool may_close_with(int64_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014 && code != 1010) ||
           (code >= 3000 && code <= 4999);
}

static bool read_ending(const request *q, ending *to, error *e)
{
    int64_t code = http_int(q, "close_code");
    const char *reason = http_param(q, "reason");
    if (!may_close_with(code)) {
        error_set(e, ERR_INVALID_MESSAGE, "a server does not close with %lld", (long long)code);
        return error_hint(e, "1000 to 1003, 1007 to 1014 and 3000 to 4999 are codes to use.");
    }
    if (!reason)
        reason = "closed by the administration";
    if (strlen(reason) > REASON_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "reason has %zu bytes; %d are allowed",
                         strlen(reason), REASON_MAX);
    if (utf8_valid(reason, strlen(reason)) != strlen(reason))
        return error_set(e, ERR_INVALID_MESSAGE, "reason is not valid UTF-8");
    to->close_code = (int)code;
    snprintf(to->reason, sizeof to->reason, "%s", reason);
    return true;
}

void api_close_connection(request *q)
{
    error e;
    uint64_t number = conn_parse_id(q->params[0]);
    ending *want = xalloc(sizeof *want);
    if (!read_ending(q, want, &e)) {
        http_reply_error(q, &e);
    } else if (!number) {
        not_found(q, q->params[0]);
    } else {
        want->number = number;
        snprintf(want->id, sizeof want->id, "c%llu", (unsigned long long)number);
        survey_start(q->c, &endings, want);
        return;
    }
    mem_free(want);
}
