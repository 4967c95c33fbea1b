/* Which scope a request takes that does not come through the table of operations: messages of a
 * WebSocket in whatever protocol, and calls of JSON-RPC. */
#ifndef DAEMON_WS_ASKS_H
#define DAEMON_WS_ASKS_H

#include <stdbool.h>

#include "auth/identity.h"
#include "base/error.h"
#include "daemon/conn.h"

typedef enum ws_ask {
#define WS_ASK(name, scope) WS_ASK_##name,
#include "daemon/ws_asks.def"
#undef WS_ASK
} ws_ask;

/* SCOPE_*; 0: credentials are enough. */
static inline unsigned ws_ask_scope(ws_ask what)
{
    static const unsigned scopes[] = {
#define WS_ASK(name, scope) scope,
#include "daemon/ws_asks.def"
#undef WS_ASK
    };
    return scopes[what];
}

/* PERMISSION_DENIED unless whoever has the connection may ask for this. Reactor thread. */
static inline bool ws_may_ask(const conn *c, ws_ask what, error *e)
{
    return identity_check(conn_who(c), ws_ask_scope(what), e);
}

#endif
