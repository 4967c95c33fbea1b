/* HTTP/1.1 on top of libwebsockets: a request is read, matched to a route, given to its handler,
 * and answered once, whole or in a stream. Reactor thread only.
 *
 * A handler gets the request when its body is complete (or, for ROUTE_STREAM, when its head is),
 * and must see to it that exactly one answer is given, now or later: http_reply*, or a run wired
 * by http_answer_with. */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/auth.h"
#include "base/buf.h"
#include "base/error.h"
#include "daemon/chunked.h"
#include "daemon/conn.h"
#include "daemon/problem.h"
#include "daemon/run.h"
#include "json/writer.h"

typedef enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_PATCH = 16,
    HTTP_DELETE = 32,
    HTTP_OPTIONS = 64,
} http_method;

/* Request headers that handlers look at. */
typedef enum http_header_name {
    HEADER_IF_MATCH,
    HEADER_IF_NONE_MATCH,
    HEADER_PREFER,
    HEADER_IDEMPOTENCY_KEY,
    HEADER_USER_AGENT, /* where the operation wants it (ROUTE_AGENT) */
    HEADER_COUNT,
} http_header_name;

/* "GET" */
const char *http_method_name(http_method m);

struct request;
struct route;

enum { PATH_MAX_LEN = 1024, PATH_PARAMS = 3, QUERY_MAX_LEN = 2048 };

/* Takes body bytes as they come (ROUTE_STREAM). False: the request was answered, read no more. */
typedef bool (*body_reader)(struct request *q, const char *p, size_t n, bool last);

typedef struct request {
    conn *c;
    http_method method;
    bool head_only; /* HEAD: answered as GET, without the body */
    char path[PATH_MAX_LEN];
    char query[QUERY_MAX_LEN]; /* "a=1", "b=2", decoded, each ended by a NUL, the list by another */
    bool query_too_long;       /* `query` is not all of it */
    bool target_cut;           /* neither are path and query: see read_head */
    const char *params[PATH_PARAMS]; /* of the route's {names}, in order, decoded */
    char param_text[PATH_MAX_LEN];
    const struct route *route;
    const struct ws_protocol
        *protocol;       /* set by a handler that carries requests of ws_requests.h */
    const identity *who; /* held; NULL: a stranger */
    rate_verdict rate;   /* what the client is told of its limits */
    ip_address client;   /* whom limits and lists of networks are about: as proxies say */
    char request_id[65];
    char content_type[128];
    char accept[128];
    bool accepts_gzip; /* the client does */
    bool takes_gzip;   /* and the daemon compresses what it computes (gzip_min) */
    char origin[256];  /* of a page in a browser that asks (RFC 6454); "": none */
    bool http10;
    bool chunked; /* the body comes in chunks: we decode, and close afterwards */
    bool keep_alive;
    int64_t content_length; /* -1: none */
    int64_t received;       /* body bytes so far */
    int64_t came;           /* the same before decoding: with the marks between chunks */
    bool lift_limit;        /* see expect_no_more */
    int64_t behind;         /* bytes that came behind the body and are lost */
    int64_t max_body;
    chunked decoder;
    buf body;
    json_t *doc; /* the body, where it is JSON that the specification describes; else NULL */
    char *headers[HEADER_COUNT]; /* owned; NULL: absent */
    char *audit_detail;          /* owned; see audit_set_detail */
    char *run_headers;           /* owned; of the answer from a run, each ending in CRLF, or NULL */
    struct once *once;           /* with a key that makes it happen once (idempotency.h) */
    struct run *once_run;        /* the run that answers it, where it has such a key */
    body_reader read_body;       /* set by a ROUTE_STREAM handler */
    void (*more)(struct request *q); /* see http_put_piece; NULL: nothing comes */
    void *arg;                       /* the handler's own, freed by free_arg */
    void (*free_arg)(struct request *q);
    bool complete; /* the whole body has come */
    bool answered; /* the head of the answer is out */
    bool finished; /* the whole answer is queued */
    int64_t started_us;
} request;

