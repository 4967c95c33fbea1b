/* A WebSocket client on libwebsockets for the subprotocol rustydb.json.v1: one connection at a
 * time, messages whole. One thread; ws_client_run blocks until the connection has ended. */
#ifndef CLI_WS_CLIENT_H
#define CLI_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/endpoint.h"

typedef struct ws_client ws_client;

typedef struct ws_handler {
    /* A text message came. False ends the connection from this side. */
    bool (*message)(void *arg, const char *p, size_t n);
    /* Several times a second, whether messages come or not; may be NULL. False ends it too. */
    bool (*tick)(void *arg);
    void *arg;
} ws_handler;

/* The endpoint is borrowed; its token may change between runs. NULL with e set on failure. */
ws_client *ws_client_open(const endpoint *ep, error *e);
void ws_client_close(ws_client *w); /* NULL is fine */

/* Connects, and passes on what comes until the connection ends. True when the handler ended it;
 * otherwise *e says why: CANNOT_CONNECT (could not be reached, or lost later; was_open tells),
 * an AUTH code or another of an HTTP status that refused the upgrade, CANCELLED after Ctrl-C. */
bool ws_client_run(ws_client *w, const ws_handler *h, error *e);
/* Whether the last run got as far as an open connection. */
bool ws_client_was_open(const ws_client *w);

/* Sends a text message; called from a handler. One message may wait; false when one does. */
bool ws_client_send(ws_client *w, const char *p, size_t n);

#endif
