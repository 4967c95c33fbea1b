#include "daemon/ws_direct.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/conn_describe.h"
#include "daemon/survey.h"
#include "daemon/ws.h"
#include "engine/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message on its way through the reactors. */
typedef struct passage {
    ws_direct m;
    uint64_t number; /* of the receiver */
    char *request_id;
} passage;

typedef enum outcome { NOT_HERE, DELIVERED, NO_WAY_TO_SAY_IT, NOT_READING } outcome;

static void passage_free(passage *p)
{
    free(p->m.payload);
    free(p->m.metadata);
    mem_free(p->request_id);
    mem_free(p);
}

static void look(survey *s, reactor *r, void *part)
{
    const passage *p = s->arg;
    outcome *got = part;
    conn *c = conn_table_find(&r->sockets, p->number);
    if (!c || c->state != CONN_WS || !c->ws->who)
        return;
    if (!c->ws->protocol->direct) {
        *got = NO_WAY_TO_SAY_IT;
    } else if (c->out.bytes > (size_t)daemon_config(r->d)->stream_buffer) {
        *got = NOT_READING;
    } else {
        c->ws->protocol->direct(c, &p->m);
        *got = DELIVERED;
    }
}

static void answer(conn *c, const passage *p, outcome got)
{
    error e;
    buf out = BUF_INIT;
    json_writer w;
    const ws_protocol *own = c->ws->protocol;
    switch (got) {
    case DELIVERED:
        own->begin_result(&w, &out, p->request_id, RESULT_DONE);
        jw_key(&w, "delivered");
        jw_int(&w, 1);
        own->end_result(&w, c, p->request_id);
        return;
    case NOT_HERE:
        error_set(&e, ERR_NOT_FOUND, "there is no connection %s", p->m.to);
        break;
    case NO_WAY_TO_SAY_IT:
        error_set(&e, ERR_CONFLICT, "the protocol of connection %s has no direct messages",
                  p->m.to);
        break;
    case NOT_READING:
        error_set(&e, ERR_BUSY, "connection %s does not read what it is sent", p->m.to);
        break;
    }
    own->failed(c, p->request_id, &e, NULL);
}

static void arrived(survey *s, conn *asker)
{
    outcome got = NOT_HERE;
    for (int i = 0; i < s->n_parts; i++) {
        const outcome *part = survey_part(s, i);
        if (*part != NOT_HERE)
            got = *part;
    }
    if (asker->state == CONN_WS)
        answer(asker, s->arg, got);
    passage_free(s->arg);
}

void ws_direct_write(json_writer *w, const ws_direct *m)
{
    char stamp[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_us(), stamp);
    jw_key(w, "from");
    jw_str(w, m->from);
    jw_key(w, "to");
    jw_str(w, m->to);
    jw_key(w, "payload");
    jw_raw(w, m->payload, strlen(m->payload));
    if (m->metadata) {
        jw_key(w, "metadata");
        jw_raw(w, m->metadata, strlen(m->metadata));
    }
    jw_key(w, "timestamp");
    jw_str(w, stamp);
}

static bool check_payload(const char *type, json_t *payload, error *e)
{
    arena mem = {0};
    value v;
    if (!payload)
        return error_set(e, ERR_INVALID_MESSAGE, "payload is missing");
    if (strcmp(type, "binary") != 0)
        return true;
    bool ok = value_from_json(&v, payload, &mem, "payload", e);
    if (ok && v.type != VALUE_BLOB)
        ok = error_set(e, ERR_INVALID_MESSAGE, "payload is not {\"$base64\":\"...\"}");
    arena_free(&mem);
    return ok;
}

bool ws_direct_send(conn *c, const char *request_id, const char *type, const char *to,
                    json_t *payload, const json_t *metadata, error *e)
{
    static const survey_kind kind = {sizeof(outcome), look, arrived};
    if (!to) {
        error_set(e, ERR_INVALID_MESSAGE, "to is missing");
        return error_hint(e, "Name a connection by its connection_id; channels have publish.");
    }
    if (!check_payload(type, payload, e))
        return false;
    uint64_t number = conn_parse_id(to);
    if (!number)
        return error_set(e, ERR_NOT_FOUND, "there is no connection %.60s", to);
    passage *p = xalloc(sizeof *p);
    p->m.type = type;
    p->number = number;
    snprintf(p->m.from, sizeof p->m.from, "%s", c->ws->id);
    snprintf(p->m.to, sizeof p->m.to, "%s", to);
    p->m.payload = json_dumps(payload, JSON_ENCODE_ANY | JSON_COMPACT);
    p->m.metadata = metadata ? json_dumps(metadata, JSON_COMPACT) : NULL;
    p->request_id = request_id ? xstrdup(request_id) : NULL;
    if (!p->m.payload || (metadata && !p->m.metadata)) {
        passage_free(p);
        return error_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    survey_start(c, &kind, p);
    return true;
}
