#include "daemon/audit.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/audit_anchor.h"
#include "daemon/http.h"
#include "daemon/route.h"
#include "daemon/ws.h"
#include "json/writer.h"

/* ---- start and stop ----------------------------------------------------------------------------
 */

bool audit_start(server *d, error *e)
{
    const config *cfg = daemon_config(d);
    audit_config ac = {
        .max = cfg->audit_max,
        .keep = cfg->audit_keep,
        .to_syslog = cfg->audit_syslog,
    };
    if (strcmp(cfg->audit, "off") == 0)
        return true;
    if (strlen(cfg->audit_journal) >= sizeof ac.journal)
        return error_set(e, ERR_INVALID_MESSAGE, "audit_journal is longer than a socket's path");
    snprintf(ac.journal, sizeof ac.journal, "%s", cfg->audit_journal);
    snprintf(ac.dir, sizeof ac.dir, "%s", d->data_dir);
    d->anchors = audit_anchors_open(d, &ac, e);
    if (!d->anchors)
        return false;
    d->audit = audit_open(&ac, e);
    return d->audit || error_hint(e, "Without an audit log the daemon starts with audit = off.");
}

void audit_stop(server *d)
{
    audit_anchor last;
    if (!d->audit)
        return;
    audit_close(d->audit, &last);
    d->audit = NULL;
    audit_anchors_stop(d->anchors, &last);
}

void audit_free(server *d)
{
    audit_anchors_free(d->anchors);
    d->anchors = NULL;
}

/* ---- who ---------------------------------------------------------------------------------------
 */

static void put_address(const peer *from, char *out, size_t room)
{
    char text[PEER_TEXT_ROOM];
    peer_format(from, text);
    snprintf(out, room, "%s", *text ? text : "unix");
}

audit_from audit_from_identity(const identity *who)
{
    audit_from f = {0};
    if (who) {
        snprintf(f.user, sizeof f.user, "%s", who->name);
        snprintf(f.kind, sizeof f.kind, "%s", identity_kind_name(who->kind));
    }
    return f;
}

audit_from audit_from_conn(const conn *c)
{
    audit_from f = audit_from_identity(c->ws ? c->ws->who : c->req ? c->req->who : NULL);
    put_address(&c->from, f.address, sizeof f.address);
    if (c->ws)
        snprintf(f.request_id, sizeof f.request_id, "%s", c->ws->id);
    return f;
}

audit_from audit_from_request(const request *q)
{
    audit_from f = audit_from_identity(q->who);
    const peer client = {.ip = q->client}; /* that a proxy speaks for */
    put_address(q->c->from.proxy ? &client : &q->c->from, f.address, sizeof f.address);
    snprintf(f.request_id, sizeof f.request_id, "%s", q->request_id);
    return f;
}

/* ---- recording ---------------------------------------------------------------------------------
 */

void audit_record(server *d, const audit_from *from, audit_action what, const char *target,
                  const error *why, const char *detail)
{
    audit_entry r = {.action = what, .from = *from, .code = why ? why->code : ERR_NONE};
    if (!d->audit)
        return;
    snprintf(r.target, sizeof r.target, "%s", target ? target : "");
    r.detail = detail ? mem_strndup(detail, strlen(detail)) : NULL;
    audit_post(d->audit, &r);
}

void audit_daemon(server *d, audit_action what, const char *target, const error *why,
                  const char *detail)
{
    audit_record(d, &(audit_from){.user = "rustydb", .kind = "daemon"}, what, target, why, detail);
}

void audit_request(request *q, audit_action what, const char *target, const error *why,
                   const char *detail)
{
    if (!q->c->r->d->audit)
        return;
    const audit_from from = audit_from_request(q);
    audit_record(q->c->r->d, &from, what, target, why, detail);
}

void audit_conn(conn *c, audit_action what, const char *target, const error *why,
                const char *detail)
{
    if (!c->r->d->audit)
        return;
    const audit_from from = audit_from_conn(c);
    audit_record(c->r->d, &from, what, target, why, detail);
}

