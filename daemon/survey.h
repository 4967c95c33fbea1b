/* A survey asks every reactor about what it owns, or has the one that owns something act on it, and
 * brings the answers together on the reactor of the connection that asked.
 *
 * Each reactor looks on its own thread and writes into a part of its own; whoever is last posts the
 * survey home. So nothing is locked, and a part needs no care: `arg` is the asker's, and is only
 * read while the reactors look.
 *
 *     static void look(survey *s, reactor *r, void *part) { *(int *)part = r->index; }
 *     static void done(survey *s, conn *asker) { ... survey_part(s, i) ...; free(s->arg); }
 *     static const survey_kind kind = {sizeof(int), look, done};
 *     survey_start(c, &kind, arg);
 */
#ifndef DAEMON_SURVEY_H
#define DAEMON_SURVEY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/reactor.h"

struct conn;
typedef struct survey survey;

typedef struct survey_kind {
    size_t part_size;
    /* Once on each reactor's thread. part: zeroed, this reactor's own. */
    void (*look)(survey *s, reactor *r, void *part);
    /* On the asker's reactor when all have looked. Frees what arg and the parts hold. The asker may
     * be CONN_DEAD by now. */
    void (*done)(survey *s, struct conn *asker);
} survey_kind;

struct survey {
    const survey_kind *kind;
    void *arg;
    struct conn *asker; /* held by its n_runs */
    int n_parts;        /* one for each reactor */
    char *parts;        /* owned */
    atomic_int waiting; /* reactors that have not looked yet, and holds */
    bool again;         /* `done` has begun another round */
    reactor_msg home;
};

/* Asks all; when there is one reactor, `done` has run before this returns. Reactor thread of the
 * asker. */
void survey_start(struct conn *asker, const survey_kind *kind, void *arg);
/* The part of the i-th reactor, from within `done`. */
void *survey_part(const survey *s, int i);
/* From within `done`: asks all once more, by another kind and with zeroed parts. */
void survey_again(survey *s, const survey_kind *kind);

/* From within `look`: this reactor has not finished; it will call survey_release, on its thread. */
void survey_hold(survey *s);
void survey_release(survey *s, reactor *r);

#endif
