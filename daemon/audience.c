#include "daemon/audience.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/hub.h"
#include "daemon/hub_publish.h"
#include "daemon/hub_subs.h"
#include "daemon/survey.h"
#include "daemon/ws.h"

/* A message on its way; the audience's strings and numbers are its own. */
typedef struct sending {
    audience to;
    publication *p;
    audience_done *done;
    void *arg;
} sending;

/* What one reactor delivered. */
typedef struct delivered {
    int64_t n;
    buf numbers; /* uint64_t of the first AUDIENCE_NAMED */
} delivered;

static void count(delivered *d, const sending *s, const conn *c)
{
    if (d->n++ < AUDIENCE_NAMED && s->to.list)
        buf_add(&d->numbers, &c->serial, sizeof c->serial);
}

/* ---- choosing ----------------------------------------------------------------------------------
 */

static bool is_named(const audience *to, uint64_t number)
{
    size_t from = 0, end = to->n_connections;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        if (to->connections[middle] == number)
            return true;
        if (to->connections[middle] < number)
            from = middle + 1;
        else
            end = middle;
    }
    return false;
}

static bool has_type(const conn *c, const char *type)
{
    size_t n = strlen(type);
    list_each(it, &c->ws->subs)
    {
        const sub *s = list_entry(it, sub, ws_link);
        if (strncmp(s->topic, type, n) == 0 && (s->topic[n] == ':' || !s->topic[n]))
            return true;
    }
    return false;
}

static bool belongs(const conn *c, const audience *to)
{
    return c->state == CONN_WS && c->ws->who && (!to->connections || is_named(to, c->serial)) &&
           (!to->user || strcmp(c->ws->who->name, to->user) == 0) &&
           (!to->type || has_type(c, to->type));
}

/* ---- delivering --------------------------------------------------------------------------------
 */

static void give(conn *c, const sending *s, delivered *d)
{
    if (belongs(c, &s->to) && hub_give(c, s->p))
        count(d, s, c);
}

static void to_connections(reactor *r, const sending *s, delivered *d)
{
    if (!s->to.connections) {
        list_each(it, &r->conns) give(list_entry(it, conn, link), s, d);
        return;
    }
    for (size_t i = 0; i < s->to.n_connections; i++) {
        conn *c = conn_table_find(&r->sockets, s->to.connections[i]);
        if (c)
            give(c, s, d);
    }
}

static void list_topic(const reactor *r, const sending *s, delivered *d)
{
    const hub_topic *t = hub_topic_find(r, s->to.topic);
    for (int form = 0; t && form < FORM_COUNT; form++) {
        if (!t->streams[form])
            continue;
        list_each(it, &t->streams[form]->subs)
        {
            if (d->n == AUDIENCE_NAMED)
                return;
            count(d, s, list_entry(it, sub, stream_link)->c);
        }
    }
}

/* All of a topic's subscribers: the message stands once in each of its streams. */
static void to_topic(reactor *r, const sending *s, delivered *d)
{
    if (s->to.list)
        list_topic(r, s, d);
    d->n = hub_append_topic(r, s->to.topic, s->p);
}

/* Some of them: each gets it for itself, behind what came on the topic before, unless it has not
 * read that: then this may overtake it. */
static void to_some_of_topic(reactor *r, const sending *s, delivered *d)
{
    const hub_topic *t = hub_topic_find(r, s->to.topic);
    for (int form = 0; t && form < FORM_COUNT; form++) {
        if (!t->streams[form])
            continue;
        list_each(it, &t->streams[form]->subs)
        {
            sub *one = list_entry(it, sub, stream_link);
            conn *c = one->c;
            if (!belongs(c, &s->to))
                continue;
            if (!c->blocked && (!conn_flush(c) || !hub_deliver_sub(one, clock_mono_us())))
                conn_kill(c);
            else
                give(c, s, d);
        }
    }
}

static void deliver(survey *s, reactor *r, void *part)
{
    const sending *m = s->arg;
    const audience *to = &m->to;
    if (!to->topic)
        to_connections(r, m, part);
    else if (to->connections || to->user || to->type)
        to_some_of_topic(r, m, part);
    else
        to_topic(r, m, part);
}

/* ---- telling -----------------------------------------------------------------------------------
 */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void sending_free(sending *m)
{
    publication_unref(m->p);
    mem_free((char *)(uintptr_t)m->to.topic);
    mem_free((char *)(uintptr_t)m->to.type);
    mem_free((char *)(uintptr_t)m->to.user);
    mem_free((uint64_t *)(uintptr_t)m->to.connections);
    mem_free(m);
}

static void tell(survey *s, conn *origin)
{
    sending *m = s->arg;
    audience_reached reached = {.list = m->to.list};
    buf all = BUF_INIT;
    for (int i = 0; i < s->n_parts; i++) {
        delivered *d = survey_part(s, i);
        reached.n += d->n;
        buf_add(&all, d->numbers.data, d->numbers.len);
        buf_free(&d->numbers);
    }
    reached.n_named = all.len / sizeof *reached.named;
    if (reached.n_named > 1)
        qsort(all.data, reached.n_named, sizeof *reached.named, by_number);
    if (reached.n_named > AUDIENCE_NAMED)
        reached.n_named = AUDIENCE_NAMED;
    reached.named = (const uint64_t *)(const void *)all.data;
    m->done(origin, m->arg, &reached);
    buf_free(&all);
    sending_free(m);
}

static const survey_kind deliveries = {sizeof(delivered), deliver, tell};

/* ---- sending -----------------------------------------------------------------------------------
 */

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

void audience_send(conn *origin, const audience *to, publication *p, audience_done *done, void *arg)
{
    sending *m = xalloc(sizeof *m);
    m->to = *to;
    m->to.topic = copy(to->topic);
    m->to.type = copy(to->type);
    m->to.user = copy(to->user);
    if (to->connections) {
        uint64_t *numbers = xalloc((to->n_connections + 1) * sizeof *numbers);
        memcpy(numbers, to->connections, to->n_connections * sizeof *numbers);
        m->to.connections = numbers;
    }
    m->p = p;
    m->done = done;
    m->arg = arg;
    survey_start(origin, &deliveries, m);
}
