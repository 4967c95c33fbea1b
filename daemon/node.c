#include "daemon/node.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static const char id_key[] = "daemon.node_id";

static bool make_id(server *d, error *e)
{
    unsigned char random[8];
    if (RAND_bytes(random, sizeof random) != 1)
        return error_set(e, ERR_INTERNAL_ERROR, "no random bytes for the node's id");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(d->node_id + 2 * i, 3, "%02x", random[i]);
    return engine_meta_set(d->engine, id_key, d->node_id, strlen(d->node_id), e);
}

bool node_identify(server *d, error *e)
{
    error unread;
    long n = engine_meta_get(d->engine, id_key, d->node_id, NODE_ID_LEN, &unread);
    d->node_id[NODE_ID_LEN] = '\0';
    return n == NODE_ID_LEN || make_id(d, e);
}
