/* /admin/config: the settings, and what of them can be changed while the daemon runs. */
#include "base/mem.h"
#include "config/config.h"
#include "daemon/api/api.h"
#include "daemon/audit.h"
#include "daemon/errand.h"
#include "daemon/settings.h"

#include <stdio.h>
#include <string.h>

/* ---- describing -------------------------------------------------------------------------------
 */

static void put_value(json_writer *w, const char *key, int id, setting_value v)
{
    jw_key(w, key);
    switch (settings[id].type) {
    case SETTING_STR:
    case SETTING_ENUM:
        jw_str(w, v.text);
        break;
    case SETTING_BOOL:
        jw_bool(w, v.flag);
        break;
    case SETTING_INT:
    case SETTING_SIZE:
    case SETTING_MS:
        jw_int(w, v.number);
        break;
    }
}

static bool is_number(int id)
{
    setting_type t = settings[id].type;
    return t == SETTING_INT || t == SETTING_SIZE || t == SETTING_MS;
}

static void put_bounds(json_writer *w, int id)
{
    const int64_t bounds[] = {settings[id].min, settings[id].max};
    const char *const keys[] = {"minimum", "maximum"};
    for (int i = 0; i < 2; i++) {
        jw_key(w, keys[i]);
        if (is_number(id))
            jw_int(w, bounds[i]);
        else
            jw_null(w);
    }
}

/* The words that an ENUM takes stand in braces in front of the help. */
static void put_help(json_writer *w, int id)
{
    const char *help = settings[id].help;
    jw_key(w, "allowed");
    if (settings[id].type == SETTING_ENUM) {
        jw_begin_array(w);
        for (help++; *help != '}';) {
            size_t n = strcspn(help, " }");
            jw_strn(w, help, n);
            help += n;
            help += strspn(help, " ");
        }
        jw_end_array(w);
        help += strspn(help, "} ");
    } else {
        jw_null(w);
    }
    jw_key(w, "help");
    jw_str(w, help);
}

static void put_setting(json_writer *w, const server *d, const config *now, int id)
{
    static const char *const types[] = {"string", "integer", "size", "duration", "boolean", "enum"};
    static const char *const units[] = {NULL, NULL, "bytes", "milliseconds", NULL, NULL};
    const setting_info *s = &settings[id];
    const config *start = settings_of_start(d->settings), *used = s->runtime ? now : start;
    char origin[CONFIG_ORIGIN_ROOM];
    config_origin(used, id, origin);
    jw_begin_object(w);
    jw_key(w, "name");
    jw_str(w, s->name);
    jw_key(w, "type");
    jw_str(w, types[s->type]);
    jw_key(w, "unit");
    jw_str(w, units[s->type]);
    put_value(w, "value", id, config_value(used, id));
    put_value(w, "default", id, config_default(id));
    put_bounds(w, id);
    put_help(w, id);
    jw_key(w, "source");
    jw_str(w, config_source_name(used->source[id]));
    jw_key(w, "origin");
    jw_str(w, *origin ? origin : NULL);
    jw_key(w, "runtime");
    jw_bool(w, s->runtime);
    if (strcmp(used->text[id], now->text[id]) != 0) {
        put_value(w, "pending", id, config_value(now, id));
    } else {
        jw_key(w, "pending");
        jw_null(w);
    }
    jw_end_object(w);
}

void api_get_config(request *q)
{
    server *d = q->c->r->d;
    const config *now = daemon_config(d);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "file");
    jw_str(&w, now->file);
    jw_key(&w, "settings");
    jw_begin_array(&w);
    for (int id = 0; id < SETTING_COUNT; id++)
        put_setting(&w, d, now, id);
    jw_end_array(&w);
    http_end_json(q, 200, &w);
}

void api_get_config_setting(request *q)
{
    server *d = q->c->r->d;
    error e;
    buf out = BUF_INIT;
    json_writer w;
    error_clear(&e);
    int id = config_require(q->params[0], ERR_NOT_FOUND, &e);
    if (id < 0) {
        http_reply_error(q, &e);
        return;
    }
    jw_init(&w, &out);
    put_setting(&w, d, daemon_config(d), id);
    if (out.failed) {
        error_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        http_reply_error(q, &e);
    } else {
        http_reply(q, 200, out.data, out.len);
    }
    buf_free(&out);
}

