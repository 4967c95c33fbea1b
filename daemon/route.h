/* The table of routes. A path may hold {names}, each for one segment. Later the table is made from
 * the specification; its users will not notice. */
#ifndef DAEMON_ROUTE_H
#define DAEMON_ROUTE_H

#include "daemon/http.h"

enum {
    ROUTE_OPEN = 1,     /* answered without credentials */
    ROUTE_STREAM = 2,   /* the handler is called with the head and reads the body itself */
    ROUTE_STARTING = 4, /* answered while the daemon starts or stops, too */
};

typedef struct route {
    http_method method;
    const char *path;
    void (*handle)(request *q);
    unsigned flags;
} route;

/* Finds the route and fills q->route and q->params. On failure fills *e (NOT_FOUND or
 * METHOD_NOT_ALLOWED) and, for the latter, `allow` with the methods that exist ("GET, HEAD"). */
bool route_find(request *q, char *allow, size_t room, error *e);

#endif
