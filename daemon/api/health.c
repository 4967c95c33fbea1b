/* Health probes: alive, ready, started. They need no credentials and tell nothing else. */
#include "daemon/api/api.h"

#include <string.h>

static void answer(request *q, bool good, const char *why)
{
    static const char ok[] = "{\"status\":\"ok\"}";
    error e;
    if (good) {
        http_reply(q, 200, ok, sizeof ok - 1);
        return;
    }
    error_set(&e, ERR_SHUTTING_DOWN, "%s", why);
    http_reply_error(q, &e);
}

void api_get_liveness(request *q)
{
    answer(q, true, NULL);
}

void api_get_readiness(request *q)
{
    int phase = atomic_load(&q->c->r->d->phase);
    if (phase == PHASE_READY && engine_is_draining(q->c->r->d->engine)) {
        error e;
        error_set(&e, ERR_BUSY, "the pool is drained: no new statements are taken");
        error_hint(&e, "POST /api/v1/pool/resume ends that.");
        http_reply_error(q, &e);
        return;
    }
    answer(q, phase == PHASE_READY,
           phase == PHASE_STARTING ? "the daemon is starting" : "the daemon is stopping");
}

void api_get_startup(request *q)
{
    answer(q, atomic_load(&q->c->r->d->phase) != PHASE_STARTING, "the daemon is starting");
}
