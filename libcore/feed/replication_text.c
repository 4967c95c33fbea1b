#include <string.h>

#include "base/clock.h"
#include "feed/event.h"
#include "feed/replication_state.h"
#include "json/writer.h"

static void begin(buf *out, json_writer *w, const char *kind, int64_t lsn, int64_t tx)
{
    buf_clear(out);
    jw_init(w, out);
    jw_begin_object(w);
    jw_key(w, "topic");
    jw_str(w, "replication");
    jw_key(w, "kind");
    jw_str(w, kind);
    jw_key(w, "lsn");
    jw_int(w, lsn);
    jw_key(w, "tx");
    jw_int(w, tx);
}

static bool end(json_writer *w)
{
    jw_end_object(w);
    return !w->out->failed;
}

bool text_begin(buf *out, const cursor_tx *tx)
{
    json_writer w;
    begin(out, &w, "begin", tx->first, tx->number);
    if (tx->continued) {
        jw_key(&w, "continued");
        jw_bool(&w, true);
    }
    return end(&w);
}

bool text_commit(buf *out, const cursor_tx *tx, int64_t lsn)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    json_writer w;
    clock_rfc3339(tx->committed_at, stamp);
    begin(out, &w, "commit", lsn, tx->number);
    jw_key(&w, "committed_at");
    jw_str(&w, stamp);
    return end(&w);
}

/* The values by which the row was found before the change, null where its table has no key. */
static void write_key(json_writer *w, const log_record *rec)
{
    const table_shape *shape = rec->shape;
    const value *row = rec->old_row ? rec->old_row : rec->row;
    bool any = false;
    jw_key(w, "key");
    for (int i = 0; i < shape->n_columns; i++) {
        if (!shape->pk[i])
            continue;
        if (!any)
            jw_begin_object(w);
        any = true;
        jw_keyn(w, shape->names[i], strlen(shape->names[i]));
        value_write_json(w, &row[i]);
    }
    if (any)
        jw_end_object(w);
    else
        jw_null(w);
}

static void write_change(json_writer *w, const log_record *rec)
{
    jw_key(w, "table");
    jw_str(w, rec->shape->table);
    jw_key(w, "op");
    jw_str(w, log_op_name(rec->op));
    write_key(w, rec);
    event_write_row(w, "row", rec->shape, rec->row);
    event_write_row(w, "old_row", rec->shape, rec->old_row);
}

/* What the table is made of now: its text alone does not tell after CREATE TABLE AS. */
static void write_columns(json_writer *w, const table_shape *shape)
{
    jw_key(w, "columns");
    jw_begin_array(w);
    for (int i = 0; i < shape->n_columns; i++) {
        jw_begin_object(w);
        jw_key(w, "name");
        jw_str(w, shape->names[i]);
        jw_key(w, "type");
        jw_str(w, shape->types[i]);
        jw_key(w, "primary_key");
        jw_int(w, shape->pk[i]);
        jw_end_object(w);
    }
    jw_end_array(w);
}

static void write_ddl(json_writer *w, const log_record *rec)
{
    jw_key(w, "event");
    jw_str(w, event_ddl_name(rec->op));
    jw_key(w, "table");
    jw_str(w, rec->shape->table);
    if (rec->op == OP_RENAME) {
        jw_key(w, "renamed_to");
        jw_str(w, rec->other);
    }
    jw_key(w, "sql");
    jw_str(w, rec->text);
    if (rec->op == OP_CREATE || rec->op == OP_ALTER)
        write_columns(w, rec->shape);
}

bool text_record(buf *out, const log_record *rec)
{
    json_writer w;
    bool ddl = rec->kind == LOG_DDL;
    begin(out, &w, ddl ? "ddl" : "change", rec->lsn, rec->tx);
    if (ddl)
        write_ddl(&w, rec);
    else
        write_change(&w, rec);
    return end(&w);
}
