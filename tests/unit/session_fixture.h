/* For tests of sessions: their calls, waited for. */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/sessions.h"

typedef struct waiting {
    session_call call;
    pthread_mutex_t lock; /* guards done */
    pthread_cond_t changed;
    bool done;
} waiting;

static inline void session_is_done(session_call *c)
{
    waiting *w = (waiting *)(void *)c;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static inline waiting *call_new(void)
{
    waiting *w = calloc(1, sizeof *w);
    w->call.done = session_is_done;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    return w;
}

static inline bool wait_for(waiting *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return !w->call.failed;
}

static inline void call_free(waiting *w)
{
    session_call_end(&w->call);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* Tokens that were given. */
typedef struct pair {
    char access[1000], refresh[SECRET_REFRESH_LENGTH + 1], id[SECRET_ID_LENGTH + 1];
} pair;

/* Waits for the call, frees it, and gives what came of it: ERR_NONE and, in *out (may be NULL), the
 * tokens of a begin or refresh. */
static inline error_code take(waiting *w, pair *out)
{
    error_code code = wait_for(w) ? ERR_NONE : w->call.err.code;
    const session_grant *g = &w->call.grant;
    if (code == ERR_NONE && out) {
        snprintf(out->access, sizeof out->access, "%.*s", (int)g->access_token.len,
                 g->access_token.data);
        strcpy(out->refresh, g->refresh_token);
        strcpy(out->id, g->session.id);
    }
    call_free(w);
    return code;
}

#endif
