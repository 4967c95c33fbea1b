#include "cli/subscription.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/problem.h"
#include "json/writer.h"

enum { MAX_RETRY_AFTER_MS = 600000 };

bool subscription_since(subscription *s, const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *number = colon ? colon + 1 : text;
    size_t id = colon ? (size_t)(colon - text) : 0;
    int64_t lsn;
    if (!scan_int((scan_text){number, strlen(number)}, &lsn) || lsn < 0 || id >= sizeof s->log_id ||
        (colon && id == 0))
        return false;
    memcpy(s->log_id, text, id);
    s->log_id[id] = '\0';
    s->lsn = lsn;
    s->has_position = true;
    return true;
}

void subscription_position(const subscription *s, buf *out)
{
    if (s->log_id[0])
        buf_addf(out, "%s:", s->log_id);
    buf_addf(out, "%" PRId64, s->lsn);
}

void subscription_connect(subscription *s)
{
    s->live = false;
    s->retry_after_ms = 0;
    error_clear(&s->err);
}

static void write_request(const subscription *s, buf *out)
{
    json_writer w;
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key(&w, "id");
    jw_str(&w, "1");
    jw_key(&w, "type");
    jw_str(&w, "subscribe");
    jw_key(&w, "payload");
    jw_begin_object(&w);
    jw_key(&w, s->query ? "query" : "topic");
    jw_str(&w, s->query ? s->query : s->topic);
    if (s->params) {
        jw_key(&w, "params");
        jw_raw(&w, s->params, strlen(s->params));
    }
    if (s->interval_ms) {
        jw_key(&w, s->query ? "min_interval" : "interval");
        jw_int(&w, s->interval_ms);
    }
    if (s->metrics) {
        jw_key(&w, "metrics");
        jw_raw(&w, s->metrics, strlen(s->metrics));
    }
    if (s->kinds) {
        jw_key(&w, "ops");
        jw_raw(&w, s->kinds, strlen(s->kinds));
    }
    if (s->where) {
        jw_key(&w, "where");
        jw_str(&w, s->where);
    }
    if (s->has_position && s->log_id[0]) {
        buf since = BUF_INIT;
        subscription_position(s, &since);
        jw_key(&w, "since");
        jw_str(&w, buf_cstr(&since));
        buf_free(&since);
    } else if (s->has_position) {
        jw_key(&w, "since");
        jw_int(&w, s->lsn);
    }
    jw_end_object(&w);
    jw_end_object(&w);
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static void copy_text(char *to, size_t room, scan_text t)
{
    buf b = BUF_INIT;
    scan_unquote(&b, t);
    snprintf(to, room, "%s", buf_cstr(&b));
    buf_free(&b);
}

/* Whether a message's topic is this subscription's. The daemon writes a table's name as the table
 * has it, and it was asked for in any case. */
static bool is_own_topic(const subscription *s, scan_text topic)
{
    if (!s->topic)
        return false;
    if (scan_is(topic, s->topic))
        return true;
    buf b = BUF_INIT;
    bool same =
        scan_unquote(&b, topic) && b.len == strlen(s->topic) &&
        (s->table ? strcasecmp(buf_cstr(&b), s->topic) : strcmp(buf_cstr(&b), s->topic)) == 0;
    buf_free(&b);
    return same;
}

static bool take_welcome(subscription *s, scan_text payload, buf *send)
{
    scan_text v;
    if (scan_member(payload, "authenticated", &v) && v.n == 5) { /* false */
        error_set(&s->err, ERR_AUTH_REQUIRED, "the daemon wants a token");
        return false;
    }
    write_request(s, send);
    return true;
}

static bool move_to(subscription *s, int64_t lsn)
{
    s->lsn = lsn;
    s->has_position = true;
    s->finished = !s->ops->moved(s) || s->finished;
    return !s->finished;
}

static bool take_subscribed(subscription *s, scan_text payload)
{
    scan_text v;
    int64_t lsn = s->lsn;
    if (s->live)
        return true; /* one more that was made for this connection, by somebody else */
    s->live = true;
    if (scan_member(payload, "subscription_id", &v))
        copy_text(s->id, sizeof s->id, v);
    if (s->query && scan_member(payload, "topic", &v)) {
        copy_text(s->query_topic, sizeof s->query_topic, v);
        s->topic = s->query_topic;
    }
    if (s->table) {
        if (scan_member(payload, "log_id", &v))
            copy_text(s->log_id, sizeof s->log_id, v);
        if (!s->has_position && !(scan_member(payload, "lsn", &v) && scan_int(v, &lsn)))
            return error_set(&s->err, ERR_CLIENT_ERROR, "the daemon's answer has no lsn");
        if (!move_to(s, lsn))
            return false;
    }
    s->ops->subscribed(s);
    return true;
}

/* A broadcast to everyone connected is no event of a table. */
static void notice_broadcast(subscription *s, scan_text payload)
{
    scan_text message;
    buf text = BUF_INIT;
    if (!scan_member(payload, "message", &message))
        return;
    buf_adds(&text, "broadcast: ");
    buf_add(&text, message.p, message.n);
    s->ops->notice(s, buf_cstr(&text));
    buf_free(&text);
}

static bool take_event(subscription *s, scan_text payload)
{
    scan_text v;
    int64_t lsn = 0;
    bool foreign = !scan_member(payload, "topic", &v) || !is_own_topic(s, v);
    if (foreign && (s->table || s->query || s->of_daemon)) {
        notice_broadcast(s, payload);
        return true;
    }
    if (s->table) {
        if (!scan_member(payload, "lsn", &v) || !scan_int(v, &lsn))
            return error_set(&s->err, ERR_CLIENT_ERROR, "an event has no lsn");
        if (lsn <= s->lsn)
            return true; /* passed on already */
    }
    event_verdict verdict = s->ops->event(s, payload);
    s->finished = verdict != EVENT_NEXT;
    if (s->table && verdict != EVENT_FAILED)
        return move_to(s, lsn);
    return !s->finished;
}

static bool take_closing(subscription *s, scan_text payload)
{
    scan_text v;
    char reason[120] = "";
    int64_t code = 0, after = 0;
    if (scan_member(payload, "reason", &v))
        copy_text(reason, sizeof reason, v);
    if (scan_member(payload, "code", &v))
        scan_int(v, &code);
    if (scan_member(payload, "retry_after_ms", &v) && scan_int(v, &after) && after > 0)
        s->retry_after_ms = after < MAX_RETRY_AFTER_MS ? after : MAX_RETRY_AFTER_MS;
    if (s->err.code == ERR_NONE)
        error_set(&s->err,
                  code != 1008 ? ERR_SHUTTING_DOWN
                  : s->live    ? ERR_PERMISSION_DENIED
                               : ERR_AUTH_FAILED,
                  "the daemon closes the connection: %s (%" PRId64 ")", reason, code);
    return true;
}

static bool take_system(subscription *s, scan_text payload)
{
    scan_text v, sql;
    char what[200];
    int64_t lsn;
    if (!scan_member(payload, "event", &v))
        return true;
    if (scan_is(v, "closing"))
        return take_closing(s, payload);
    if (scan_member(payload, "topic", &sql) && !is_own_topic(s, sql))
        return true;
    if (scan_member(payload, "lsn", &sql) && scan_int(sql, &lsn) && s->table && lsn > s->lsn &&
        !move_to(s, lsn))
        return false;
    bool has_sql = scan_member(payload, "sql", &sql);
    if (has_sql)
        copy_text(what, sizeof what, sql);
    if (scan_is(v, "table_altered") && has_sql)
        s->ops->notice(s, what);
    if (!scan_is(v, "table_dropped") && !scan_is(v, "table_renamed"))
        return true;
    error_set(&s->err, ERR_TABLE_NOT_FOUND, "the table was %s%s%s",
              scan_is(v, "table_dropped") ? "dropped" : "renamed", has_sql ? ": " : "",
              has_sql ? what : "");
    return false;
}

/* That of another subscription, which somebody else made for this connection, ends only that. */
static bool take_error(subscription *s, scan_text payload)
{
    scan_text v;
    error other;
    if (s->live && scan_member(payload, "subscription_id", &v) && !scan_is(v, s->id)) {
        if (problem_read(payload, 0, &other))
            s->ops->notice(s, other.message);
        return true;
    }
    if (!problem_read(payload, 0, &s->err))
        error_set(&s->err, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
    if (s->err.code == ERR_GAP && s->has_position && s->err.detail > s->lsn + 1)
        error_hint(&s->err,
                   "missing are lsn %" PRId64 " to %" PRId64 "; the oldest kept is %" PRId64,
                   s->lsn + 1, s->err.detail - 1, s->err.detail);
    return false;
}

bool subscription_message(subscription *s, const char *p, size_t n, buf *send)
{
    scan_text message = scan_value(p, n), type, payload = {0};
    if (!scan_member(message, "type", &type))
        return error_set(&s->err, ERR_CLIENT_ERROR, "the daemon's message is not understood");
    scan_member(message, "payload", &payload);
    if (scan_is(type, "event"))
        return take_event(s, payload);
    if (scan_is(type, "welcome"))
        return take_welcome(s, payload, send);
    if (scan_is(type, "subscribed"))
        return take_subscribed(s, payload);
    if (scan_is(type, "system"))
        return take_system(s, payload);
    if (scan_is(type, "error") || scan_is(type, "auth_error"))
        return take_error(s, payload);
    return true;
}

bool subscription_is_permanent(const error *e)
{
    switch (e->code) {
    case ERR_CANNOT_CONNECT:
    case ERR_SHUTTING_DOWN:
    case ERR_BUSY:
    case ERR_SLOW_CONSUMER:
    case ERR_CONNECTION_LIMIT:
    case ERR_RATE_LIMIT_EXCEEDED:
    case ERR_TIMEOUT:
    case ERR_REQUEST_TIMEOUT:
        return false;
    default:
        return true;
    }
}
