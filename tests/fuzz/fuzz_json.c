/* Throws messages at the reading of rustydb.json.v1: the envelope, and the fields of its requests
 * down to parameters and positions. What is refused is refused with a reason and a place within the
 * text; what is read, written and read again is the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/params.h"
#include "feed/position.h"
#include "json/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_refused(const error *e, size_t size)
{
    if (e->code != ERR_INVALID_MESSAGE || !*e->message || strlen(e->message) >= sizeof e->message ||
        e->position > (int64_t)size)
        abort();
}

static void must_read_back(json_t *root)
{
    error e;
    char *text = json_dumps(root, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return; /* a real that JSON cannot hold does not get this far */
    json_t *again = json_read_text(text, strlen(text), &e);
    if (!again || !json_equal(root, again))
        abort();
    json_decref(again);
    free(text);
}

static void read_sql(json_t *payload, size_t size)
{
    error e;
    sql_request s = {0};
    const char *transaction = NULL;
    const json_field fields[] = {
        {"sql", FIELD_STR, true, &s.sql, 0, 0},
        {"params", FIELD_ANY, false, &s.params, 0, 0},
        {"timeout_ms", FIELD_INT, false, &s.timeout_ms, 1, MAX_TIMEOUT_MS},
        {"max_rows", FIELD_INT, false, &s.max_rows, 1, INT64_MAX},
        {"transaction", FIELD_STR, false, &transaction, 0, 0},
    };
    error_clear(&e);
    if (!json_read_object_at(payload, "payload", fields, JSON_FIELDS(fields), &e)) {
        must_be_refused(&e, size);
        return;
    }
    job j = {0};
    char id[ENGINE_ID_MAX + 1];
    if ((s.timeout_ms && (s.timeout_ms < 1 || s.timeout_ms > MAX_TIMEOUT_MS)) || !s.sql)
        abort();
    if (!params_fill_job(&j, &s, &e) ||
        (transaction && !params_set_id(id, transaction, "transaction", &e)))
        must_be_refused(&e, size);
    arena_free(&j.mem);
}

static void read_position(json_t *since, size_t size)
{
    char log_id[POSITION_LOG_ID_MAX];
    position at;
    error e;
    error_clear(&e);
    if (!position_read(since, "payload", log_id, &at, &e))
        must_be_refused(&e, size);
    else if (at.lsn < 0 || (at.log_id && at.log_id != log_id))
        abort();
}

static void read_broadcast(json_t *payload, size_t size)
{
    broadcast_request b = {0};
    error e;
    const json_field fields[] = {
        {"channel", FIELD_STR, false, &b.channel, 0, 0},
        {"message", FIELD_ANY, true, &b.message, 0, 0},
        {"event", FIELD_STR, false, &b.event, 0, 0},
        {"metadata", FIELD_OBJECT, false, &b.metadata, 0, 0},
    };
    error_clear(&e);
    if (!json_read_object_at(payload, "payload", fields, JSON_FIELDS(fields), &e) ||
        (b.channel && !params_check_channel(b.channel, &e)))
        must_be_refused(&e, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error e;
    error_clear(&e);
    json_t *root = json_read_text((const char *)data, size, &e);
    if (!root) {
        must_be_refused(&e, size);
        return 0;
    }
    must_read_back(root);
    json_t *id = NULL, *payload = NULL, *metadata = NULL;
    const char *type = NULL, *timestamp = NULL, *from = NULL, *to = NULL;
    const json_field fields[] = {
        {"id", FIELD_ANY, false, &id, 0, 0},
        {"type", FIELD_STR, true, &type, 0, 0},
        {"payload", FIELD_ANY, false, &payload, 0, 0},
        {"timestamp", FIELD_STR, false, &timestamp, 0, 0},
        {"from", FIELD_STR, false, &from, 0, 0},
        {"to", FIELD_STR, false, &to, 0, 0},
        {"metadata", FIELD_OBJECT, false, &metadata, 0, 0},
    };
    if (!json_read_object(root, fields, JSON_FIELDS(fields), &e))
        must_be_refused(&e, size);
    if (payload) {
        read_sql(payload, size);
        read_broadcast(payload, size);
        if (json_object_get(payload, "since"))
            read_position(json_object_get(payload, "since"), size);
    }
    json_decref(root);
    return 0;
}
