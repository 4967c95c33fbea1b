/* POST /import/{table}: the body is the data, the query says what it is. */
#include "daemon/import.h"
#include "daemon/api/api.h"
#include "daemon/system_events.h"

#include <string.h>
#include <strings.h>

enum { TABLE_NAME_MAX = 255 };

static const struct {
    const char *name, *type;
    import_format format;
} formats[] = {
    {"json", "application/json", IMPORT_JSON},
    {"jsonl", "application/x-ndjson", IMPORT_JSONL},
    {"jsonl", "application/jsonl", IMPORT_JSONL},
    {"csv", "text/csv", IMPORT_CSV},
};

/* From `format`, else from the content type. */
static bool read_format(const request *q, import_format *out, error *e)
{
    char name[16] = "";
    bool named = http_query_param(q, "format", name, sizeof name);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        bool same =
            named ? strcmp(formats[i].name, name) == 0
                  : strncasecmp(formats[i].type, q->content_type, strlen(formats[i].type)) == 0;
        if (same) {
            *out = formats[i].format;
            return true;
        }
    }
    error_set(e, named ? ERR_INVALID_MESSAGE : ERR_UNSUPPORTED_MEDIA,
              named ? "the format '%s' is not known" : "the content type '%s' is not known",
              named ? name : q->content_type);
    return error_hint(e, "Add ?format=json, jsonl or csv.");
}

static bool read_options(request *q, import_options *o, char *pointer, size_t room, error *e)
{
    o->table = q->params[0];
    o->pointer = pointer;
    pointer[0] = '\0';
    if (strlen(o->table) > TABLE_NAME_MAX)
        return error_set(e, ERR_INVALID_MESSAGE, "the table's name is too long");
    o->create = http_flag(q, "create");
    o->atomic = http_flag(q, "atomic");
    if (!read_format(q, &o->format, e))
        return false;
    if (http_query_param(q, "at", pointer, room) && o->format != IMPORT_JSON)
        return error_set(e, ERR_INVALID_MESSAGE, "`at` is for format=json only");
    if (q->content_length > daemon_config(q->c->r->d)->max_import)
        return error_set(e, ERR_MESSAGE_TOO_BIG, "the body has %lld bytes; the limit is %lld",
                         (long long)q->content_length,
                         (long long)daemon_config(q->c->r->d)->max_import);
    if (engine_is_draining(q->c->r->d->engine)) {
        error_set(e, ERR_BUSY, "no new imports are taken: the pool is drained");
        return error_hint(e, "POST /api/v1/pool/resume ends that.");
    }
    if (atomic_load(&q->c->r->d->imports) >= daemon_config(q->c->r->d)->max_imports) {
        error_set(e, ERR_BUSY, "as many imports run as may");
        system_limit_hit(q->c->r->d, q->c, e);
        return false;
    }
    return true;
}

void api_import_table(request *q)
{
    import_options o = {0};
    char pointer[512];
    error e;
    if (read_options(q, &o, pointer, sizeof pointer, &e)) {
        import_start(q, &o);
        return;
    }
    if (!q->complete)
        http_discard_rest(q);
    http_reply_error(q, &e);
}
