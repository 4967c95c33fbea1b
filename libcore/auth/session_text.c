#include "auth/session_text.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "json/read.h"
#include "json/writer.h"

void session_write(const session *x, buf *out)
{
    const session_info *i = &x->info;
    json_writer w;
    jw_init(&w, out);
    jw_begin_object(&w);
    jw_key_str(&w, "user", i->user);
    jw_key_str(&w, "refresh_hash", x->refresh_hash);
    jw_key_int(&w, "created_at", i->created_us);
    jw_key_int(&w, "used_at", i->used_us);
    jw_key_int(&w, "expires_at", i->expires_us);
    jw_key_str(&w, "address", i->address);
    jw_key_str(&w, "agent", i->agent);
    jw_key_str(&w, "id", i->id);
    jw_end_object(&w);
}

/* False when it does not fit. */
static bool copy(char *to, size_t room, const char *from)
{
    return (size_t)snprintf(to, room, "%s", from) < room;
}

static bool take(session *x, json_t *j, error *e)
{
    session_info *i = &x->info;
    const char *user, *hash, *address, *agent, *id;
    const json_field fields[] = {
        {"user", FIELD_STR, true, &user, 0, 0},
        {"refresh_hash", FIELD_STR, true, &hash, 0, 0},
        {"created_at", FIELD_INT, true, &i->created_us, 0, 0},
        {"used_at", FIELD_INT, true, &i->used_us, 0, 0},
        {"expires_at", FIELD_INT, true, &i->expires_us, 0, 0},
        {"address", FIELD_STR, true, &address, 0, 0},
        {"agent", FIELD_STR, true, &agent, 0, 0},
        {"id", FIELD_STR, true, &id, 0, 0},
    };
    if (!json_read_object(j, fields, JSON_FIELDS(fields), e))
        return false;
    return (copy(i->user, sizeof i->user, user) && copy(i->address, sizeof i->address, address) &&
            copy(i->agent, sizeof i->agent, agent) && copy(i->id, sizeof i->id, id) &&
            strlen(i->id) == SECRET_ID_LENGTH &&
            copy(x->refresh_hash, sizeof x->refresh_hash, hash) &&
            strlen(hash) == SECRET_HASH_TEXT) ||
           error_set(e, ERR_INVALID_MESSAGE, "a text of it is too long or too short");
}

session *session_read(const char *json, size_t n, error *e)
{
    json_t *j = json_read_text(json, n, e);
    session *x = j ? mem_zalloc(sizeof *x) : NULL;
    if (j && !x)
        error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (x && !take(x, j, e)) {
        session_discard(x);
        x = NULL;
    }
    json_decref(j);
    return x;
}

void session_discard(session *x)
{
    mem_free(x);
}

void session_set_agent(session_info *i, const char *agent)
{
    size_t n = strlen(agent);
    n = n < sizeof i->agent ? n : sizeof i->agent - 1;
    n = utf8_valid(agent, n);
    memcpy(i->agent, agent, n);
    i->agent[n] = '\0';
    for (char *p = i->agent; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}