/* ---- changing ---------------------------------------------------------------------------------
 */

typedef struct change {
    errand k;
    settings_step step;
    config_flag *to; /* owned; both texts of each, too */
    int n;
} change;

static void change_end(errand *k)
{
    change *c = list_entry(k, change, k);
    for (int i = 0; i < c->n; i++) {
        mem_free((char *)c->to[i].name);
        mem_free((char *)c->to[i].value);
    }
    mem_free(c->to);
    mem_free(c);
}

static void change_work(errand *k, server *d)
{
    change *c = list_entry(k, change, k);
    k->failed = !settings_change(d, c->to, c->n, &c->step, &k->err);
}

/* For the audit log: {"changes":{NAME:[before, after]}}. */
static void record_changes(request *q, const settings_step *s)
{
    buf out = BUF_INIT;
    json_writer w;
    jw_init(&w, &out);
    jw_begin_object(&w);
    jw_key(&w, "changes");
    jw_begin_object(&w);
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (strcmp(s->was->text[id], s->now->text[id]) == 0)
            continue;
        jw_key(&w, settings[id].name);
        jw_begin_array(&w);
        jw_str(&w, s->was->text[id]);
        jw_str(&w, s->now->text[id]);
        jw_end_array(&w);
    }
    jw_end_object(&w);
    jw_end_object(&w);
    audit_set_detail(q, buf_cstr(&out));
    buf_free(&out);
}

static void change_answer(errand *k, request *q)
{
    change *c = list_entry(k, change, k);
    record_changes(q, &c->step);
    buf out;
    json_writer w;
    http_begin_json(&w, &out);
    jw_key(&w, "settings");
    jw_begin_array(&w);
    for (int i = 0; i < c->n; i++)
        put_setting(&w, q->c->r->d, c->step.now, config_find(c->to[i].name));
    jw_end_array(&w);
    jw_key(&w, "persistent");
    jw_bool(&w, false);
    http_end_json(q, 200, &w);
}

/* A value as it would stand in the file. Owned by the caller. */
static char *text_of(const json_t *v)
{
    char number[24];
    if (json_is_string(v))
        return xstrdup(json_string_value(v));
    if (json_is_boolean(v))
        return xstrdup(json_is_true(v) ? "on" : "off");
    snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
    return xstrdup(number);
}

void api_set_config(request *q)
{
    const char *name;
    json_t *v;
    change *c = xalloc(sizeof *c);
    c->to = xalloc((json_object_size(q->doc) + 1) * sizeof *c->to);
    json_object_foreach(q->doc, name, v)
    {
        c->to[c->n++] = (config_flag){xstrdup(name), text_of(v)};
    }
    c->k.work = change_work;
    c->k.answer = change_answer;
    c->k.end = change_end;
    errand_start(q, &c->k);
}

/* ---- reading again ----------------------------------------------------------------------------
 */

/* That the file is missing, or wrong, is no fault of the request. */
static void reload_work(errand *k, server *d)
{
    change *c = list_entry(k, change, k);
    error e;
    error_clear(&e);
    k->failed = !settings_reload(d, &c->step, &e);
    if (!k->failed)
        return;
    error_set(&k->err, ERR_CONFLICT, "the old settings stay: %s", e.message);
    error_hint(&k->err, "%s", e.hint);
}

static void reload_answer(errand *k, request *q)
{
    const settings_step *s = &list_entry(k, change, k)->step;
    buf out;
    json_writer w;
    record_changes(q, s);
    http_begin_json(&w, &out);
    jw_key(&w, "changed");
    jw_begin_array(&w);
    for (int id = 0; id < SETTING_COUNT; id++) {
        if (strcmp(s->was->text[id], s->now->text[id]) != 0)
            put_setting(&w, q->c->r->d, s->now, id);
    }
    jw_end_array(&w);
    http_end_json(q, 200, &w);
}

void api_reload_config(request *q)
{
    change *c = xalloc(sizeof *c);
    c->k.work = reload_work;
    c->k.answer = reload_answer;
    c->k.end = change_end;
    errand_start(q, &c->k);
}
