#include "daemon/route.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/api.h"

static const route routes[] = {
#define ROUTE(method, path, handler, flags) {HTTP_##method, "/api/v1" path, handler, flags},
#include "daemon/api/routes.def"
#undef ROUTE
};

static const struct {
    http_method method;
    const char *name;
} methods[] = {{HTTP_GET, "GET"},        {HTTP_HEAD, "HEAD"},   {HTTP_POST, "POST"},
               {HTTP_PUT, "PUT"},        {HTTP_PATCH, "PATCH"}, {HTTP_DELETE, "DELETE"},
               {HTTP_OPTIONS, "OPTIONS"}};

/* Matches a path against a pattern, noting where the {names} begin and end. */
static bool match(const char *pattern, const char *path, const char **from, const char **to)
{
    int n = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        pattern = strchr(pattern, '}') + 1;
        from[n] = path;
        path += strcspn(path, "/");
        to[n] = path;
        if (from[n] == to[n])
            return false;
        n++;
    }
    return *path == '\0';
}

static void copy_params(request *q, const char **from, const char **to)
{
    char *at = q->param_text;
    for (int i = 0; i < PATH_PARAMS && from[i]; i++) {
        size_t n = (size_t)(to[i] - from[i]);
        memcpy(at, from[i], n);
        at[n] = '\0';
        q->params[i] = at;
        at += n + 1;
    }
}

bool route_find(request *q, char *allow, size_t room, error *e)
{
    unsigned exist = 0;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        const char *from[PATH_PARAMS] = {0}, *to[PATH_PARAMS] = {0};
        if (!match(routes[i].path, q->path, from, to))
            continue;
        exist |= routes[i].method;
        if (routes[i].method != q->method)
            continue;
        q->route = &routes[i];
        copy_params(q, from, to);
        return true;
    }
    if (!exist)
        return error_set(e, ERR_NOT_FOUND, "there is no %s", q->path);
    if (exist & HTTP_GET)
        exist |= HTTP_HEAD;
    exist |= HTTP_OPTIONS;
    size_t at = 0;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (exist & methods[i].method && at < room)
            at += (size_t)snprintf(allow + at, room - at, "%s%s", at ? ", " : "", methods[i].name);
    }
    error_set(e, ERR_METHOD_NOT_ALLOWED, "%s does not take this method", q->path);
    return error_hint(e, "It takes %s.", allow);
}
