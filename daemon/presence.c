#include "daemon/presence.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/runtime.h"
#include "daemon/tls.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>

struct presence {
    server *d;
    address at;
    pthread_mutex_t lock; /* guards the rest: signals and requests have it renewed */
    bool shown;
    runtime_entry *record; /* NULL: there is none to be had */
};

/* The new record takes the old one's name, so there is one at any time. */
static void write_record(presence *p)
{
    char token[PATH_MAX + 16];
    error e;
    snprintf(token, sizeof token, "%s/root.token", p->d->data_dir);
    runtime_entry *record =
        runtime_publish(&p->at, p->d->tls ? tls_pin(p->d->tls) : NULL, p->d->data_dir, token, &e);
    if (!record && e.code != ERR_NOT_FOUND)
        log_warn("runtime_record", "%s", e.message);
    if (!record)
        return;
    runtime_withdraw(p->record);
    p->record = record;
}

presence *presence_new(server *d, const address *at)
{
    presence *p = xalloc(sizeof *p);
    p->d = d;
    p->at = *at;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void presence_free(presence *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void presence_publish(presence *p)
{
    pthread_mutex_lock(&p->lock);
    p->shown = true;
    write_record(p);
    pthread_mutex_unlock(&p->lock);
}

void presence_renew(presence *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->shown)
        write_record(p);
    pthread_mutex_unlock(&p->lock);
}

void presence_withdraw(presence *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->shown = false;
    runtime_withdraw(p->record);
    p->record = NULL;
    pthread_mutex_unlock(&p->lock);
}
