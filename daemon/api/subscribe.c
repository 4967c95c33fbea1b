/* POST /ws/subscriptions: subscribes a connection on its behalf. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/api/api.h"
#include "daemon/conn_describe.h"
#include "daemon/sub_describe.h"
#include "daemon/survey.h"
#include "daemon/ws.h"
#include "daemon/ws_requests.h"

enum { TOPIC_MAX = 1024 };

/* What is asked for: read by the connection's reactor only. */
typedef struct subscribing {
    uint64_t connection;
    json_t *input; /* as the payload of a subscribe message; owned */
} subscribing;

/* What became of it, where the connection is. */
typedef struct subscribed_part {
    sub_watch watch;
    survey *s;
    reactor *r;
    bool found; /* the connection is here */
    error e;    /* why not; ERR_NONE: it is subscribed */
    buf text;   /* the subscription */
    char name[32];
} subscribed_part;

static void note(subscribed_part *part, const sub *s, const error *e)
{
    json_writer w;
    error_clear(&part->e);
    if (e) {
        part->e = *e;
        return;
    }
    jw_init(&w, &part->text);
    sub_describe(s, &w);
    hub_sub_name(s, part->name);
}

static void told(sub_watch *w, const sub *s, const error *e)
{
    subscribed_part *part = list_entry(w, subscribed_part, watch);
    note(part, s, e);
    survey_release(part->s, part->r);
}

/* The newest subscription of a connection, NULL when it has none. */
static sub *newest_of(const conn *c)
{
    return list_empty(&c->ws->subs) ? NULL : list_entry(c->ws->subs.prev, sub, ws_link);
}

static void subscribe_here(survey *s, reactor *r, void *p)
{
    const subscribing *want = s->arg;
    subscribed_part *part = p;
    conn *c = conn_table_find(&r->sockets, want->connection);
    conn_phase phase;
    if (!c || !conn_phase_of(c, &phase))
        return;
    part->found = true;
    if (phase != CONN_OPEN) {
        error_set(&part->e, ERR_CONFLICT, "the connection is %s", conn_phase_name(phase));
        return;
    }
    const sub *before = newest_of(c);
    if (!ws_request_subscribe(c, NULL, want->input, &part->e))
        return;
    sub *made = newest_of(c);
    if (!made || made == before) {
        error_set(&part->e, ERR_INTERNAL_ERROR, "the subscription was not kept");
    } else if (made->state == SUB_ASKED) {
        part->s = s;
        part->r = r;
        part->watch.told = told;
        made->watch = &part->watch;
        survey_hold(s);
    } else {
        note(part, made, NULL);
    }
}

static void reply_subscribed(request *q, const subscribed_part *part)
{
    error e = part->e;
    if (e.code == ERR_NONE && part->text.failed)
        error_set(&e, ERR_INTERNAL_ERROR, "there is no memory for the answer");
    if (e.code != ERR_NONE)
        http_reply_error(q, &e);
    else
        http_reply_created(q, "/api/v1/ws/subscriptions/", part->name, part->text.data,
                           part->text.len);
}

static void subscribing_done(survey *s, conn *asker)
{
    subscribing *want = s->arg;
    request *q = asker->state == CONN_DEAD ? NULL : asker->req;
    bool answered = false;
    error e;
    for (int i = 0; i < s->n_parts; i++) {
        subscribed_part *part = survey_part(s, i);
        if (q && part->found && !answered) {
            reply_subscribed(q, part);
            answered = true;
        }
        buf_free(&part->text);
    }
    if (q && !answered) {
        error_set(&e, ERR_NOT_FOUND, "there is no connection c%llu",
                  (unsigned long long)want->connection);
        http_reply_error(q, &e);
    }
    json_decref(want->input);
    mem_free(want);
}

static const survey_kind subscribings = {sizeof(subscribed_part), subscribe_here, subscribing_done};

/* The fields of the request that are not those of a `subscribe` message. */
typedef struct outer {
    const char *connection;
    const char *type, *target; /* in place of topic */
} outer;

static const char **text_of(outer *o, const char *key)
{
    if (strcmp(key, "connection_id") == 0)
        return &o->connection;
    if (strcmp(key, "subscription_type") == 0)
        return &o->type;
    return strcmp(key, "target") == 0 ? &o->target : NULL;
}

/* Takes one more field of the payload; each may be there once. */
static bool add(json_t *payload, const char *key, json_t *item, error *e)
{
    if (json_object_get(payload, key))
        return error_set(e, ERR_INVALID_MESSAGE, "%.100s is given twice", key);
    return json_object_set(payload, key, item) == 0 ||
           error_set(e, ERR_INVALID_MESSAGE, "%.100s cannot be kept", key);
}

static bool add_all(json_t *payload, json_t *inner, error *e)
{
    const char *key;
    json_t *item;
    json_object_foreach(inner, key, item)
    {
        if (!add(payload, key, item, e))
            return false;
    }
    return true;
}

static bool add_topic(json_t *payload, const outer *o, error *e)
{
    char text[TOPIC_MAX];
    int n = snprintf(text, sizeof text, "%s%s%s", o->type, o->target ? ":" : "",
                     o->target ? o->target : "");
    if (n >= (int)sizeof text)
        return error_set(e, ERR_INVALID_MESSAGE, "the topic has %d bytes; %zu are allowed", n,
                         sizeof text - 1);
    json_t *topic = json_string(text);
    bool ok = add(payload, "topic", topic, e);
    json_decref(topic);
    return ok;
}

/* The payload of a `subscribe` message: its own fields as they are, and those that a subscription
 * is shown with, taken apart. */
static bool fill(json_t *payload, json_t *root, outer *o, error *e)
{
    const char *key;
    json_t *item;
    json_object_foreach(root, key, item)
    {
        const char **text = text_of(o, key);
        bool inner = strcmp(key, "filters") == 0 || strcmp(key, "config") == 0;
        if (text)
            *text = json_string_value(item);
        else if (inner ? !add_all(payload, item, e) : !add(payload, key, item, e))
            return false;
    }
    if (o->target && !o->type)
        return error_set(e, ERR_INVALID_MESSAGE, "target goes with subscription_type");
    return !o->type || add_topic(payload, o, e);
}

static subscribing *read_subscribing(request *q, error *e)
{
    outer o = {0};
    json_t *payload = json_object();
    bool ok = fill(payload, q->doc, &o, e);
    uint64_t number = ok ? conn_parse_id(o.connection) : 0;
    if (ok && !number)
        ok = error_set(e, ERR_NOT_FOUND, "there is no connection %.60s", o.connection);
    if (!ok) {
        json_decref(payload);
        return NULL;
    }
    subscribing *want = xalloc(sizeof *want);
    want->connection = number;
    want->input = payload;
    return want;
}

void api_create_subscription(request *q)
{
    error e;
    subscribing *want = read_subscribing(q, &e);
    if (want)
        survey_start(q->c, &subscribings, want);
    else
        http_reply_error(q, &e);
}
