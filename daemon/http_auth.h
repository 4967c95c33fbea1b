/* Who a request comes from: its credentials, and whether they are enough for its operation.
 * Reactor thread only. */
#ifndef DAEMON_HTTP_AUTH_H
#define DAEMON_HTTP_AUTH_H

#include <stdbool.h>

#include "daemon/http.h"

/* Sets q->who from a bearer token or an API key, or without either from what the connection says
 * (credentials.h). AUTH_REQUIRED when nobody is known by that, AUTH_FAILED, AUTH_EXPIRED. */
bool http_authenticate(request *q, error *e);
/* The same for a WebSocket's handshake, which may also have the token in its URL (?access_token=)
 * where the setting url_tokens lets it. */
bool http_authenticate_upgrade(request *q, error *e);
/* PERMISSION_DENIED unless q->who may use the operation of q->route. */
bool http_authorize(const request *q, error *e);

#endif
