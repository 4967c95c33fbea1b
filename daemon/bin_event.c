#include "daemon/bin_event.h"
#include "base/arena.h"
#include "json/read.h"
#include "wire/bin_message.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bin_value bin_value_of(const value *v)
{
    switch (v->type) {
    case VALUE_INT:
        return (bin_value){.type = BIN_INTEGER, .i = v->i};
    case VALUE_REAL:
        return bin_shortest_real(v->d);
    case VALUE_TEXT:
        return (bin_value){.type = BIN_TEXT, .n = v->len, .p = v->p};
    case VALUE_BLOB:
        return (bin_value){.type = BIN_BLOB, .n = v->len, .p = v->p};
    case VALUE_NULL:
        break;
    }
    return (bin_value){.type = BIN_NULL};
}

/* ---- records of the change log -----------------------------------------------------------------
 */

/* What a change's lists are written from; one piece of memory. */
typedef struct lists {
    bin_value *row, *old_row;
    bin_text *names;
    uint32_t *changed;
} lists;

static bool make_lists(lists *l, arena *mem, size_t n)
{
    char *p = arena_alloc(mem, n * (2 * sizeof *l->row + sizeof *l->names + sizeof *l->changed));
    l->row = (bin_value *)p;
    l->old_row = l->row + n;
    l->names = (bin_text *)(l->old_row + n);
    l->changed = (uint32_t *)(l->names + n);
    return p != NULL;
}

static bin_opt_values fill_row(bin_value *to, const value *row, size_t n)
{
    for (size_t i = 0; row && i < n; i++)
        to[i] = bin_value_of(&row[i]);
    return (bin_opt_values){row != NULL, {row ? n : 0, to}};
}

static size_t fill_changed(uint32_t *to, const log_record *rec)
{
    size_t n = 0;
    for (int i = 0; rec->row && rec->old_row && i < rec->shape->n_columns; i++) {
        if (!value_equal(&rec->row[i], &rec->old_row[i]))
            to[n++] = (uint32_t)i;
    }
    return n;
}

static void write_change(buf *out, const feed_event *ev, bin_text topic, bin_opt_text filter)
{
    static const bin_op ops[] = {
        [OP_INSERT] = BIN_INSERT, [OP_UPDATE] = BIN_UPDATE, [OP_DELETE] = BIN_DELETE};
    const log_record *rec = ev->rec;
    size_t n = (size_t)rec->shape->n_columns;
    arena mem = ARENA_INIT;
    lists l;
    if (!make_lists(&l, &mem, n)) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        l.names[i] = bin_str(rec->shape->names[i]);
    const bin_message m = {
        .type = BIN_EVENT,
        .form = BIN_EVENT_CHANGE,
        .change =
            {
                .topic = topic,
                .filter = filter,
                .lsn = (uint64_t)rec->lsn,
                .tx = (uint64_t)rec->tx,
                .committed_at = rec->committed_at,
                .op = ops[rec->op],
                .columns = {n, l.names},
                .row = fill_row(l.row, rec->row, n),
                .old_row = fill_row(l.old_row, rec->old_row, n),
                .changed = {fill_changed(l.changed, rec), l.changed},
            },
    };
    bin_message_put(out, &m);
    arena_free(&mem);
}

static void write_ddl(buf *out, const log_record *rec, bin_text topic, bin_opt_text filter)
{
    const bin_message m = {
        .type = BIN_EVENT,
        .form = BIN_EVENT_TABLE,
        .table =
            {
                .topic = topic,
                .filter = filter,
                .lsn = (uint64_t)rec->lsn,
                .committed_at = rec->committed_at,
                .change = rec->op == OP_DROP     ? BIN_TABLE_DROPPED
                          : rec->op == OP_RENAME ? BIN_TABLE_RENAMED
                                                 : BIN_TABLE_ALTERED,
                .renamed_to = bin_opt_str(rec->op == OP_RENAME ? rec->other : NULL),
                .sql = bin_str(rec->text ? rec->text : ""),
            },
    };
    bin_message_put(out, &m);
}

void bin_write_record(buf *out, const feed_event *ev)
{
    if (!ev->rec) {
        bin_write_message(out, &(form_message){"event", ev->json, ev->len});
        return;
    }
    buf topic = BUF_INIT;
    buf_adds(&topic, "table:");
    buf_adds(&topic, ev->rec->shape->table);
    bin_text topic_text = {topic.data, topic.len};
    bin_opt_text filter = bin_opt_str(*ev->filter ? ev->filter : NULL);
    if (topic.failed)
        out->failed = true;
    else if (ev->rec->kind == LOG_DDL)
        write_ddl(out, ev->rec, topic_text, filter);
    else
        write_change(out, ev, topic_text, filter);
    buf_free(&topic);
}

void bin_write_initial(buf *out, const char *topic, const char *filter, const char *const *names,
                       const value *row, int n)
{
    arena mem = ARENA_INIT;
    lists l;
    if (!make_lists(&l, &mem, (size_t)n)) {
        out->failed = true;
        return;
    }
    for (int i = 0; i < n; i++)
        l.names[i] = bin_str(names[i]);
    const bin_message m = {
        .type = BIN_EVENT,
        .form = BIN_EVENT_INITIAL,
        .initial =
            {
                .topic = bin_str(topic),
                .filter = bin_opt_str(*filter ? filter : NULL),
                .columns = {(size_t)n, l.names},
                .row = fill_row(l.row, row, (size_t)n).values,
            },
    };
    bin_message_put(out, &m);
    arena_free(&mem);
}

