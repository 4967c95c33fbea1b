#include "daemon/params.h"
#include "base/clock.h"
#include "json/read.h"
#include "json/writer.h"
#include "wire/ws_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNEL_MAX = 200 };

static bool no_memory(error *e)
{
    return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static bool fill_array(engine_stmt *to, value *values, arena *mem, json_t *params,
                       const char *where, error *e)
{
    char what[64];
    for (int i = 0; i < to->n_params; i++) {
        snprintf(what, sizeof what, "%sparams[%d]", where, i);
        if (!value_from_json(&values[i], json_array_get(params, (size_t)i), mem, what, e))
            return false;
    }
    return true;
}

static bool fill_object(engine_stmt *to, value *values, arena *mem, json_t *params,
                        const char *where, error *e)
{
    const char **names = arena_alloc(mem, sizeof *names * (size_t)(to->n_params + 1));
    const char *key;
    json_t *item;
    char what[160];
    int i = 0;
    if (!names)
        return no_memory(e);
    json_object_foreach(params, key, item)
    {
        snprintf(what, sizeof what, "%sparams.%s", where, key);
        names[i] = arena_strndup(mem, key, strlen(key));
        if (!names[i])
            return no_memory(e);
        if (!value_from_json(&values[i], item, mem, what, e))
            return false;
        i++;
    }
    to->names = names;
    return true;
}

bool params_fill_stmt(engine_stmt *to, arena *mem, const char *sql, json_t *params,
                      const char *where, error *e)
{
    to->sql = arena_strndup(mem, sql, strlen(sql));
    if (!to->sql)
        return no_memory(e);
    if (!params || json_is_null(params))
        return true;
    if (!json_is_array(params) && !json_is_object(params))
        return error_set(e, ERR_INVALID_MESSAGE,
                         "%sparams is %s; expected an array, or an object of names", where,
                         json_kind(params));
    size_t n = json_is_array(params) ? json_array_size(params) : json_object_size(params);
    if (n > PARAMS_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "%sparams has more than %d values", where,
                         PARAMS_MAX);
    value *values = arena_alloc(mem, sizeof *values * (n + 1));
    if (!values)
        return no_memory(e);
    to->n_params = (int)n;
    to->params = values;
    return json_is_array(params) ? fill_array(to, values, mem, params, where, e)
                                 : fill_object(to, values, mem, params, where, e);
}

bool params_fill_job(job *j, const sql_request *s, error *e)
{
    engine_stmt *stmt = arena_alloc(&j->mem, sizeof *stmt);
    if (!stmt)
        return no_memory(e);
    if (!params_fill_stmt(stmt, &j->mem, s->sql, s->params, "", e))
        return false;
    j->stmts = stmt;
    j->n_stmts = 1;
    if (s->timeout_ms)
        j->timeout_us = s->timeout_ms * 1000;
    j->max_rows = s->max_rows;
    return true;
}

bool params_set_id(char to[ENGINE_ID_MAX + 1], const char *id, const char *what, error *e)
{
    size_t n = strlen(id);
    if (n == 0 || n > ENGINE_ID_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "%s has %zu bytes; 1 to %d are allowed", what, n,
                         ENGINE_ID_MAX);
    memcpy(to, id, n + 1);
    return true;
}

bool params_check_channel(const char *name, error *e)
{
    size_t n = strlen(name);
    if (n == 0 || n > CHANNEL_MAX)
        return error_set(e, ERR_INVALID_MESSAGE,
                         "the channel's name has %zu bytes; 1 to %d are allowed", n, CHANNEL_MAX);
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (*p < 0x20 || *p == 0x7F)
            return error_set(e, ERR_INVALID_MESSAGE,
                             "the channel's name has a control character at byte %td",
                             (const char *)p - name);
    }
    return true;
}

static bool put_json(json_writer *w, const char *key, const json_t *j)
{
    if (!j || json_is_null(j))
        return true;
    char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return false;
    jw_key(w, key);
    jw_raw(w, text, strlen(text));
    free(text);
    return true;
}

void params_channel_topic(const char *channel, char out[TOPIC_ROOM])
{
    snprintf(out, TOPIC_ROOM, "channel:%s", channel);
}

publication *params_broadcast(const broadcast_request *b, error *e)
{
    char topic[TOPIC_ROOM] = "broadcast", stamp[CLOCK_RFC3339_LEN + 1];
    buf text = BUF_INIT;
    json_writer w;
    if (b->channel) {
        if (!params_check_channel(b->channel, e))
            return NULL;
        params_channel_topic(b->channel, topic);
    }
    clock_rfc3339(clock_wall_us(), stamp);
    jw_init(&w, &text);
    jw_begin_object(&w);
    jw_key(&w, "topic");
    jw_str(&w, topic);
    if (b->event) {
        jw_key(&w, "event");
        jw_str(&w, b->event);
    }
    bool ok = put_json(&w, "message", b->message) && put_json(&w, "metadata", b->metadata);
    if (json_is_null(b->message)) {
        jw_key(&w, "message");
        jw_null(&w);
    }
    jw_key(&w, "sent_at");
    jw_str(&w, stamp);
    jw_end_object(&w);
    publication *p = NULL;
    if (!ok || text.failed)
        no_memory(e);
    else
        p = publication_new("event", text.data, text.len, e);
    buf_free(&text);
    return p;
}
