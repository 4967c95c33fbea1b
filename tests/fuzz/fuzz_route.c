/* Throws paths, query strings and bodies at the operations: a route that is found has its names
 * filled from the path, a refusal says why, and what passed the checks fits its description. The
 * input is a byte for the method, then PATH?QUERY, then a line break and the body. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_params(const request *q)
{
    bool in_path = true;
    for (int i = 0; i < PATH_PARAMS && q->params[i]; i++)
        in_path &= *q->params[i] && strstr(q->path, q->params[i]) && !strchr(q->params[i], '/');
    if (!in_path)
        abort();
}

static void check_route(request *q)
{
    char allow[80] = "";
    error e;
    error_clear(&e);
    if (route_find(q, allow, sizeof allow, &e)) {
        check_params(q);
        if (!q->route || q->route->method != q->method)
            abort();
    } else if (e.code == ERR_METHOD_NOT_ALLOWED ? !allow[0] || !strstr(allow, "OPTIONS")
                                                : e.code != ERR_NOT_FOUND) {
        abort();
    }
}

/* What passed must be within the bounds that the schema has. */
static void check_numbers(const request *q)
{
    for (int i = 0; i < q->route->n_query; i++) {
        const parameter *p = &q->route->query_parameters[i];
        if (!(p->schema->types & SCHEMA_INTEGER) || !http_param(q, p->name))
            continue;
        int64_t v = http_int(q, p->name);
        if ((p->schema->has_min && v < p->schema->min) ||
            (p->schema->has_max && v > p->schema->max))
            abort();
    }
}

static void check_request(request *q)
{
    error e;
    error_clear(&e);
    if (!route_check_head(q, &e)) {
        if (e.code != ERR_INVALID_MESSAGE || !e.message[0])
            abort();
        return;
    }
    check_numbers(q);
    if (!route_read_body(q, &e) && e.code != ERR_INVALID_MESSAGE && e.code != ERR_MESSAGE_TOO_BIG)
        abort();
    json_decref(q->doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static request q;
    static const http_method methods[] = {HTTP_GET,   HTTP_POST,   HTTP_PUT,
                                          HTTP_PATCH, HTTP_DELETE, 0};
    if (size < 1)
        return 0;
    memset(&q, 0, sizeof q);
    q.method = methods[data[0] % 6];
    data++;
    size--;
    const uint8_t *line = memchr(data, '\n', size);
    if (line) {
        q.body.data = (char *)line + 1;
        q.body.len = size - (size_t)(line + 1 - data);
        size = (size_t)(line - data);
    }
    /* The target up to its '?', and pairs behind it as http.c lays them out. */
    const uint8_t *mark = memchr(data, '?', size);
    size_t n = mark ? (size_t)(mark - data) : size, at = 0;
    memcpy(q.path, data, n < sizeof q.path ? n : sizeof q.path - 1);
    for (size_t i = n + 1; i < size && at < sizeof q.query - 2; i++) {
        char c = data[i] == '&' ? '\0' : (char)data[i];
        if (c || (at && q.query[at - 1])) /* an empty pair would end the list */
            q.query[at++] = c;
    }
    check_route(&q);
    if (q.route)
        check_request(&q);
    return 0;
}
