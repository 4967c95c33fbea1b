/* The operations of the REST interface, as the specification (openapi/) describes them: the tables
 * are made from it when the project is built. */
#ifndef DAEMON_ROUTE_H
#define DAEMON_ROUTE_H

#include "daemon/http.h"
#include "json/schema.h"

enum {
    ROUTE_OPEN = 1,       /* answered without credentials */
    ROUTE_STREAM = 2,     /* the handler is called with the head and reads the body itself */
    ROUTE_STARTING = 4,   /* answered while the daemon starts or stops, too */
    ROUTE_FREE_QUERY = 8, /* query parameters that are not described are the handler's */
    ROUTE_AGENT = 16,     /* the handler wants to know User-Agent */
};

typedef struct parameter {
    const char *name;
    const schema *schema;
    bool required;
    int64_t fallback; /* what an integer or boolean is when it is absent */
} parameter;

typedef struct route {
    http_method method;
    const char *path;
    void (*handle)(request *q);
    const parameter *path_parameters, *query_parameters;
    int n_path, n_query;
    const char *const *body_types; /* content types that are taken, ended by NULL; NULL: no body */
    bool body_required;
    const schema *body; /* of a JSON body; NULL: the handler reads the body as it is */
    unsigned flags;
    int audit;      /* 1 + AUDIT_*: its answers are recorded; 0: they are not */
    unsigned right; /* SCOPE_* that it takes; 0: credentials are enough */
} route;

/* Finds the route and fills q->route and q->params. On failure fills *e (NOT_FOUND or
 * METHOD_NOT_ALLOWED) and, for the latter, `allow` with the methods that exist ("GET, HEAD"). */
bool route_find(request *q, char *allow, size_t room, error *e);

/* ---- a request against its description ----
 * INVALID_MESSAGE says what does not fit; UNSUPPORTED_MEDIA, which content types do. */

/* Parameters and content type. */
bool route_check_head(const request *q, error *e);
/* Parses the body where it is JSON that the specification describes, into q->doc. */
bool route_read_body(request *q, error *e);

#endif