/* ---- what is JSON in the other forms -----------------------------------------------------------
 */

static bin_opt_text member_text(const json_t *o, const char *name)
{
    const json_t *j = json_object_get(o, name);
    return (bin_opt_text){json_string_value(j), json_string_length(j)};
}

static bin_text text_or_empty(bin_opt_text t)
{
    return t.p ? (bin_text){t.p, t.n} : bin_str("");
}

static bin_opt_uint member_uint(const json_t *o, const char *name)
{
    const json_t *j = json_object_get(o, name);
    return (bin_opt_uint){json_is_integer(j), (uint64_t)json_integer_value(j)};
}

/* The reverse of clock_rfc3339. */
static int64_t microseconds(const char *stamp)
{
    struct tm t = {0};
    int us = 0;
    if (!stamp || sscanf(stamp, "%d-%d-%dT%d:%d:%d.%6dZ", &t.tm_year, &t.tm_mon, &t.tm_mday,
                         &t.tm_hour, &t.tm_min, &t.tm_sec, &us) != 7)
        return 0;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    return (int64_t)timegm(&t) * 1000000 + us;
}

static void write_error(buf *out, const json_t *o)
{
    const bin_message m = {
        .type = BIN_ERROR,
        .problem =
            {
                .code = text_or_empty(member_text(o, "code")),
                .message = text_or_empty(member_text(o, "message")),
                .hint = member_text(o, "hint"),
                .position = member_uint(o, "position"),
                .oldest = member_uint(o, "oldest"),
                .subscription_id = member_text(o, "subscription_id"),
                .lost_from = member_uint(o, "from"),
                .lost_to = member_uint(o, "to"),
                .continues = json_is_true(json_object_get(o, "continues")),
            },
    };
    bin_message_put(out, &m);
}

static void write_notice(buf *out, const form_message *f, const json_t *o)
{
    const bin_message m = {
        .type = BIN_EVENT,
        .form = BIN_EVENT_NOTICE,
        .notice = {bin_str(f->type), member_text(o, "topic"), {f->json, f->len}},
    };
    bin_message_put(out, &m);
}

/* A text is a text, {"$base64"} is bytes, anything else is JSON. *made is a JSON text that the body
 * points into, to be freed; the bytes go into the arena. */
static bool body_of(json_t *message, bin_body *body, arena *mem, char **made)
{
    value v;
    error e;
    *made = NULL;
    if (json_is_string(message)) {
        *body = (bin_body){BIN_BODY_TEXT, json_string_value(message), json_string_length(message)};
        return true;
    }
    if (json_object_get(message, "$base64") && value_from_json(&v, message, mem, "", &e)) {
        *body = (bin_body){BIN_BODY_BINARY, v.p, v.len};
        return true;
    }
    *made = json_dumps(message, JSON_ENCODE_ANY | JSON_COMPACT);
    *body = (bin_body){BIN_BODY_JSON, *made, *made ? strlen(*made) : 0};
    return *made != NULL;
}

static void write_channel_message(buf *out, const json_t *o)
{
    const json_t *metadata = json_object_get(o, "metadata");
    char *extra = metadata ? json_dumps(metadata, JSON_COMPACT) : NULL, *text;
    arena mem = ARENA_INIT;
    bin_message m = {
        .type = BIN_EVENT,
        .form = BIN_EVENT_MESSAGE,
        .message =
            {
                .topic = text_or_empty(member_text(o, "topic")),
                .event = member_text(o, "event"),
                .metadata = bin_opt_str(extra),
                .sent_at = microseconds(json_string_value(json_object_get(o, "sent_at"))),
            },
    };
    if (body_of(json_object_get(o, "message"), &m.message.message, &mem, &text) &&
        (extra || !metadata))
        bin_message_put(out, &m);
    else
        out->failed = true;
    free(text);
    free(extra);
    arena_free(&mem);
}

static void write_initial_end(buf *out, const json_t *o)
{
    const bin_message m = {
        .type = BIN_EVENT,
        .form = BIN_EVENT_INITIAL_END,
        .initial_end =
            {
                .topic = text_or_empty(member_text(o, "topic")),
                .subscription_id = text_or_empty(member_text(o, "subscription_id")),
                .lsn = member_uint(o, "lsn").v,
                .rows = member_uint(o, "rows").v,
            },
    };
    bin_message_put(out, &m);
}

static bool is_system_event(const form_message *f, const json_t *o, const char *event)
{
    const char *name = json_string_value(json_object_get(o, "event"));
    return strcmp(f->type, "system") == 0 && name && strcmp(name, event) == 0;
}

void bin_write_message(buf *out, const form_message *f)
{
    error e;
    json_t *o = json_read_text(f->json, f->len, &e);
    if (!o)
        out->failed = true; /* we wrote it: it is JSON, and memory is out */
    else if (strcmp(f->type, "error") == 0)
        write_error(out, o);
    else if (strcmp(f->type, "event") == 0 && json_object_get(o, "message") &&
             json_object_get(o, "sent_at"))
        write_channel_message(out, o);
    else if (is_system_event(f, o, "initial_end"))
        write_initial_end(out, o);
    else
        write_notice(out, f, o);
    json_decref(o);
}
