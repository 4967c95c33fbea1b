/* A REST client on libcurl: one connection to one daemon, one request at a time. One thread.
 *
 * A request may stream its body from a callback and its answer to one. While it waits it watches
 * for Ctrl-C and for a reader of standard output that has gone. */
#ifndef CLI_REST_H
#define CLI_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cli/endpoint.h"

typedef struct rest rest;

typedef struct rest_request {
    const char *method;
    const char *path;   /* below /api/v1, with its query string: "/query" */
    const char *accept; /* NULL: application/json */
    const char *type;   /* of the body; NULL: application/json */
    const char *body;   /* NULL: none, or see read */
    size_t body_len;
    /* A streamed body: fills `to` and returns how much, 0 at the end, -1 to give up. */
    long (*read)(void *arg, char *to, size_t room);
    int64_t body_size; /* of a streamed body, -1 when not known (sent chunked) */
    /* Takes a piece of a successful answer; false gives up. NULL: the answer is collected. */
    bool (*data)(void *arg, const char *p, size_t n);
    void (*idle)(void *arg);      /* now and then while nothing comes; may be NULL */
    void (*interrupt)(void *arg); /* Ctrl-C, before the request is given up; may be NULL */
    void *arg;
    bool deaf;          /* goes on in spite of Ctrl-C: for tidying up after one */
    int64_t timeout_ms; /* of the whole request, 0: none */
} rest_request;

/* Starts libcurl. NULL with e set when that fails. The endpoint is borrowed. */
rest *rest_open(const endpoint *ep, error *e);
void rest_close(rest *r); /* NULL is fine */

/* Sends a request and takes its answer. True when its status is 2xx; *answer (may be NULL, else
 * initialised by the caller) gets what `data` did not take. Errors: what the daemon's problem
 * document says; CANNOT_CONNECT, TIMEOUT; CANCELLED after Ctrl-C; when a callback gave up, the
 * error that the callback has put into *e, or else CANCELLED. */
bool rest_send(rest *r, const rest_request *q, buf *answer, error *e);

/* Appends text percent-encoded for use in a path or a query string. */
void rest_escape(buf *out, const char *text);

#endif
