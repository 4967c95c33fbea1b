#include "auth/token_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

enum { SLOTS = 1024 };

typedef struct slot {
    unsigned char hash[SECRET_HASH_BYTES];
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

void token_cache_free(token_cache *t)
{
    if (!t)
        return;
    for (int i = 0; i < SLOTS; i++)
        identity_release(t->slots[i].who);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

static slot *slot_of(token_cache *t, const unsigned char *hash)
{
    return &t->slots[(hash[0] << 8 | hash[1]) % SLOTS];
}

identity *token_cache_find(token_cache *t, const unsigned char hash[SECRET_HASH_BYTES])
{
    const slot *s = slot_of(t, hash);
    pthread_mutex_lock(&t->lock);
    identity *who =
        s->who && secret_equal(s->hash, hash, SECRET_HASH_BYTES) ? identity_hold(s->who) : NULL;
    pthread_mutex_unlock(&t->lock);
    return who;
}

void token_cache_put(token_cache *t, const unsigned char hash[SECRET_HASH_BYTES], identity *who)
{
    slot *s = slot_of(t, hash);
    identity_hold(who);
    pthread_mutex_lock(&t->lock);
    identity *old = s->who;
    s->who = who;
    memcpy(s->hash, hash, SECRET_HASH_BYTES);
    pthread_mutex_unlock(&t->lock);
    identity_release(old);
}
