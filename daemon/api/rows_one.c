/* The encoder and the answer of operations on one row. */
#include "daemon/api/rows_one.h"

#include <string.h>

/* ---- engine threads ---------------------------------------------------------------------------
 */

static void begin(run *r)
{
    one_row *o = r->state;
    o->existed = o->written = o->unseen = false;
    o->etag[0] = '\0';
    o->location = NULL;
}

static bool is_look(const run *r)
{
    const one_row *o = r->state;
    return o->action != ROW_INSERT && r->statements == 0;
}

static void tag(run *r, const value *row)
{
    one_row *o = r->state;
    buf packed = BUF_INIT;
    for (int i = 0; i < o->op.table.n_columns; i++) {
        const value v = row_stored(&o->op.table.columns[i], &row[i]);
        value_pack(&packed, &v, 1);
    }
    if (packed.failed)
        r->out.failed = true;
    else
        etag_make(packed.data, packed.len, o->etag);
    buf_free(&packed);
}

/* Whether the row, as it is before anything is written, is what the request expects. */
static void check_conditions(run *r)
{
    const one_row *o = r->state;
    if (o->if_match && !etag_listed(o->if_match, o->etag, false)) {
        error_set(&r->refusal, ERR_PRECONDITION_FAILED, "the row has another entity tag now: %s",
                  o->etag);
        error_hint(&r->refusal, "Get the row again, and decide again.");
    } else if (o->if_none_match && o->action != ROW_GET &&
               etag_listed(o->if_none_match, o->etag, true)) {
        error_set(&r->refusal, ERR_PRECONDITION_FAILED, "there is such a row: %s", o->etag);
    }
}

static void check_same(run *r, const value *compared)
{
    const one_row *o = r->state;
    for (int i = 0; i < o->n_same; i++) {
        if (compared[i].type == VALUE_INT && compared[i].i == 1)
            continue;
        error_set(&r->refusal, ERR_INVALID_MESSAGE,
                  "%s in the body is another value than in the path", o->same[i]);
        error_hint(&r->refusal, "Leave the key out of the body, or use PATCH to change it.");
        return;
    }
}

static void locate(run *r, const value *row)
{
    one_row *o = r->state;
    const row_table *t = &o->op.table;
    buf out = BUF_INIT;
    buf_adds(&out, "/api/v1/tables/");
    row_path_add(&out, t->name, strlen(t->name));
    buf_adds(&out, "/rows/");
    o->location =
        row_key_write(t, row, &out) ? arena_strndup(&r->job.mem, out.data, out.len) : NULL;
    buf_free(&out);
}

/* Nothing is told of it. */
static void forget(run *r)
{
    one_row *o = r->state;
    o->unseen = true;
    o->etag[0] = '\0';
    buf_clear(&r->out);
}

static void take_row(run *r, const value *v, int n)
{
    one_row *o = r->state;
    int n_columns = o->op.table.n_columns;
    row_extra extra = o->op.extras[r->statements];
    tag(r, v);
    if (is_look(r)) {
        o->existed = true;
        check_conditions(r);
    } else {
        if (n > n_columns && extra == ROW_EXTRA_NONE)
            check_same(r, v + n_columns);
        if (!o->existed && row_key_is_shown(&o->op.table))
            locate(r, v);
    }
    o->unseen = false;
    buf_clear(&r->out);
    jw_init(&r->w, &r->out);
    row_write(&r->w, &o->op.table, v);
}

static void row(run *r, const value *v, int n)
{
    const one_row *o = r->state;
    bool only = o->op.extras[r->statements] == ROW_EXTRA_CHANGES;
    bool seen = rows_judge(r, &o->op, only ? v : v + o->op.table.n_columns);
    if (seen && !only)
        take_row(r, v, n);
    else if (!only)
        forget(r);
}

/* Behind the first statement of those that do not insert. */
static void check_existence(run *r)
{
    const one_row *o = r->state;
    if (o->existed || r->refusal.code != ERR_NONE)
        return;
    if (o->if_match)
        error_set(&r->refusal, ERR_PRECONDITION_FAILED, "there is no row with the key '%.100s'",
                  o->key);
    else if (!o->creates)
        error_set(&r->refusal, ERR_NOT_FOUND, "\"%s\" has no row with the key '%.100s'",
                  o->op.table.name, o->key);
}

static void end(run *r, const engine_summary *sum)
{
    one_row *o = r->state;
    if (is_look(r))
        check_existence(r);
    o->written = o->written || sum->changes > 0;
    bool expected = o->existed ? o->updates : o->creates;
    bool judged = o->op.extras[r->statements] == ROW_EXTRA_CHANGES;
    if (++r->statements == r->job.n_stmts && expected && !o->written && !judged &&
        r->refusal.code == ERR_NONE)
        error_set(&r->refusal, ERR_CONFLICT, "a trigger of \"%s\" keeps the row from being written",
                  o->op.table.name);
}

const run_encoder encode_one_row = {
    .begin = begin,
    .row = row,
    .end = end,
    .whole = true,
};

/* ---- the reactor ------------------------------------------------------------------------------
 */

static void answer(request *q, run *r, int status, bool body)
{
    const one_row *o = r->state;
    buf headers = BUF_INIT;
    if (o->etag[0] && !o->untagged)
        buf_addf(&headers, "ETag: %s\r\nCache-Control: private, no-cache\r\n", o->etag);
    if (status == 201 && o->location)
        buf_addf(&headers, "Location: %s\r\n", o->location);
    body = body && r->last && !o->unseen;
    if (status == 200 && o->unseen)
        status = 204;
    http_reply_with(q, status, body ? "application/json" : NULL, buf_cstr(&headers),
                    body ? r->last->data : "", body ? r->last->len : 0);
    buf_free(&headers);
}

void one_row_done(run *r)
{
    request *q = r->c->req;
    const one_row *o = r->state;
    bool minimal = rows_prefers(q, "return", "minimal");
    if (r->failed)
        http_reply_error(q, &r->err);
    else if (o->action == ROW_DELETE || (o->action == ROW_INSERT && !o->written))
        http_reply_with(q, 204, NULL, NULL, "", 0);
    else if (o->action == ROW_GET)
        answer(q, r, etag_listed(o->if_none_match, o->etag, true) ? 304 : 200,
               !etag_listed(o->if_none_match, o->etag, true));
    else if (!o->existed)
        answer(q, r, 201, !minimal);
    else
        answer(q, r, minimal ? 204 : 200, !minimal);
    run_free(r);
}
