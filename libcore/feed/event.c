#include "feed/event.h"

#include <string.h>

#include "base/clock.h"
#include "json/writer.h"

bool event_is_told(const log_record *rec)
{
    return rec->op != OP_CREATE;
}

const char *event_ddl_name(log_op op)
{
    switch (op) {
    case OP_CREATE:
        return "table_created";
    case OP_DROP:
        return "table_dropped";
    case OP_RENAME:
        return "table_renamed";
    default:
        return "table_altered";
    }
}

/* "topic":"table:NAME", and the place where the filter goes. */
static void write_topic(event_text *t, json_writer *w, const char *table)
{
    jw_key(w, "topic");
    size_t start = t->json.len;
    jw_str(w, table);
    /* the prefix goes behind the opening quote */
    static const char prefix[] = "table:";
    const size_t n = sizeof prefix - 1;
    if (!buf_reserve(&t->json, n))
        return;
    char *quote = t->json.data + start;
    memmove(quote + 1 + n, quote + 1, t->json.len - start - 1);
    memcpy(quote + 1, prefix, n);
    t->json.len += n;
    t->filter_at = t->json.len;
}

void event_write_row(json_writer *w, const char *key, const table_shape *shape, const value *row)
{
    jw_key(w, key);
    if (!row) {
        jw_null(w);
        return;
    }
    jw_begin_object(w);
    for (int i = 0; i < shape->n_columns; i++) {
        jw_keyn(w, shape->names[i], strlen(shape->names[i]));
        value_write_json(w, &row[i]);
    }
    jw_end_object(w);
}

static void write_changed_columns(json_writer *w, const log_record *rec)
{
    jw_key(w, "changed_columns");
    if (!rec->row || !rec->old_row) {
        jw_null(w);
        return;
    }
    jw_begin_array(w);
    for (int i = 0; i < rec->shape->n_columns; i++) {
        if (!value_equal(&rec->row[i], &rec->old_row[i]))
            jw_str(w, rec->shape->names[i]);
    }
    jw_end_array(w);
}

static void write_change(event_text *t, json_writer *w, const log_record *rec)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(rec->committed_at, stamp);
    write_topic(t, w, rec->shape->table);
    jw_key(w, "lsn");
    jw_int(w, rec->lsn);
    jw_key(w, "tx");
    jw_int(w, rec->tx);
    jw_key(w, "committed_at");
    jw_str(w, stamp);
    jw_key(w, "op");
    jw_str(w, log_op_name(rec->op));
    event_write_row(w, "row", rec->shape, rec->row);
    event_write_row(w, "old_row", rec->shape, rec->old_row);
    write_changed_columns(w, rec);
}

static void write_ddl(event_text *t, json_writer *w, const log_record *rec)
{
    jw_key(w, "event");
    jw_str(w, event_ddl_name(rec->op));
    write_topic(t, w, rec->shape->table);
    jw_key(w, "lsn");
    jw_int(w, rec->lsn);
    if (rec->op == OP_RENAME) {
        jw_key(w, "renamed_to");
        jw_str(w, rec->other);
    }
    jw_key(w, "sql");
    jw_str(w, rec->text);
}

bool event_text_make(event_text *t, const log_record *rec)
{
    json_writer w;
    buf_clear(&t->json);
    jw_init(&w, &t->json);
    jw_begin_object(&w);
    if (rec->kind == LOG_DDL)
        write_ddl(t, &w, rec);
    else
        write_change(t, &w, rec);
    jw_end_object(&w);
    return !t->json.failed;
}

const char *event_text_get(const event_text *t, const char *filter, buf *scratch, size_t *len)
{
    if (!*filter) {
        *len = t->json.len;
        return t->json.data;
    }
    buf_clear(scratch);
    buf_add(scratch, t->json.data, t->filter_at);
    buf_adds(scratch, ",\"filter\":\"");
    buf_adds(scratch, filter);
    buf_addc(scratch, '"');
    buf_add(scratch, t->json.data + t->filter_at, t->json.len - t->filter_at);
    *len = scratch->len;
    return scratch->failed ? NULL : scratch->data;
}

void event_text_free(event_text *t)
{
    buf_free(&t->json);
}
