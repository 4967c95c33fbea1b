/* For tests of what stands on the store of identities: documents from text with ' for ", changes
 * that are waited for. */
#ifndef TESTS_UNIT_AUTH_FIXTURE_H
#define TESTS_UNIT_AUTH_FIXTURE_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "auth/store.h"
#include "engine_fixture.h"

enum { WISHES_MAX = 8 };

/* A change of documents that are put, and dropped. */
typedef struct wish {
    auth_call call;
    auth_document *put[WISHES_MAX], *drop[WISHES_MAX];
    pthread_mutex_t lock; /* guards done */
    pthread_cond_t changed;
    bool done;
} wish;

static inline auth_document *try_document(auth_kind kind, const char *text, error *e)
{
    char *json = strdup(text);
    for (char *p = json; *p; p++)
        *p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
    json_t *object = json_loads(json, 0, NULL);
    free(json);
    assert_non_null(object);
    return auth_document_make(kind, object, e);
}

static inline auth_document *document(auth_kind kind, const char *text)
{
    error e;
    auth_document *d = try_document(kind, text, &e);
    if (!d)
        fail_msg("%s", e.message);
    return d;
}

static inline bool wish_decide(auth_call *c, auth_store *s, error *e)
{
    wish *w = list_entry(c, wish, call);
    bool ok = true;
    (void)s;
    for (int i = 0; ok && i < WISHES_MAX; i++)
        ok = (!w->put[i] || auth_call_put(c, w->put[i], e)) &&
             (!w->drop[i] || auth_call_drop(c, w->drop[i]->kind, w->drop[i]->name, e));
    return ok;
}

static inline void wish_done(auth_call *c)
{
    wish *w = list_entry(c, wish, call);
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static inline void wish_start(wish *w, auth_store *s)
{
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->call.decide = wish_decide;
    w->call.done = wish_done;
    auth_store_change(s, &w->call);
}

static inline error_code wish_wait(wish *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    return w->call.failed ? w->call.err.code : ERR_NONE;
}

/* Makes or replaces one; what became of it. */
static inline error_code put(auth_store *s, auth_kind kind, const char *text)
{
    wish w = {.put = {document(kind, text)}};
    wish_start(&w, s);
    error_code code = wish_wait(&w);
    auth_document_release(w.put[0]);
    return code;
}

static inline error_code drop(auth_store *s, auth_kind kind, const char *name)
{
    wish w = {.drop = {auth_store_find(s, kind, name)}};
    assert_non_null(w.drop[0]);
    wish_start(&w, s);
    error_code code = wish_wait(&w);
    auth_document_release(w.drop[0]);
    return code;
}

#endif
