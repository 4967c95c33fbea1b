#include "auth/attempts.h"

#include <pthread.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

typedef struct entry {
    list link; /* in attempts.recent */
    int tries;
    int64_t last_us, next_us; /* tried last; may be tried again */
    char name[];
} entry;

struct attempts {
    attempts_rule rule;
    pthread_mutex_t lock; /* guards all below; held for a look-up */
    map entries;
    list recent; /* the one tried longest ago comes first */
};

attempts *attempts_new(const attempts_rule *rule)
{
    attempts *a = xalloc(sizeof *a);
    a->rule = *rule;
    pthread_mutex_init(&a->lock, NULL);
    list_init(&a->recent);
    return a;
}

static void forget(attempts *a, entry *x)
{
    list_unlink(&x->link);
    map_take(&a->entries, x->name, strlen(x->name));
    mem_free(x);
}

static entry *first(attempts *a)
{
    return list_empty(&a->recent) ? NULL : list_entry(a->recent.next, entry, link);
}

void attempts_free(attempts *a)
{
    if (!a)
        return;
    for (entry *x; (x = first(a));)
        forget(a, x);
    map_free(&a->entries);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

static entry *find(attempts *a, const char *name)
{
    return map_get(&a->entries, name, strlen(name));
}

/* Those that were not tried for long, and one more when there is no room. */
static void make_room(attempts *a, int64_t now)
{
    for (entry *x; (x = first(a)) && (now - x->last_us >= a->rule.forget_us ||
                                      a->entries.count >= (size_t)a->rule.max);)
        forget(a, x);
}

static entry *add(attempts *a, const char *name)
{
    entry *x = xalloc(sizeof *x + strlen(name) + 1);
    strcpy(x->name, name);
    if (!map_put(&a->entries, name, strlen(name), x, NULL)) {
        mem_free(x);
        return NULL;
    }
    list_append(&a->recent, &x->link);
    return x;
}

static int64_t pause_after(const attempts_rule *rule, int tries)
{
    if (tries < rule->free)
        return 0;
    int64_t pause = rule->first_us;
    for (int i = rule->free; i < tries && pause < rule->most_us; i++)
        pause *= 2;
    return pause < rule->most_us ? pause : rule->most_us;
}

int64_t attempts_begin(attempts *a, const char *name, int64_t now)
{
    int64_t wait = 0;
    pthread_mutex_lock(&a->lock);
    entry *x = find(a, name);
    if (x && now - x->last_us >= a->rule.forget_us)
        x->tries = 0;
    if (x && now < x->next_us && x->tries) {
        wait = x->next_us - now;
    } else {
        if (!x) {
            make_room(a, now);
            x = add(a, name);
        }
        if (x) {
            x->tries++;
            x->last_us = now;
            x->next_us = now + pause_after(&a->rule, x->tries);
            list_unlink(&x->link);
            list_append(&a->recent, &x->link);
        }
    }
    pthread_mutex_unlock(&a->lock);
    return wait;
}

void attempts_succeeded(attempts *a, const char *name)
{
    pthread_mutex_lock(&a->lock);
    entry *x = find(a, name);
    if (x)
        forget(a, x);
    pthread_mutex_unlock(&a->lock);
}

void attempts_undo(attempts *a, const char *name)
{
    pthread_mutex_lock(&a->lock);
    entry *x = find(a, name);
    if (x && x->tries > 0) {
        x->tries--;
        x->next_us = x->last_us;
    }
    pthread_mutex_unlock(&a->lock);
}