/* The body as it came. */
#define http_body(q) ((q)->body.data), ((q)->body.len)

/* Answers with a JSON document (n bytes, copied). */
void http_reply(request *q, int status, const char *json, size_t n);
/* The same with extra header lines, each ending in CRLF, and any content type. Unless they say so
 * themselves (Cache-Control), nobody may keep the answer. */
void http_reply_with(request *q, int status, const char *content_type, const char *headers,
                     const char *body, size_t n);
/* Appends a name, percent-encoded as one segment of a path (RFC 3986, 3.3). */
void http_put_segment(buf *out, const char *name);
/* 201 with a JSON document and the place of what was made: `place`, a path that ends in '/', and
 * its name, which is percent-encoded. */
void http_reply_created(request *q, const char *place, const char *name, const char *json,
                        size_t n);
/* Answers with an object that is written piece by piece: begin, write the members, end. The buf is
 * begin's to set up and end's to free; when memory ran out the answer is INTERNAL_ERROR. */
void http_begin_json(json_writer *w, buf *out);
void http_end_json(request *q, int status, json_writer *w);
void http_end_created(request *q, const char *place, const char *name, json_writer *w);
void http_reply_error(request *q, const error *e);
/* The same, with how many seconds the client is to wait before it asks again. */
void http_reply_later(request *q, const error *e, int64_t seconds);
/* The same, with a challenge for credentials (RFC 9110, 11.6.1). */
void http_reply_challenge(request *q, const error *e, const char *challenge);
void http_reply_problem(request *q, const error *e, const problem_extra *x);
/* A problem with METHOD_NOT_ALLOWED, and the methods that the thing takes. */
void http_reply_not_allowed(request *q, const error *e, const char *allow);
/* What is still to come of the body is not wanted: a little of it is read, so that the client gets
 * to see the answer; then the connection closes. */
void http_discard_rest(request *q);

/* For run.on_done of a job that answers with a JSON text (job.text): answers, and frees the run. */
void http_answer_text(run *r);
/* An answer in pieces, the first of which brings the head (status 200, with extra header lines or
 * NULL) with it. When a piece has left, q->more is called for the next, unless it was the last. */
void http_put_piece(request *q, const char *type, const char *headers, const char *p, size_t n,
                    bool last);

/* Wires a run so that its rows become the answer. */
void http_answer_with(request *q, run *r);

/* Whether the request carries good credentials: a bearer token, an API key, or, for pages that a
 * browser shows, the token as the password of Basic authentication. AUTH_REQUIRED, AUTH_FAILED. */
bool http_authenticate_page(request *q, error *e);

/* A copy of a header, of which several lines make one list, from libwebsockets' own; owned. NULL
 * when it is absent, or memory is out. */
char *http_copy_header(struct lws *wsi, enum lws_token_indexes token);
/* A request header as it came; NULL when it is absent. */
const char *http_header(const request *q, http_header_name name);

/* A query parameter, decoded, as long as the request is there; NULL when it is absent. */
const char *http_param(const request *q, const char *name);
/* Copies a query parameter, decoded; false when it is absent (or does not fit). */
bool http_query_param(const request *q, const char *name, char *out, size_t room);
/* An integer, or a boolean, that was checked against the specification; its default when it is
 * absent. */
int64_t http_int(const request *q, const char *name);
bool http_flag(const request *q, const char *name);

/* ---- the callback's side ---- */
/* The head has come. Nonzero: close the connection. */
int http_on_request(conn *c);
int http_on_body(conn *c, const char *p, size_t n);
int http_on_body_end(conn *c);
/* Something was written, or nothing is left to write. Nonzero: close. */
int http_on_writable(conn *c);
/* Called at the end of a batch for connections with output. Nonzero: close. */
int http_flush(conn *c);
/* Checks an upgrade: 0 to go on with it, 1 when an answer was written, -1 to hang up. */
int http_on_upgrade(conn *c);
void http_free_request(conn *c);

#endif
