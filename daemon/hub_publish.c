#include "daemon/hub_publish.h"
#include "base/mem.h"
#include "daemon/conn.h"
#include "daemon/hub.h"
#include "daemon/ws.h"

/* One publication on its way through all reactors. */
typedef struct delivery {
    atomic_int waiting;   /* reactors that have not delivered it yet */
    atomic_llong reached; /* connections */
    char *topic;          /* NULL: everyone */
    publication *p;
    conn *origin; /* held by n_runs; NULL: the daemon's own */
    void (*done)(conn *c, void *arg, int64_t delivered);
    void *arg;
    reactor_msg answer;
} delivery;

typedef struct delivery_msg {
    reactor_msg m;
    delivery *d;
} delivery_msg;

bool hub_give(conn *c, publication *p)
{
    const refbuf *frame = publication_frame(p, ws_form_of(c));
    if (!frame) {
        conn_kill(c);
        return false;
    }
    if (!frame->len)
        return false;
    if (c->out.bytes > (size_t)daemon_config(c->r->d)->stream_buffer) {
        conn_end(c, 1013, "SLOW_CONSUMER: messages came faster than they were read");
        return false;
    }
    conn_queue(c, refbuf_ref((refbuf *)(uintptr_t)frame), NULL, 0);
    STAT_ADD(c->r->stats.frames_delivered, 1);
    return true;
}

static int64_t to_everyone(reactor *r, publication *p)
{
    int64_t n = 0;
    list_each(it, &r->conns)
    {
        conn *c = list_entry(it, conn, link);
        if (c->state == CONN_WS && c->ws->who && hub_give(c, p))
            n++;
    }
    return n;
}

static void release(delivery *d)
{
    publication_unref(d->p);
    mem_free(d->topic);
    mem_free(d);
}

static void tell_origin(reactor *r, reactor_msg *m)
{
    (void)r;
    delivery *d = list_entry(m, delivery, answer);
    conn *c = d->origin;
    c->n_runs--;
    d->done(c, d->arg, atomic_load(&d->reached));
    conn_reap(c);
    release(d);
}

static void deliver_here(reactor *r, delivery *d)
{
    int64_t n = d->topic ? hub_append_topic(r, d->topic, d->p) : to_everyone(r, d->p);
    atomic_fetch_add(&d->reached, n);
    if (atomic_fetch_sub(&d->waiting, 1) > 1)
        return;
    if (!d->origin) {
        release(d);
    } else if (d->origin->r == r) {
        tell_origin(r, &d->answer);
    } else {
        d->answer.handle = tell_origin;
        reactor_post(d->origin->r, &d->answer);
    }
}

static void arrived(reactor *r, reactor_msg *m)
{
    deliver_here(r, list_entry(m, delivery_msg, m)->d);
    mem_free(m);
}

static delivery *delivery_new(const server *s, const char *topic, publication *p)
{
    delivery *d = xalloc(sizeof *d);
    atomic_init(&d->waiting, s->n_reactors);
    d->topic = topic ? xstrdup(topic) : NULL;
    d->p = p;
    return d;
}

static void post_to(reactor *r, delivery *d)
{
    delivery_msg *m = xalloc(sizeof *m);
    m->m.handle = arrived;
    m->d = d;
    reactor_post(r, &m->m);
}

void hub_publish(conn *origin, const char *topic, publication *p,
                 void (*done)(conn *c, void *arg, int64_t delivered), void *arg)
{
    server *s = origin->r->d;
    delivery *d = delivery_new(s, topic, p);
    d->origin = origin;
    d->done = done;
    d->arg = arg;
    origin->n_runs++;
    for (int i = 0; i < s->n_reactors; i++) {
        if (s->reactors[i] != origin->r)
            post_to(s->reactors[i], d);
    }
    deliver_here(origin->r, d);
}

void hub_announce(server *s, const char *topic, publication *p)
{
    delivery *d = delivery_new(s, topic, p);
    for (int i = 0; i < s->n_reactors; i++)
        post_to(s->reactors[i], d);
}
