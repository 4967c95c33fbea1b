#include "daemon/bin_send.h"
#include "daemon/ws.h"

void bin_send(conn *c, const bin_message *m)
{
    buf out = BUF_INIT;
    bin_message_put(&out, m);
    if (out.failed)
        conn_kill(c);
    else
        ws_send(c, WS_BINARY, out.data, out.len);
    buf_free(&out);
}

static bin_text id_of(const char *request_id)
{
    return bin_str(request_id ? request_id : "");
}

void bin_welcome_send(conn *c)
{
    const config *cfg = daemon_config(c->r->d);
    engine_stats stats;
    engine_stats_get(c->r->d->engine, &stats);
    const bin_message m = {
        .type = BIN_EVENT,
        .id = id_of(NULL),
        .form = BIN_EVENT_WELCOME,
        .welcome =
            {
                .connection_id = bin_str(c->ws->id),
                .version = bin_str(RUSTYDB_VERSION),
                .log_id = bin_str(c->r->d->log_id),
                .lsn = (uint64_t)stats.log_head,
                .max_message = (uint64_t)cfg->max_message,
                .max_subscriptions = (uint64_t)cfg->max_subscriptions,
                .max_pending = (uint64_t)cfg->max_pending,
            },
    };
    bin_send(c, &m);
}

void bin_subscribed_send(conn *c, const char *request_id, const sub_info *s)
{
    const bin_message m = {
        .type = BIN_EXECUTE_RESULT,
        .id = id_of(request_id),
        .form = BIN_DONE_SUBSCRIBED,
        .subscribed =
            {
                .subscription_id = bin_str(s->subscription_id),
                .topic = bin_str(s->topic),
                .filter = bin_opt_str(s->filter),
                .log_id = bin_opt_str(s->log_id),
                .lsn = {s->log_id != NULL, (uint64_t)s->lsn},
            },
    };
    bin_send(c, &m);
}

void bin_failed_send(conn *c, const char *request_id, const error *e, const char *subscription_id)
{
    const bin_message m = {
        .type = BIN_ERROR,
        .id = id_of(request_id),
        .problem =
            {
                .code = bin_str(error_describe(e->code)->name),
                .message = bin_str(e->message),
                .hint = bin_opt_str(e->hint[0] ? e->hint : NULL),
                .position = {e->position >= 0, (uint64_t)e->position},
                .oldest = {e->code == ERR_GAP, (uint64_t)e->detail},
                .subscription_id = bin_opt_str(subscription_id),
            },
    };
    bin_send(c, &m);
    STAT_ADD(c->r->stats.errors, 1);
}

void bin_closing_send(conn *c)
{
    const bin_message m = {
        .type = BIN_EVENT,
        .id = id_of(NULL),
        .form = BIN_EVENT_CLOSING,
        .closing = {(uint16_t)c->close_code, bin_str(c->close_reason)},
    };
    bin_send(c, &m);
}
