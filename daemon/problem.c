#include "daemon/problem.h"
#include "wire/jsonrpc.h"

#include <stdio.h>

/* What both forms share behind their first members. */
static void write_details(json_writer *w, const error *e)
{
    if (e->hint[0]) {
        jw_key(w, "hint");
        jw_str(w, e->hint);
    }
    if (e->position >= 0) {
        jw_key(w, "position");
        jw_int(w, e->position);
    }
    if (e->code == ERR_GAP) {
        jw_key(w, "oldest");
        jw_int(w, e->detail);
    }
}

void problem_write(json_writer *w, const error *e, const problem_extra *x)
{
    const error_info *info = error_describe(e->code);
    jw_begin_object(w);
    jw_key(w, "type");
    jw_str(w, "about:blank");
    jw_key(w, "title");
    jw_str(w, info->explain);
    jw_key(w, "status");
    jw_int(w, info->http_status);
    jw_key(w, "code");
    jw_str(w, info->name);
    jw_key(w, "detail");
    jw_str(w, e->message);
    write_details(w, e);
    if (x && x->statement >= 0) {
        jw_key(w, "statement");
        jw_int(w, x->statement);
    }
    if (x && x->rows_kept >= 0) {
        jw_key(w, "rows_kept");
        jw_int(w, x->rows_kept);
    }
    jw_end_object(w);
}

void problem_write_members(json_writer *w, const error *e)
{
    jw_key(w, "code");
    jw_str(w, error_describe(e->code)->name);
    jw_key(w, "message");
    jw_str(w, e->message);
    write_details(w, e);
}

void problem_write_ws(json_writer *w, const error *e, const char *subscription)
{
    jw_begin_object(w);
    problem_write_members(w, e);
    if (subscription) {
        jw_key(w, "subscription_id");
        jw_str(w, subscription);
    }
    jw_end_object(w);
}

void problem_write_rpc(json_writer *w, const error *e, int code)
{
    char message[sizeof e->message + 32];
    const char *standard = rpc_standard_name(code);
    snprintf(message, sizeof message, "%s%s%s", standard ? standard : "", standard ? ": " : "",
             e->message);
    jw_begin_object(w);
    jw_key(w, "code");
    jw_int(w, code);
    jw_key(w, "message");
    jw_str(w, message);
    jw_key(w, "data");
    jw_begin_object(w);
    jw_key(w, "code");
    jw_str(w, error_describe(e->code)->name);
    write_details(w, e);
    jw_end_object(w);
    jw_end_object(w);
}
