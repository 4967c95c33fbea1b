/* Throws paths and query strings at the table of routes: a route that is found has its names filled
 * from the path, a refusal says why, and parameters come out as they stand in the list. */
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

static void check_query(const request *q)
{
    static const char *const allowed[] = {"limit", "offset", "a", NULL};
    char text[32];
    error e;
    error_clear(&e);
    if (!http_check_params(q, allowed, &e) && e.code != ERR_INVALID_MESSAGE)
        abort();
    for (int i = 0; allowed[i]; i++) {
        if (http_query_param(q, allowed[i], text, sizeof text) && strlen(text) >= sizeof text)
            abort();
    }
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
    check_query(&q);
    return 0;
}
