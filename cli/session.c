#include "cli/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/answer.h"
#include "cli/text.h"
#include "json/writer.h"

enum { CANCEL_TIMEOUT_MS = 2000, TIMEOUT_GRACE_MS = 5000 };

/* A statement under way. */
typedef struct running {
    session *s;
    answer a;
} running;

static bool choose_id(session *s, error *e)
{
    unsigned char bits[16];
    if (getrandom(bits, sizeof bits, 0) != sizeof bits)
        return error_set(e, ERR_CLIENT_ERROR, "the system gives no random bits");
    for (size_t i = 0; i < sizeof bits; i++)
        snprintf(s->query_id + 2 * i, 3, "%02x", bits[i]);
    return true;
}

/* On a connection of its own: the first one is busy with the statement. */
static void cancel_on_daemon(void *arg)
{
    running *run = arg;
    char path[64];
    rest *other = rest_open(run->s->ep, NULL);
    if (!other)
        return;
    snprintf(path, sizeof path, "/query/%s/cancel", run->s->query_id);
    rest_send(other,
              &(rest_request){
                  .method = "POST", .path = path, .timeout_ms = CANCEL_TIMEOUT_MS, .deaf = true},
              NULL, NULL);
    rest_close(other);
}

static bool on_data(void *arg, const char *p, size_t n)
{
    running *run = arg;
    bool good = answer_feed(&run->a, p, n);
    return output_flush(run->s->out) && good;
}

static void on_idle(void *arg)
{
    running *run = arg;
    if (run->a.has_columns && !run->a.ended)
        format_show(run->s->format);
    output_flush(run->s->out);
}

static void notice_result(const session *s, const answer *a)
{
    const char *ms = a->elapsed_ms[0] ? a->elapsed_ms : "?";
    if (a->has_columns && a->changes == 0)
        output_notice(s->out, "%" PRId64 " row%s%s (%s ms)", a->rows, a->rows == 1 ? "" : "s",
                      a->truncated ? ", and there are more" : "", ms);
    else
        output_notice(s->out, "%" PRId64 " row%s changed (%s ms)", a->changes,
                      a->changes == 1 ? "" : "s", ms);
}

static void write_body(const session *s, const sql_statement *stmt, const char *params, buf *body)
{
    json_writer w;
    jw_init(&w, body);
    jw_begin_object(&w);
    jw_key(&w, "sql");
    jw_strn(&w, stmt->text, stmt->n);
    if (params) {
        jw_key(&w, "params");
        jw_raw(&w, params, strlen(params));
    }
    jw_key(&w, "id");
    jw_str(&w, s->query_id);
    if (s->timeout_ms > 0) {
        jw_key(&w, "timeout_ms");
        jw_int(&w, s->timeout_ms);
    }
    if (s->max_rows > 0) {
        jw_key(&w, "max_rows");
        jw_int(&w, s->max_rows);
    }
    jw_end_object(&w);
}

static bool send_statement(session *s, const buf *body, error *e)
{
    running run = {.s = s};
    char path[128] = "/query";
    if (s->tx[0])
        snprintf(path, sizeof path, "/transactions/%s/query", s->tx);
    answer_init(&run.a, s->format);
    bool good = rest_send(
        s->rest,
        &(rest_request){.method = "POST",
                        .path = path,
                        .accept = "application/x-ndjson",
                        .body = body->data,
                        .body_len = body->len,
                        .data = on_data,
                        .idle = on_idle,
                        .interrupt = cancel_on_daemon,
                        .arg = &run,
                        .timeout_ms = s->timeout_ms ? s->timeout_ms + TIMEOUT_GRACE_MS : 0},
        NULL, e);
    if (good || run.a.err.code != ERR_NONE) {
        good = answer_finish(&run.a);
        if (!good)
            *e = run.a.err;
    }
    /* Rows that arrived before an error are shown, but not as if the result were complete. */
    if (!good && run.a.has_columns)
        format_show(s->format);
    good = output_flush(s->out) && good;
    if (good)
        notice_result(s, &run.a);
    answer_free(&run.a);
    return good;
}

/* ---- transactions -----------------------------------------------------------------------------
 */

static bool begin(session *s, error *e)
{
    buf text = BUF_INIT, id = BUF_INIT;
    scan_text v;
    if (s->tx[0])
        return error_set(e, ERR_CONFLICT, "a transaction is open already");
    bool good =
        rest_send(s->rest, &(rest_request){.method = "POST", .path = "/transactions"}, &text, e);
    if (good) {
        scan_text object = scan_value(text.data ? text.data : "", text.len);
        good = scan_member(object, "transaction_id", &v) && scan_unquote(&id, v) &&
               id.len < sizeof s->tx;
        if (good)
            snprintf(s->tx, sizeof s->tx, "%s", buf_cstr(&id));
        else
            error_set(e, ERR_CLIENT_ERROR, "the daemon's answer is not understood");
    }
    buf_free(&text);
    buf_free(&id);
    return good;
}

static bool end_transaction(session *s, const char *how, bool deaf, error *e)
{
    char path[128];
    if (!s->tx[0])
        return error_set(e, ERR_CONFLICT, "no transaction is open");
    snprintf(path, sizeof path, "/transactions/%s/%s", s->tx, how);
    bool good = rest_send(s->rest,
                          &(rest_request){.method = "POST",
                                          .path = path,
                                          .timeout_ms = deaf ? CANCEL_TIMEOUT_MS : 0,
                                          .deaf = deaf},
                          NULL, e);
    s->tx[0] = '\0';
    return good;
}

bool session_abandon(session *s)
{
    bool open = s->tx[0] != '\0';
    if (open)
        end_transaction(s, "rollback", true, NULL);
    return open;
}

bool session_run(session *s, const sql_statement *stmt, const char *params, error *e)
{
    error_clear(e);
    switch (stmt->kind) {
    case SQL_BEGIN:
        return begin(s, e);
    case SQL_COMMIT:
        return end_transaction(s, "commit", false, e);
    case SQL_ROLLBACK:
        return end_transaction(s, "rollback", false, e);
    case SQL_OTHER:
        break;
    }
    if (memchr(stmt->text, '\0', stmt->n))
        return error_set(e, ERR_INVALID_MESSAGE, "the statement contains a NUL byte");
    if (!text_valid_utf8(stmt->text, stmt->n))
        return error_set(e, ERR_INVALID_MESSAGE, "the statement is not valid UTF-8");
    if (!choose_id(s, e))
        return false;
    buf body = BUF_INIT;
    write_body(s, stmt, params, &body);
    bool good = send_statement(s, &body, e);
    buf_free(&body);
    return good;
}
