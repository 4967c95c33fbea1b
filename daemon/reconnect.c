#include "daemon/reconnect.h"

#include "base/map.h"
#include "daemon/conn.h"

void reconnect_plan(server *d)
{
    int64_t clients = 0;
    for (int i = 0; i < d->n_reactors; i++)
        clients += STAT_GET(d->reactors[i]->stats.ws_connections);
    d->reconnect_ms = clients * 1000 / daemon_config(d)->reconnect_rate;
}

int64_t reconnect_after_ms(const conn *c)
{
    const server *d = c->r->d;
    if (!c->r->stopping || (int)c->close_code != d->close_code)
        return -1;
    /* The hash is seeded anew by every process. */
    size_t chance = map_hash((const char *)&c->serial, sizeof c->serial);
    return (int64_t)(chance % ((size_t)d->reconnect_ms + 1));
}
