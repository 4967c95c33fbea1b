#include "daemon/survey.h"

#include "base/mem.h"
#include "daemon/conn.h"

/* The way to one reactor. */
typedef struct survey_msg {
    reactor_msg m;
    survey *s;
} survey_msg;

void *survey_part(const survey *s, int i)
{
    return s->parts + (size_t)i * s->kind->part_size;
}

static void ask_all(survey *s);

static void finish(survey *s)
{
    conn *c = s->asker;
    s->again = false;
    s->kind->done(s, c);
    if (s->again) {
        ask_all(s);
        return;
    }
    c->n_runs--;
    conn_reap(c);
    mem_free(s->parts);
    mem_free(s);
}

static void came_home(reactor *r, reactor_msg *m)
{
    (void)r;
    finish(list_entry(m, survey, home));
}

void survey_hold(survey *s)
{
    atomic_fetch_add(&s->waiting, 1);
}

void survey_release(survey *s, reactor *r)
{
    reactor *home = s->asker->r;
    if (atomic_fetch_sub(&s->waiting, 1) > 1)
        return;
    if (home == r) {
        finish(s);
        return;
    }
    s->home.handle = came_home;
    reactor_post(home, &s->home);
}

static void look(survey *s, reactor *r)
{
    s->kind->look(s, r, survey_part(s, r->index));
    survey_release(s, r);
}

static void arrived(reactor *r, reactor_msg *m)
{
    survey *s = list_entry(m, survey_msg, m)->s;
    mem_free(m);
    look(s, r);
}

static void ask_all(survey *s)
{
    reactor *home = s->asker->r;
    const server *d = home->d;
    atomic_store(&s->waiting, s->n_parts);
    for (int i = 0; i < s->n_parts; i++) {
        if (d->reactors[i] == home)
            continue;
        survey_msg *m = xalloc(sizeof *m);
        m->m.handle = arrived;
        m->s = s;
        reactor_post(d->reactors[i], &m->m);
    }
    look(s, home);
}

void survey_start(conn *asker, const survey_kind *kind, void *arg)
{
    survey *s = xalloc(sizeof *s);
    s->kind = kind;
    s->arg = arg;
    s->asker = asker;
    s->n_parts = asker->r->d->n_reactors;
    s->parts = xalloc((size_t)s->n_parts * kind->part_size);
    asker->n_runs++;
    ask_all(s);
}

void survey_again(survey *s, const survey_kind *kind)
{
    mem_free(s->parts);
    s->again = true;
    s->kind = kind;
    s->parts = xalloc((size_t)s->n_parts * kind->part_size);
}
