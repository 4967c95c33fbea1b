#include "auth/token_cache.h"

#include <pthread.h>
#include <string.h>

#include "auth/secret.h"
#include "base/map.h"
#include "base/mem.h"

enum { SLOTS = 1024, TOKEN_MAX = 4096 };

typedef struct slot {
    char *token; /* owned; NULL: nothing is here */
    size_t n;
    identity *who;
} slot;

struct token_cache {
    pthread_mutex_t lock; /* guards the slots */
    slot slots[SLOTS];
};

token_cache *token_cache_new(void)
{
    token_cache *t = xalloc(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void empty(const slot *s)
{
    if (!s->token)
        return;
    secret_wipe(s->token, s->n);
    mem_free(s->token);
    identity_release(s->who);
}

void token_cache_free(token_cache *t)
{
    if (!t)
        return;
    for (int i = 0; i < SLOTS; i++)
        empty(&t->slots[i]);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static slot *slot_of(token_cache *t, const char *token, size_t n)
{
    return &t->slots[map_hash(token, n) % SLOTS];
}

identity *token_cache_find(token_cache *t, const char *token, size_t n)
{
    const slot *s = slot_of(t, token, n);
    pthread_mutex_lock(&t->lock);
    identity *who =
        s->token && s->n == n && secret_equal(s->token, token, n) ? identity_hold(s->who) : NULL;
    pthread_mutex_unlock(&t->lock);
    return who;
}

void token_cache_put(token_cache *t, const char *token, size_t n, identity *who)
{
    slot *s = slot_of(t, token, n);
    slot fresh = {n <= TOKEN_MAX ? mem_strndup(token, n) : NULL, n, who};
    if (!fresh.token)
        return;
    identity_hold(who);
    pthread_mutex_lock(&t->lock);
    slot old = *s;
    *s = fresh;
    pthread_mutex_unlock(&t->lock);
    empty(&old);
}