void audit_turned_away(server *d, const peer *from, const char *why)
{
    audit_from f = {0};
    char detail[120];
    if (!d->audit)
        return;
    put_address(from, f.address, sizeof f.address);
    snprintf(detail, sizeof detail, "{\"reason\":\"%s\"}", why);
    const error e = {.code = ERR_PERMISSION_DENIED};
    audit_record(d, &f, AUDIT_ADDRESS_REFUSED, NULL, &e, detail);
}

bool audit_allows(server *d, audit_action what, error *e)
{
    if (!d->audit || !audit_actions[what].sensitive || audit_works(d->audit) ||
        strcmp(daemon_config(d)->audit, "strict") != 0)
        return true;
    error_set(e, ERR_AUDIT_UNAVAILABLE,
              "the audit log cannot be written, so nothing may be changed");
    return error_hint(e, "The daemon's log says why: a full disk, most often.");
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* What an operation is about: what its path names first, or else what its body names. */
static const char *target_of(const request *q)
{
    static const char *const names[] = {"name", "id", "topic", "table", "user"};
    const char *target = q->route && q->route->n_path ? q->params[0] : NULL;
    for (size_t i = 0; !target && i < sizeof names / sizeof *names; i++)
        target = json_string_value(json_object_get(q->doc, names[i]));
    return target;
}

static void record_operation(request *q, audit_action what, int status, const error *why)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    jw_begin_object(&w);
    jw_key_str(&w, "method", q->head_only ? "HEAD" : http_method_name(q->method));
    jw_key_str(&w, "path", q->path);
    if (status)
        jw_key_int(&w, "status", status);
    if (why)
        jw_key_str(&w, "message", why->message);
    if (q->audit_detail) {
        jw_key(&w, "more");
        jw_raw(&w, q->audit_detail, strlen(q->audit_detail));
    }
    jw_end_object(&w);
    audit_request(q, what, target_of(q), why, buf_cstr(&out));
    buf_free(&out);
}

bool audit_admits(const request *q, error *e)
{
    return !q->route->audit || audit_allows(q->c->r->d, (audit_action)(q->route->audit - 1), e);
}

void audit_answered(request *q, int status)
{
    if (status < 400 && q->route && q->route->audit && q->c->r->d->audit)
        record_operation(q, (audit_action)(q->route->audit - 1), status, NULL);
}

void audit_refused(request *q, const error *e)
{
    if (!q->c->r->d->audit)
        return;
    switch (e->code) {
    case ERR_AUTH_FAILED:
    case ERR_AUTH_EXPIRED:
        record_operation(q, AUDIT_AUTH_FAILED, 0, e);
        break;
    case ERR_PERMISSION_DENIED:
        record_operation(q, AUDIT_PERMISSION_DENIED, 0, e);
        break;
    case ERR_MISDIRECTED:
        record_operation(q, AUDIT_ORIGIN_REFUSED, 0, e);
        break;
    case ERR_RATE_LIMIT_EXCEEDED:
        record_operation(q, AUDIT_RATE_LIMITED, 0, e);
        break;
    case ERR_AUTH_REQUIRED:
        break; /* a stranger, who learns that this needs credentials */
    default:   /* strangers could fill the log with what is malformed, where they may ask */
        if (q->route && q->route->audit && q->who)
            record_operation(q, (audit_action)(q->route->audit - 1), 0, e);
        break;
    }
}

void audit_unanswered(request *q)
{
    error e;
    bool begun = q->complete || (q->route && q->route->flags & ROUTE_STREAM);
    if (!q->c->r->d->audit || q->answered || !begun || !q->route || !q->route->audit)
        return;
    error_clear(&e);
    error_set(&e, ERR_CANCELLED, "the client hung up: this may have been done all the same");
    record_operation(q, (audit_action)(q->route->audit - 1), 0, &e);
}

void audit_set_detail(request *q, const char *json)
{
    mem_free(q->audit_detail);
    q->audit_detail = mem_strndup(json, strlen(json));
}
